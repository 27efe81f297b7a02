//! Which assertions a client trusts: its federated identity credentials, and the record that an assertion falls under.

use serde::{Deserialize, Serialize};

use super::assertion::Assertion;
use super::errors::Refusal;
use crate::jwk::KeySet;

/// `issuer`, `subject` and `audiences` are what a real one has. The keys a real issuer publishes; they stand here since
/// the emulator asks nobody.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FederatedCredential {
    #[serde(default)]
    pub(crate) name: String,
    issuer: String,
    subject: String,
    #[serde(default = "token_exchange")]
    audiences: Vec<String>,
    pub(crate) keys: KeySet,
}

fn token_exchange() -> Vec<String> {
    vec!["api://AzureADTokenExchange".to_owned()]
}

/// The record with the assertion's issuer, subject and audience, each compared to the letter; the first of the three
/// that no record has is the one that is complained of.
pub(super) fn matching<'a>(
    credentials: &'a [FederatedCredential],
    assertion: &Assertion,
) -> Result<&'a FederatedCredential, Refusal> {
    let Assertion { issuer, subject, audiences, .. } = assertion;
    let of_issuer: Vec<_> = credentials.iter().filter(|record| record.issuer == *issuer).collect();
    if of_issuer.is_empty() {
        return Err(Refusal::no_matching_issuer(issuer));
    }
    let of_subject: Vec<_> = of_issuer.iter().copied().filter(|record| record.subject == *subject).collect();
    if of_subject.is_empty() {
        let but_for_case = of_issuer.iter().any(|record| record.subject.eq_ignore_ascii_case(subject));
        return Err(match but_for_case {
            true => Refusal::subject_in_other_case(subject),
            false => Refusal::no_matching_subject(subject),
        });
    }
    let trusts = |record: &FederatedCredential| audiences.iter().any(|one| record.audiences.contains(one));
    let found = of_subject.into_iter().find(|record| trusts(record));
    found.ok_or_else(|| Refusal::no_matching_audience(&audiences.join(", ")))
}
