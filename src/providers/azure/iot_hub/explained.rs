//! What people are shown of a certificate in a hub. Pure.

use super::next::{Desired, HubCertificate, Observed, Step, Verification, standing};
use super::{CODE, DELETE, IotHub, READ, VERIFY, WRITE};
use crate::engine::explained::{Explained, Row};

impl Explained for IotHub {
    const PERMISSIONS: &'static [&'static str] = &[READ, WRITE, DELETE, CODE, VERIFY];

    fn compared(want: &Desired, observed: &Observed) -> Vec<Row> {
        let it = standing(want, observed).map(|it| it.certificate).or(observed.current());
        let shown = |of: fn(&HubCertificate) -> String| it.map(of);
        let thumbprint = want.certificate.sha1_thumbprint();
        let mut rows = vec![Row::new("SHA-1 thumbprint", thumbprint, shown(|it| it.thumbprint.to_string()))];
        if let Some(fingerprint) = it.and_then(|it| it.fingerprint) {
            rows.push(Row::new(
                "SHA-256 fingerprint",
                want.certificate.sha256_fingerprint(),
                Some(fingerprint),
            ));
        }
        rows.push(match want.verification {
            Verification::None => Row::told("verified", it.is_some_and(|it| it.verified)),
            Verification::Proof(_) | Verification::Attested => {
                Row::new("verified", true, it.map(|it| it.verified))
            }
        });
        rows
    }

    fn follows(want: &Desired, step: &Step) -> Vec<&'static str> {
        match (step, &want.verification) {
            (Step::Create { .. } | Step::Replace { .. }, Verification::Proof(_)) => {
                vec!["RequestCode", "Verify"]
            }
            (Step::RequestCode { .. }, _) => vec!["Verify"],
            (Step::Create { .. } | Step::Replace { .. } | Step::Verify { .. } | Step::Delete { .. }, _) => {
                Vec::new()
            }
        }
    }
}
