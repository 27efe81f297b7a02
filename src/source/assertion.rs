//! The Kubernetes token that an account exchanges for one of its cloud's (workload identity federation).

use std::fmt;
use std::path::PathBuf;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::ServiceAccount as KubernetesServiceAccount;
use kube::api::PostParams;
use kube::{Api, Client};
use zeroize::Zeroizing;

use super::{ServiceAccount, status_code};
use crate::api::reason::{Invalid, Reason};

/// The shortest life that the API server gives; a token is exchanged as soon as it is there.
const LIFE_SECONDS: i64 = 600;

/// More than any token of a ServiceAccount has.
const LONGEST: usize = 16 * 1024;

/// Where the token comes from. It is read or asked for anew each time it is needed.
#[derive(Clone)]
pub enum Assertion {
    /// The operator's own, in a file that the kubelet renews.
    File(PathBuf),
    /// A ServiceAccount's.
    ServiceAccount {
        /// The API server.
        client: Client,
        /// The operator, where it asks: for the message that says whom to grant it.
        asks: Option<ServiceAccount>,
        /// The ServiceAccount.
        of: ServiceAccount,
        /// Whom the token is for.
        audience: &'static str,
    },
}

impl Assertion {
    /// A token.
    pub async fn token(&self) -> Result<Zeroizing<String>, Invalid> {
        match self {
            Self::File(path) => {
                let read = tokio::fs::read_to_string(path).await.map(Zeroizing::new);
                let text = read.ok().filter(|it| (1..=LONGEST).contains(&it.len())).ok_or_else(no_file)?;
                Ok(Zeroizing::new(text.trim().to_owned()))
            }
            Self::ServiceAccount { client, asks, of, audience } => {
                let api = Api::<KubernetesServiceAccount>::namespaced(client.clone(), &of.namespace);
                let spec = TokenRequestSpec {
                    audiences: Some(vec![(*audience).to_owned()]),
                    expiration_seconds: Some(LIFE_SECONDS),
                    ..TokenRequestSpec::default()
                };
                let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
                let answer = api.create_token_request(&of.name, &PostParams::default(), &request).await;
                let issued = answer.map_err(|error| not_issued(&error, asks.as_ref(), of))?;
                let token = issued.status.and_then(|it| it.token).unwrap_or_default();
                Ok(Zeroizing::new(token))
            }
        }
    }
}

/// Whose token it is: equal texts mean the same.
impl fmt::Display for Assertion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::ServiceAccount { of, audience, .. } => {
                write!(f, "ServiceAccount {}/{} for {audience}", of.namespace, of.name)
            }
        }
    }
}

/// Also when the operator was not given one: the path is then that of no file.
fn no_file() -> Invalid {
    Invalid::new(
        Reason::AuthenticationFailed,
        "the operator has no projected ServiceAccount token to exchange: install the chart with \
         `workloadIdentity.enabled`, or name a `serviceAccountRef` in the account",
    )
}

fn not_issued(error: &kube::Error, asks: Option<&ServiceAccount>, of: &ServiceAccount) -> Invalid {
    let ServiceAccount { namespace, name } = of;
    let whom = match asks {
        Some(operator) => format!("ServiceAccount `{}/{}`", operator.namespace, operator.name),
        None => "you".to_owned(),
    };
    match status_code(error) {
        Some(404) => Invalid::new(
            Reason::ReferenceNotFound,
            format!(
                "ServiceAccount `{name}` does not exist in namespace `{namespace}`: create it, or correct its name"
            ),
        ),
        Some(403) => Invalid::new(
            Reason::SourcesNotGranted,
            format!(
                "no token of ServiceAccount `{namespace}/{name}` may be asked for; grant `create` on \
                 `serviceaccounts/token` with that resource name to {whom} (the account page of the documentation has \
                 the Role)"
            ),
        ),
        _ => Invalid::new(
            Reason::CloudUnavailable,
            format!(
                "the API server issued no token of ServiceAccount `{namespace}/{name}`; it is asked again"
            ),
        ),
    }
}
