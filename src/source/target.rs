//! What a resource is pointed at in a cloud, and which of these an account allows. Pure.

use std::fmt;
use std::sync::Arc;

/// One remote name, as the segments of a path: the service, the way to its parent, the name. In lower case, because
/// the clouds compare names without regard to case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target(Arc<[String]>);

impl Target {
    /// The remote name at the end of these segments.
    pub fn new<'a>(segments: impl IntoIterator<Item = &'a str>) -> Self {
        Self(segments.into_iter().map(str::to_ascii_lowercase).collect())
    }

    /// The same, told apart from the same name in another cloud.
    #[must_use]
    pub fn within(&self, cloud: &str) -> Self {
        Self::new([cloud].into_iter().chain(self.0.iter().map(String::as_str)))
    }

    /// What stands before the last segment.
    pub fn parent(&self) -> Self {
        Self(self.0.iter().take(self.0.len().saturating_sub(1)).cloned().collect())
    }

    /// Whether a glob covers it: segment by segment, `*` for any text inside one segment.
    pub fn is_covered_by(&self, glob: &str) -> bool {
        let glob = glob.to_ascii_lowercase();
        let patterns: Vec<_> = glob.split('/').collect();
        patterns.len() == self.0.len() && patterns.iter().zip(&*self.0).all(|(glob, text)| covers(glob, text))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

/// Whether a text has the form of a glob, in which `*` stands for any text: what stands between the stars has to follow in
/// order; the first at the beginning, the last at the end.
pub fn covers(glob: &str, text: &str) -> bool {
    let Some((head, tail)) = glob.split_once('*') else { return glob == text };
    let Some(mut rest) = text.strip_prefix(head) else { return false };
    let mut parts: Vec<_> = tail.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_cover_segment_by_segment() {
        let target = Target::new(["iothub", "Sub", "rg", "hub", "team-a-root"]);
        for (glob, covered) in [
            ("iothub/sub/rg/hub/team-a-root", true),
            ("IoTHub/SUB/RG/HUB/Team-A-*", true),
            ("iothub/*/*/*/*", true),
            ("iothub/sub/rg/hub/*-root", true),
            ("iothub/sub/rg/hub/t*a*root", true),
            ("iothub/sub/rg/hub/*a*a*", true),
            ("iothub/sub/rg/hub/team-a-root*", true),
            ("iothub/sub/rg/hub/*a*a*a*", false),
            ("iothub/sub/rg/hub/team-b-*", false),
            ("iothub/sub/rg/hub/team-a", false),
            ("iothub/sub/rg/hub/root", false),
            ("iothub/sub/rg/hub/*team-a-root-*", false),
            ("iothub/*", false),
            ("*", false),
            ("iothub/sub/rg/hub/*/*", false),
            ("", false),
        ] {
            assert_eq!(target.is_covered_by(glob), covered, "{glob}");
        }
    }

    #[test]
    fn a_parent_is_all_but_the_last_segment() {
        assert_eq!(
            Target::new(["keyvault", "Vault-1", "name"]).parent(),
            Target::new(["keyvault", "vault-1"])
        );
        assert_eq!(Target::new([]).parent(), Target::new([]));
    }

    proptest! {
        #[test]
        fn a_text_is_covered_by_itself_with_any_parts_starred(text in "[a-c]{1,8}", from in 0usize..8, to in 0usize..8) {
            let (from, to) = (from.min(text.len()), to.min(text.len()));
            let (from, to) = (from.min(to), from.max(to));
            let glob = format!("{}*{}", &text[..from], &text[to..]);
            prop_assert!(Target::new([text.as_str()]).is_covered_by(&glob), "{glob}");
        }

        #[test]
        fn a_star_never_reaches_over_a_segment(one in "[a-c]{1,3}", two in "[a-c]{1,3}", glob in "[a-c*]{1,6}") {
            prop_assert!(!Target::new([one.as_str(), two.as_str()]).is_covered_by(&glob));
        }
    }
}
