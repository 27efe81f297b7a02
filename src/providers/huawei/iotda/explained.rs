//! What people are shown of a certificate in IoTDA. Pure.

use super::next::{Desired, Observed, standing};
use super::step::Step;
use super::{Iotda, Operation};
use crate::engine::explained::{Explained, Row};

impl Explained for Iotda {
    const PERMISSIONS: &'static [&'static str] = &[
        Operation::List.action(),
        Operation::Read.action(),
        Operation::Upload.action(),
        Operation::Verify.action(),
        Operation::Update.action(),
        Operation::Delete.action(),
    ];

    fn compared(want: &Desired, observed: &Observed) -> Vec<Row> {
        let it = standing(want, observed).map(|it| it.certificate).or(observed.current.as_ref());
        let wanted = want.certificate.sha256_fingerprint();
        let found = it.map(|it| match it.shown.fingerprint {
            Some(shown) => shown.to_string(),
            // Where the service shows name and dates alone, these are compared.
            None if want.content.is(&it.shown) => wanted.to_string(),
            None => "another certificate".to_owned(),
        });
        let mut rows = vec![Row::new("SHA-256 fingerprint", wanted, found)];
        rows.push(match want.possession {
            Some(_) => Row::new("verified", true, it.map(|it| it.verified)),
            None => Row::told("verified", it.is_some_and(|it| it.verified)),
        });
        let change = it.filter(|it| it.verified).and_then(|it| want.settings.change(&it.settings));
        rows.extend(change.into_iter().flatten().map(|(member, value)| {
            let mut row = Row::by_spec(member, true);
            row.wanted = Some(value.to_string());
            row
        }));
        rows
    }

    fn follows(want: &Desired, step: &Step) -> Vec<&'static str> {
        let manages = want.settings.provisioning.is_some() || want.settings.ocsp.is_some();
        let settings = manages.then_some("Update");
        match step {
            Step::Upload { .. } => {
                want.possession.as_ref().map(|_| "Verify").into_iter().chain(settings).collect()
            }
            Step::Verify { .. } => settings.into_iter().collect(),
            Step::Update { .. } | Step::Delete { .. } => Vec::new(),
        }
    }
}
