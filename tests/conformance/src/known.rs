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
pub const KNOWN: &[Known] = &[];
