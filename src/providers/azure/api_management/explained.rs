//! What people are shown of a certificate in an API Management service. Pure.

use super::next::{Desired, Observed, Remote, Step};
use super::{ApiManagement, DELETE, READ, REFRESH, WRITE};
use crate::engine::explained::{Explained, Row};

impl Explained for ApiManagement {
    const PERMISSIONS: &'static [&'static str] = &[READ, WRITE, DELETE, REFRESH];

    fn compared(want: &Desired, observed: &Observed) -> Vec<Row> {
        let it = observed.remote.as_ref();
        let thumbprint = |it: &Remote| it.thumbprint.to_string();
        let reference = it.and_then(|it| it.vault.as_ref());
        match want {
            Desired::File { identity, .. } => {
                let wanted = identity.leaf().sha1_thumbprint();
                let mut rows = vec![Row::new("SHA-1 thumbprint", wanted, it.map(thumbprint))];
                rows.extend(reference.map(|_| Row::new("comes from", "a file", Some("a key vault"))));
                rows
            }
            Desired::Vault(wish) => {
                let identifier = observed.identifier.clone().unwrap_or_default();
                let own = || "the service's own".to_owned();
                let identity = wish.identity.clone().unwrap_or_else(own);
                let found = reference.map(|it| it.identity.clone().unwrap_or_else(own));
                let newest = wish.newest.as_ref().map(|it| it.sha1_thumbprint.clone());
                vec![
                    Row::new("key vault secret", identifier, reference.map(|it| &it.identifier)),
                    Row::new("identity", identity, found),
                    match (newest, it) {
                        (Some(newest), it) => Row::new("SHA-1 thumbprint", newest, it.map(thumbprint)),
                        (None, Some(it)) => Row::told("SHA-1 thumbprint", it.thumbprint),
                        (None, None) => Row::told("SHA-1 thumbprint", "none"),
                    },
                ]
            }
        }
    }

    fn follows(_: &Desired, _: &Step) -> Vec<&'static str> {
        Vec::new()
    }
}
