//! What a parent in Azure lists, by name. Names are told apart without regard to letter case, as Resource Manager does.

use std::collections::HashMap;

use crate::api::reason::Reason;
use crate::engine::error::CloudError;

/// Subscription, resource group and name of a resource of that type, by its id as Resource Manager and the portal write
/// it. Segments are checked where the spec is.
pub(super) fn resource<'a>(id: &'a str, provider: &str, kind: &str) -> Option<[&'a str; 3]> {
    let segments: Vec<_> = id.trim_matches('/').split('/').collect();
    let [subscriptions, subscription, groups, group, providers, of, type_, name] = segments.as_slice() else {
        return None;
    };
    let words = [*subscriptions, *groups, *providers, *of, *type_];
    let wanted = ["subscriptions", "resourceGroups", "providers", provider, kind];
    let fits = words.iter().zip(wanted).all(|(word, wanted)| word.eq_ignore_ascii_case(wanted));
    fits.then_some([*subscription, *group, *name])
}

/// Everything of one parent. An item that cannot be read is there all the same.
#[derive(Debug)]
pub struct Listing<T>(HashMap<String, Option<T>>);

impl<T> Listing<T> {
    /// These items, with what could be read of each.
    pub(super) fn of(items: impl IntoIterator<Item = (String, Option<T>)>) -> Self {
        Self(items.into_iter().map(|(name, it)| (name.to_ascii_lowercase(), it)).collect())
    }

    /// Whether there is something of that name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(&name.to_ascii_lowercase())
    }

    /// What stands under that name. What is there and cannot be read is not told from what is wanted.
    pub(super) fn under(&self, name: &str) -> Result<Option<&T>, CloudError> {
        let unreadable = || {
            let message = "the service lists the certificate in a form that cannot be read";
            CloudError::new(Reason::CloudUnavailable, message)
        };
        self.0.get(&name.to_ascii_lowercase()).map(|it| it.as_ref().ok_or_else(unreadable)).transpose()
    }

    /// All of it, by name in lower case, with what could be read.
    pub(super) fn all(&self) -> Vec<(&str, Option<&T>)> {
        let mut all: Vec<_> = self.0.iter().map(|(name, it)| (name.as_str(), it.as_ref())).collect();
        all.sort_unstable_by_key(|(name, _)| *name);
        all
    }

    /// The names, in lower case, of all that are so, or may be.
    pub(super) fn names_of(&self, is_so: impl Fn(&T) -> bool) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(_, it)| it.as_ref().is_none_or(&is_so)).map(|(name, _)| name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resource_is_named_by_its_id_in_whatever_case() {
        let id = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Devices/IotHubs/hub";
        assert_eq!(resource(id, "Microsoft.Devices", "IotHubs"), Some(["s", "g", "hub"]));
        let lower = format!("{}/", id.to_lowercase());
        assert_eq!(resource(&lower, "Microsoft.Devices", "IotHubs"), Some(["s", "g", "hub"]));
        for odd in
            [id.replace("IotHubs", "Other"), format!("{id}/certificates/x"), "s/g/hub".into(), String::new()]
        {
            assert_eq!(resource(&odd, "Microsoft.Devices", "IotHubs"), None, "{odd}");
        }
    }

    #[test]
    fn an_odd_item_is_neither_absent_nor_taken_for_what_it_is_not() {
        let listing = Listing::of([("One".into(), Some(1)), ("two".into(), Some(2)), ("Odd".into(), None)]);
        assert_eq!(listing.under("ONE"), Ok(Some(&1)));
        assert_eq!(listing.under("three"), Ok(None));
        assert!(listing.under("odd").is_err());
        assert!(listing.has("oDD") && !listing.has("three"));
        let mut names: Vec<_> = listing.names_of(|it| *it == 1).collect();
        names.sort_unstable();
        assert_eq!(names, ["odd", "one"]);
    }
}
