//! The api-versions, and what each knows.

use crate::request::{Answer, Request};

use super::errors;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(usize);

const NAMES: [&str; 9] = ["7.0", "7.1", "7.2", "7.3", "7.4", "7.5", "7.6", "2025-07-01", "2026-04-01"];

impl Version {
    /// 7.1: the days for which a deleted object can be recovered, and the levels that go with it.
    pub(super) const WITH_RECOVERABLE_DAYS: Self = Self(1);
    /// 2025-07-01: URIs and addresses as alternative names.
    pub(super) const WITH_URIS: Self = Self(7);

    pub(super) const NEWEST: Self = Self(8);

    /// Exactly one, always.
    pub(super) fn of(request: &Request) -> Result<Self, Answer> {
        let named = request.query_values("api-version");
        let [one] = named.as_slice() else {
            return Err(errors::bad_parameter("api-version must be specified"));
        };
        let known = NAMES.iter().position(|it| it == one);
        known.map(Self).ok_or_else(|| errors::bad_parameter("The api-version is not known."))
    }

    pub(super) fn name(self) -> &'static str {
        NAMES[self.0]
    }
}
