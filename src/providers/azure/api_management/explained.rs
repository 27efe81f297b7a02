//! What people are shown of a certificate in an API Management service. Pure, but for the listing of the service.

use serde_json::{Value, json};

use super::super::{permissions, resource};
use super::next::{Desired, Observed, Remote, Step};
use super::{ApiManagement, DELETE, READ, REFRESH, WRITE};
use crate::api::api_management::ApiManagementCertificate;
use crate::engine::error::CloudError;
use crate::engine::explained::{Explained, Lacking, Row, Stocked, may_remove, needed};

impl Explained for ApiManagement {
    fn permissions(root: &ApiManagementCertificate) -> Vec<&'static str> {
        let writes = root.spec.common.may_write();
        needed([
            (READ, true),
            (WRITE, writes),
            (DELETE, may_remove(root)),
            (REFRESH, writes && root.spec.key_vault.is_some()),
        ])
    }

    async fn lacking(&self, needed: &[&'static str]) -> Result<Lacking, CloudError> {
        permissions::lacking(self.session.arm(), &self.collection, needed).await
    }

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

    const PARENT: &'static str =
        "/subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ApiManagement/service/NAME";

    fn parent(text: &str) -> Option<Value> {
        let [subscription, group, name] = resource(text, "Microsoft.ApiManagement", "service")?;
        Some(json!({
            "apiManagement": { "subscriptionId": subscription, "resourceGroup": group, "serviceName": name },
        }))
    }

    fn source(secret: &str) -> Value {
        json!({ "source": { "secretRef": { "name": secret } } })
    }

    async fn stock(&self, only: Option<&str>) -> Result<Vec<Stocked>, CloudError> {
        let listing = self.list().await?;
        let stocked = listing.all().into_iter().map(|(name, it)| Stocked {
            name: name.to_owned(),
            label: None,
            spec: spec(name, it),
            told: it.map(told).unwrap_or_default(),
        });
        Ok(stocked.filter(|it| it.is(only)).collect())
    }
}

/// What comes from a vault needs no source.
fn spec(name: &str, it: Option<&Remote>) -> Value {
    let mut spec = json!({ "certificateId": name });
    if let Some(reference) = it.and_then(|it| it.vault.as_ref()) {
        spec["keyVault"] = json!({ "secretIdentifier": reference.identifier });
        if let Some(identity) = &reference.identity {
            spec["keyVault"]["identityClientId"] = identity.as_str().into();
        }
        spec["source"] = Value::Null;
    }
    spec
}

fn told(it: &Remote) -> Vec<String> {
    let expires = it.not_after.map(|it| format!("expires {it}"));
    [it.subject.clone(), format!("SHA-1 {}", it.thumbprint)].into_iter().chain(expires).collect()
}
