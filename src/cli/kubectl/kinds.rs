//! The kinds as people name them, and the objects of them.

use std::fmt;

use anyhow::{Result, bail};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, TypeMeta};
use kube::{Api, Client, ResourceExt};
use serde_json::Value;

use super::connection::{Connection, refused};
use crate::api::GROUP;
use crate::api::certificate::{CertificateStatus, CommonSpec};
use crate::cli::definitions;
use crate::providers::{self, Registered};

/// One of our kinds.
pub(super) struct Kind {
    pub(super) resource: ApiResource,
    pub(super) namespaced: bool,
    /// All by which it may be named, in lower case.
    names: Vec<String>,
    /// The provider, where it is a kind of certificate.
    pub(super) provider: Option<&'static dyn Registered>,
}

/// Every kind.
pub(super) fn all() -> Vec<Kind> {
    let providers = providers::all();
    let kind = |it: CustomResourceDefinition| {
        let (spec, given) = (it.spec.clone(), it.spec.names);
        let version = spec.versions.into_iter().find(|it| it.storage).map(|it| it.name).unwrap_or_default();
        let qualified = format!("{}.{GROUP}", given.plural);
        let mut names = vec![given.plural.clone(), given.kind.to_ascii_lowercase(), qualified];
        names.extend(given.short_names.into_iter().flatten());
        Kind {
            provider: providers.iter().copied().find(|it| it.kind() == given.kind),
            resource: ApiResource {
                group: GROUP.to_owned(),
                api_version: format!("{GROUP}/{version}"),
                version,
                kind: given.kind,
                plural: given.plural,
            },
            namespaced: spec.scope == "Namespaced",
            names,
        }
    };
    definitions().into_iter().map(kind).collect()
}

/// The kind of that name.
pub(super) fn named(text: &str) -> Result<Kind> {
    let wanted = text.to_ascii_lowercase();
    let mut kinds = all();
    match kinds.iter().position(|it| it.names.contains(&wanted)) {
        Some(at) => Ok(kinds.swap_remove(at)),
        None => {
            let known: Vec<_> = kinds.iter().map(|it| it.resource.plural.as_str()).collect();
            bail!("there is no kind `{text}`; there are {}", known.join(", "))
        }
    }
}

/// Kind and name of `TYPE/NAME` or `TYPE NAME`.
pub(super) fn subject(words: &[String]) -> Result<(Kind, String)> {
    let (kind, name) = match words {
        [word] => match word.split_once('/') {
            Some((kind, name)) => (kind, name),
            None => bail!("name the object: TYPE/NAME, such as iothubcertificate/factory-root"),
        },
        [kind, name] => (kind.as_str(), name.as_str()),
        _ => bail!("name one object: TYPE/NAME, such as iothubcertificate/factory-root"),
    };
    if name.is_empty() {
        bail!("name the object: TYPE/NAME, such as iothubcertificate/factory-root");
    }
    Ok((named(kind)?, name.to_owned()))
}

impl Kind {
    /// Where objects of the kind stand.
    pub(super) fn api(&self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        if self.namespaced {
            Api::namespaced_with(client.clone(), namespace, &self.resource)
        } else {
            Api::all_with(client.clone(), &self.resource)
        }
    }

    /// The object of that name.
    pub(super) async fn get(&self, connection: &Connection, name: &str) -> Result<Object> {
        let api = self.api(&connection.client, &connection.namespace);
        match api.get_opt(name).await.map_err(refused)? {
            Some(found) => Ok(self.of(found)),
            None if self.namespaced => {
                bail!(
                    "{} `{name}` does not exist in namespace `{}`",
                    self.resource.kind,
                    connection.namespace
                )
            }
            None => bail!("{} `{name}` does not exist", self.resource.kind),
        }
    }

    /// All objects of the kind that may be listed: of the cluster, else of the namespace.
    pub(super) async fn list(&self, connection: &Connection) -> Result<Vec<Object>> {
        let everywhere = Api::<DynamicObject>::all_with(connection.client.clone(), &self.resource);
        let listed = match everywhere.list(&ListParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 403 && self.namespaced => {
                self.api(&connection.client, &connection.namespace).list(&ListParams::default()).await
            }
            listed => listed,
        };
        Ok(listed.map_err(refused)?.items.into_iter().map(|it| self.of(it)).collect())
    }

    /// An object of the kind, as it was read.
    pub(super) fn of(&self, mut raw: DynamicObject) -> Object {
        let (api_version, kind) = (self.resource.api_version.clone(), self.resource.kind.clone());
        raw.types = Some(TypeMeta { api_version, kind: kind.clone() });
        let member = |name: &str| raw.data.get(name).cloned().unwrap_or(Value::Null);
        Object {
            kind,
            status: serde_json::from_value(member("status")).unwrap_or_default(),
            common: serde_json::from_value(member("spec")).ok(),
            raw,
        }
    }

    /// The provider; accounts have none.
    pub(super) fn provider(&self) -> Result<&'static dyn Registered> {
        match self.provider {
            Some(provider) => Ok(provider),
            None => bail!("{} is a kind of account: name a certificate", self.resource.kind),
        }
    }
}

/// An object of ours, as far as every kind is the same.
pub(super) struct Object {
    pub(super) kind: String,
    pub(super) raw: DynamicObject,
    /// Empty where it cannot be read.
    pub(super) status: CertificateStatus,
    /// The spec's common part, where the object is a certificate.
    pub(super) common: Option<CommonSpec>,
}

impl Object {
    pub(super) fn name(&self) -> String {
        self.raw.name_any()
    }

    pub(super) fn namespace(&self) -> Option<String> {
        self.raw.namespace()
    }

    /// The object as it was read.
    pub(super) fn manifest(&self) -> Result<Value> {
        Ok(serde_json::to_value(&self.raw)?)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.namespace() {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name()),
            None => write!(f, "{} {}", self.kind, self.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_named_in_every_way_that_kubectl_takes() {
        for text in [
            "iothubcertificate",
            "IotHubCertificate",
            "iothubcertificates",
            "iothubcert",
            "iothubcertificates.certferry.dev",
        ] {
            assert_eq!(named(text).unwrap().resource.kind, "IotHubCertificate", "{text}");
        }
        let unknown = named("pods").err().unwrap().to_string();
        assert!(unknown.contains("`pods`") && unknown.contains("keyvaultcertificates"), "{unknown}");
    }

    #[test]
    fn an_object_is_named_with_a_slash_or_without() {
        let words = |it: &[&str]| it.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        for good in [words(&["iothubcert/a"]), words(&["iothubcert", "a"])] {
            assert_eq!(subject(&good).unwrap().1, "a");
        }
        for bad in [words(&["a"]), words(&["iothubcert/"]), words(&[]), words(&["iothubcert", "a", "b"])] {
            assert!(subject(&bad).is_err(), "{bad:?}");
        }
    }
}
