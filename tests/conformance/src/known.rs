//! What the suite has found and the operator does not do right yet. A case that fails and is not listed here fails the
//! suite; an entry that nothing fails by any more is told, and is to be removed.

/// A failure that is known.
pub struct Known {
    /// Stands in the name of each case that it is about.
    pub case: &'static str,
    /// Stands in what the case says.
    pub says: &'static str,
    /// What is wrong.
    pub because: &'static str,
}

/// All of them.
pub const KNOWN: &[Known] = &[Known {
    case: "",
    says: "I4: removed what somebody else had uploaded after an upload of the same",
    because: "IoTDA: an upload that was outdated when it was seen is removed, and its record stays open until the next \
              one; the same certificate, uploaded by somebody else within that time, counts as what it made",
}];
