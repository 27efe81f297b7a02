//! Role assignments: which actions a principal may do at which scope.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RoleAssignment {
    /// `/`, a subscription, a group or a resource; what lies below is covered.
    pub(crate) scope: String,
    /// Such as `Microsoft.Devices/iotHubs/certificates/*`; `*` stands for any text.
    pub(crate) actions: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) not_actions: Vec<String>,
    /// Unix seconds from which on it works; absent: at once. Real assignments take minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) effective_from: Option<i64>,
}

impl RoleAssignment {
    pub(crate) fn allows(&self, action: &str, resource: &str, now: i64) -> bool {
        let names = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
        self.is_in_effect(resource, now) && names(&self.actions) && !names(&self.not_actions)
    }

    /// Whether it counts at that resource.
    pub(crate) fn is_in_effect(&self, resource: &str, now: i64) -> bool {
        self.effective_from.is_none_or(|from| from <= now) && covers(&self.scope, resource)
    }

    /// Whether it gives anything at or below `scope`: what makes a subscription visible in a list.
    pub(crate) fn touches(&self, scope: &str, now: i64) -> bool {
        self.effective_from.is_none_or(|from| from <= now)
            && (covers(&self.scope, scope) || covers(scope, &self.scope))
    }
}

/// Whether `resource` is `scope` or lies below it, segment by segment.
fn covers(scope: &str, resource: &str) -> bool {
    let mut inner = resource.split('/').filter(|part| !part.is_empty());
    let mut outer = scope.split('/').filter(|part| !part.is_empty());
    outer.all(|part| inner.next().is_some_and(|other| other.eq_ignore_ascii_case(part)))
}

/// A pattern in which `*` stands for any text, without regard to case.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let Some((first, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut left) = text.strip_prefix(first) else { return false };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return left.ends_with(part);
        }
        match left.find(part) {
            Some(at) => left = &left[at + part.len()..],
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "Microsoft.Devices/iotHubs/Read", true),
            ("*/read", "Microsoft.Devices/iotHubs/certificates/Read", true),
            ("*/read", "Microsoft.Devices/iotHubs/certificates/Write", false),
            ("Microsoft.Devices/*/certificates/*", "microsoft.devices/IotHubs/certificates/write", true),
            ("Microsoft.Devices/iotHubs", "Microsoft.Devices/iotHubs/Read", false),
            ("a*a", "a", false),
        ] {
            assert_eq!(matches(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_scope_covers_what_lies_below_it_and_no_neighbour() {
        assert!(covers("/", "/subscriptions/1"));
        assert!(covers(
            "/subscriptions/1/resourcegroups/RG",
            "/subscriptions/1/resourceGroups/rg/providers/x"
        ));
        assert!(!covers("/subscriptions/1/resourceGroups/rg", "/subscriptions/1/resourceGroups/rg2"));
        assert!(!covers("/subscriptions/1/resourceGroups/rg", "/subscriptions/1"));
    }

    #[test]
    fn not_actions_and_the_time_of_effect_take_away() {
        let mut role = RoleAssignment {
            scope: "/".into(),
            actions: vec!["*".into()],
            not_actions: vec!["*/delete".into()],
            effective_from: None,
        };
        assert!(role.allows("a/write", "/x", 0) && !role.allows("a/Delete", "/x", 0));
        role.effective_from = Some(10);
        assert!(!role.allows("a/write", "/x", 9) && role.allows("a/write", "/x", 10));
    }
}
