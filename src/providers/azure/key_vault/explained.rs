//! What people are shown of a certificate in a vault. Pure, but for the listing of the vault.

use serde_json::{Value, json};

use super::compare::{Repair, repair};
use super::observed::{Bundle, Observed, State};
use super::step::Step;
use super::wish::{Desired, Signer, Wish};
use super::{CREATE, DELETE, GET, GET_SECRET, IMPORT, KeyVault, LIST, PURGE, RECOVER, UPDATE, declared};
use crate::api::certificate::DeletionPolicy;
use crate::api::key_vault::{KeyVaultCertificate, OnSoftDeleted};
use crate::engine::error::CloudError;
use crate::engine::explained::{Explained, Row, Stocked, may_remove, needed};

impl Explained for KeyVault {
    fn permissions(root: &KeyVaultCertificate) -> Vec<&'static str> {
        let spec = &root.spec;
        let (writes, deletes) = (spec.common.may_write(), may_remove(root));
        let purges = spec.common.deletion_policy == Some(DeletionPolicy::Purge);
        let recovers = spec.on_soft_deleted.unwrap_or_default() == OnSoftDeleted::Recover;
        needed([
            (GET, true),
            (LIST, true),
            (CREATE, writes && spec.policy.is_some()),
            (IMPORT, writes && spec.import.is_some()),
            (UPDATE, writes),
            (DELETE, deletes),
            (RECOVER, writes && recovers),
            (PURGE, deletes && purges),
            (GET_SECRET, writes && spec.export_to.is_some()),
        ])
    }

    fn compared(want: &Desired, observed: &Observed) -> Vec<Row> {
        let it = match &observed.state {
            State::Missing => None,
            State::Deleted(_) => {
                return vec![Row::new("certificate", "there", Some("deleted, and recoverable"))];
            }
            State::Held(it) => Some(it.as_ref()),
        };
        let fingerprint = it.and_then(|it| it.certificate.as_ref()).map(|it| it.sha256_fingerprint());
        let mut rows = Vec::new();
        match (&want.wish, fingerprint) {
            (Wish::Import(imported), found) => {
                let wanted = imported.identity.leaf().sha256_fingerprint();
                rows.push(Row::new("SHA-256 fingerprint", wanted, found));
            }
            (Wish::Policy(_), Some(found)) => rows.push(Row::told("SHA-256 fingerprint", found)),
            (Wish::Policy(_), None) => {
                rows.push(Row::new("certificate", "issued by the policy", it.map(|_| "not issued yet")));
            }
        }
        rows.extend(want.enabled.map(|wanted| Row::new("enabled", wanted, it.and_then(|it| it.enabled))));
        rows.extend(it.and_then(|it| difference(want, it)));
        rows
    }

    fn follows(want: &Desired, step: &Step) -> Vec<&'static str> {
        let merges = matches!(&want.wish, Wish::Policy(it)
            if matches!(it.signer, Some(Signer::Ca(_) | Signer::CertManager(_))));
        match step {
            Step::Create(_) if merges => vec!["Merge"],
            Step::Delete { purge: true } => vec!["Purge"],
            Step::Create(_)
            | Step::Import(_)
            | Step::Merge(_)
            | Step::Update { .. }
            | Step::UpdatePolicy(_)
            | Step::DropOperation { .. }
            | Step::Recover
            | Step::Delete { purge: false }
            | Step::Purge => Vec::new(),
        }
    }

    const PARENT: &'static str = "VAULT or https://VAULT.vault.azure.net";

    fn parent(text: &str) -> Option<Value> {
        let host = text.strip_prefix("https://").map(|it| it.trim_end_matches('/'));
        let name = host.map_or(text, |it| it.split('.').next().unwrap_or_default());
        (!name.is_empty() && !name.contains('/')).then(|| json!({ "vaultName": name }))
    }

    fn source(secret: &str) -> Value {
        json!({ "import": { "secretRef": { "name": secret } } })
    }

    async fn stock(&self, only: Option<&str>) -> Result<Vec<Stocked>, CloudError> {
        let names = match only {
            Some(name) => vec![name.to_owned()],
            None => self.names().await?,
        };
        let mut stock = Vec::new();
        for name in names {
            let found = self.bundle(&["certificates", &name], false).await?;
            stock.extend(found.map(|it| stocked(name, &it)));
        }
        Ok(stock)
    }
}

fn stocked(name: String, it: &Bundle) -> Stocked {
    let certificate = it.certificate.as_ref();
    let told = certificate.map_or_else(
        || vec!["not issued yet".to_owned()],
        |it| vec![format!("SHA-256 {}", it.sha256_fingerprint()), format!("expires {}", it.not_after())],
    );
    let mut spec = json!({ "certificateName": name });
    if let Some(declared) = declared::spec(&it.policy) {
        spec["import"] = Value::Null;
        for (member, value) in declared.as_object().into_iter().flatten() {
            spec[member] = value.clone();
        }
    }
    Stocked { spec, name, label: None, told }
}

/// The first thing in which what was issued is not as wanted.
fn difference(want: &Desired, it: &Bundle) -> Option<Row> {
    Some(match repair(want, it, it.certificate.as_ref()?)? {
        Repair::NewVersion("import") => return None, // the fingerprint tells it
        Repair::NewVersion(field) => Row::by_spec(field, true),
        Repair::Policy(field) => Row::by_spec(format!("policy: {field}"), true),
        Repair::Version => Row::by_spec("tags and attributes", true),
    })
}
