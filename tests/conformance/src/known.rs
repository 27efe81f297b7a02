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
pub const KNOWN: &[Known] = &[
    Known {
        case: "IotHubCertificate/delete-created/cloud-Status(404)@2",
        says: "I5: the resource is gone",
        because: "a 404 that says nothing of the certificate is believed although the listing that follows shows the \
                  certificate: the resource goes, and what it made stays (I1)",
    },
    Known {
        case: "IotHubCertificate/delete-changed/cloud-Status(404)@2",
        says: "I5: the resource is gone",
        because: "the same: a deletion that must wait for somebody's decision is let through",
    },
    Known {
        case: "IotHubCertificate/adopt-identical/cloud-Status(404)@2",
        says: "I4: a write was tried",
        because: "the same: a certificate that is there is created once more, which the hub refuses",
    },
    Known {
        case: "IotHubCertificate/refuse-foreign/cloud-Status(404)@2",
        says: "I4: a write was tried",
        because: "the same, where a foreign certificate stands",
    },
];
