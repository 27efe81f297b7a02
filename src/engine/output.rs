//! What a resource keeps equal in its own namespace: an exported Secret, a question to cert-manager. Each belongs to the
//! resource by an owner reference; what others made is never overwritten.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::{Api, Client, ResourceExt};
use zeroize::Zeroizing;

use super::Output;
use super::halt::Halt;
use crate::api::FIELD_MANAGER;
use crate::api::certificate::CertificateResource;
use crate::api::reason::{Invalid, Reason};
use crate::source::cert_manager::{CertificateRequest, CertificateRequestSpec};
use crate::source::{Operator, exported, status_code};

/// Writes what has to be written.
pub(super) async fn deliver<R: CertificateResource>(
    client: &Client,
    operator: &Operator,
    root: &R,
    outputs: Vec<Output>,
) -> Result<(), Halt> {
    let place = Place { client, operator, root };
    for output in outputs {
        match output {
            Output::TlsSecret { name, certificates, private_key } => {
                place.secret(&name, certificates, private_key).await?;
            }
            Output::CertificateRequest { name, spec } => place.certificate_request(&name, spec).await?,
        }
    }
    Ok(())
}

/// Where the objects go, and who writes them for whom.
struct Place<'a, R> {
    client: &'a Client,
    operator: &'a Operator,
    root: &'a R,
}

impl<R: CertificateResource> Place<'_, R> {
    /// What others make or change between the look and the write stays theirs.
    async fn secret(
        &self,
        name: &str,
        certificates: String,
        private_key: Zeroizing<String>,
    ) -> Result<(), Halt> {
        let api = Api::<Secret>::namespaced(self.client.clone(), &self.namespace());
        let held = api.get_opt(name).await.map_err(|error| self.refused(error, "Secret", name))?;
        let content = (exported::CONTENT.to_owned(), exported::content(certificates.as_bytes()));
        let data = [("tls.crt", certificates.into_bytes()), ("tls.key", private_key.as_bytes().to_vec())];
        let mut secret = Secret {
            metadata: ObjectMeta { annotations: Some([content].into()), ..self.metadata(name) },
            type_: Some("kubernetes.io/tls".to_owned()),
            data: Some(data.map(|(key, value)| (key.to_owned(), ByteString(value))).into()),
            ..Secret::default()
        };
        let written = match held {
            None => api.create(&by_us(), &secret).await,
            Some(held) if !self.owns(&held) => {
                let message = format!(
                    "Secret `{name}` is there and was not made for this object: choose another \
                     `spec.exportTo.secretName`, or delete that Secret"
                );
                return Err(Invalid::new(Reason::NotOwned, message).into());
            }
            Some(held) => {
                secret.metadata.uid = held.uid();
                secret.metadata.resource_version = held.resource_version();
                api.patch(name, &PatchParams::apply(FIELD_MANAGER).force(), &Patch::Apply(&secret)).await
            }
        };
        written.map(drop).map_err(|error| self.refused(error, "Secret", name))
    }

    /// A request is fixed once it is made; another question takes the place of one that was asked before.
    async fn certificate_request(&self, name: &str, spec: CertificateRequestSpec) -> Result<(), Halt> {
        let api = Api::<CertificateRequest>::namespaced(self.client.clone(), &self.namespace());
        let refused = |error| self.refused(error, "CertificateRequest", name);
        let held = api.get_opt(name).await.map_err(refused)?;
        match held {
            Some(held) if !self.owns(&held) => {
                let message = format!(
                    "CertificateRequest `{name}` is there and was not made for this object: delete it, or give this \
                     object another name"
                );
                return Err(Invalid::new(Reason::NotOwned, message).into());
            }
            Some(held) if held.spec == spec && !held.is_refused() => return Ok(()),
            Some(held) => {
                let only = Preconditions { uid: held.uid(), resource_version: None };
                let params = DeleteParams { preconditions: Some(only), ..DeleteParams::default() };
                api.delete(name, &params).await.map_err(refused)?;
            }
            None => {}
        }
        let request = CertificateRequest { metadata: self.metadata(name), spec, status: None };
        api.create(&by_us(), &request).await.map(drop).map_err(|error| match status_code(&error) {
            Some(404) => Invalid::new(
                Reason::ReferenceNotFound,
                "the cluster does not know CertificateRequests: install cert-manager, or sign otherwise \
                 (`spec.signedBy`)",
            )
            .into(),
            _ => refused(error),
        })
    }

    fn namespace(&self) -> String {
        self.root.namespace().unwrap_or_default()
    }

    fn owns(&self, held: &impl ResourceExt) -> bool {
        let uid = self.root.uid();
        held.owner_references().iter().any(|it| Some(&it.uid) == uid.as_ref())
    }

    fn metadata(&self, name: &str) -> ObjectMeta {
        let label = ("app.kubernetes.io/managed-by".to_owned(), FIELD_MANAGER.to_owned());
        ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(self.namespace()),
            labels: Some([label].into()),
            owner_references: self.root.controller_owner_ref(&()).map(|it| vec![it]),
            ..ObjectMeta::default()
        }
    }

    /// What only somebody can mend is told; what changed meanwhile, or failed, is tried again.
    fn refused(&self, error: kube::Error, kind: &str, name: &str) -> Halt {
        let invalid = |reason, message: String| Halt::from(Invalid::new(reason, message));
        match status_code(&error) {
            Some(403) => {
                let grant = self.operator.grant("outputs", &self.namespace());
                let message = format!("{kind}s may not be written here; grant it: {grant}");
                invalid(Reason::OutputsNotGranted, message)
            }
            Some(404 | 409) => Halt::Outdated,
            Some(401 | 408 | 429) => error.into(),
            Some(status @ 400..=499) => {
                let message = format!(
                    "the API server refused {kind} `{name}` with status {status}: if it is there and cannot be \
                     changed, delete it; else see what the cluster's admission forbids"
                );
                invalid(Reason::SpecInvalid, message)
            }
            _ => error.into(),
        }
    }
}

fn by_us() -> PostParams {
    PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

#[cfg(test)]
mod tests;
