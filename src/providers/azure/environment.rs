//! Azure's clouds: where each one's token authority and Resource Manager stand, and the scope to ask for.

use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::http::{BadEndpoint, Endpoint, Trust, TrustError};
use crate::source::account::{AzureEndpoints, AzureEnvironment};

/// (authority, Resource Manager, scope of Resource Manager). The scope is the audience without a slash at its end, and
/// `/.default`.
type Row = (&'static str, &'static str, &'static str);

const PUBLIC: Row = (
    "https://login.microsoftonline.com",
    "https://management.azure.com",
    "https://management.azure.com/.default",
);
const US_GOVERNMENT: Row = (
    "https://login.microsoftonline.us",
    "https://management.usgovcloudapi.net",
    "https://management.usgovcloudapi.net/.default",
);
const CHINA: Row = (
    "https://login.chinacloudapi.cn",
    "https://management.chinacloudapi.cn",
    "https://management.chinacloudapi.cn/.default",
);

/// One cloud's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Where tokens are issued.
    pub authority: Endpoint,
    /// Where Resource Manager answers.
    pub resource_manager: Endpoint,
    /// What to ask the authority for.
    pub resource_manager_scope: String,
    /// Where managed identity tokens are issued.
    pub instance_metadata: Endpoint,
}

impl Environment {
    /// The endpoints of an account's cloud.
    pub fn of(environment: &AzureEnvironment) -> Result<Self, CloudError> {
        match environment {
            AzureEnvironment::Public => Self::from_row(PUBLIC),
            AzureEnvironment::UsGovernment => Self::from_row(US_GOVERNMENT),
            AzureEnvironment::China => Self::from_row(CHINA),
            AzureEnvironment::Custom(AzureEndpoints {
                authority,
                resource_manager,
                resource_manager_scope,
                instance_metadata,
                ca_bundle: _,
            }) => {
                let mut own = Self::from_row((authority, resource_manager, resource_manager_scope))?;
                if let Some(text) = instance_metadata {
                    own.instance_metadata = Endpoint::parse(text)
                        .map_err(|why| misconfigured("instance metadata endpoint", why))?;
                }
                Ok(own)
            }
        }
    }

    fn from_row((authority, resource_manager, scope): (&str, &str, &str)) -> Result<Self, CloudError> {
        Ok(Self {
            authority: Endpoint::parse(authority).map_err(|why| misconfigured("authority", why))?,
            resource_manager: Endpoint::parse(resource_manager)
                .map_err(|why| misconfigured("Resource Manager endpoint", why))?,
            resource_manager_scope: scope_text(scope)?,
            instance_metadata: Endpoint::instance_metadata(),
        })
    }
}

/// Whom calls to this cloud trust.
pub(super) fn trust(environment: &AzureEnvironment) -> Result<Trust, CloudError> {
    match environment {
        AzureEnvironment::Public | AzureEnvironment::UsGovernment | AzureEnvironment::China => {
            Ok(Trust::clouds())
        }
        AzureEnvironment::Custom(endpoints) => {
            Trust::administrator(endpoints.ca_bundle.as_deref()).map_err(untrusted)
        }
    }
}

/// The error for a CA bundle that is none.
pub(super) fn untrusted(error: TrustError) -> CloudError {
    CloudError::new(
        Reason::EndpointMisconfigured,
        match error {
            TrustError::Bundle => {
                "The account's caBundle cannot be used: it must be PEM with 1 to 300 CA certificates. Correct it \
                 in the ClusterCloudAccount."
            }
            TrustError::NoRoots => {
                "The operator found no CA certificates to trust. Mount a bundle into its pod and name it in \
                 SSL_CERT_FILE."
            }
        },
    )
}

fn misconfigured(which: &str, why: BadEndpoint) -> CloudError {
    CloudError::new(
        Reason::EndpointMisconfigured,
        format!("The account's {which} {why}. Correct it in the ClusterCloudAccount."),
    )
}

/// A scope, with the characters that the token client accepts.
fn scope_text(text: &str) -> Result<String, CloudError> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'/');
    if (1..=256).contains(&text.len()) && text.bytes().all(fine) {
        return Ok(text.to_owned());
    }
    Err(CloudError::new(
        Reason::EndpointMisconfigured,
        "The account's Resource Manager scope must be 1 to 256 letters, digits or .-_:/, usually \
         https://<audience>/.default. Correct it in the ClusterCloudAccount.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn custom(authority: &str, resource_manager: &str, scope: &str) -> Result<Environment, CloudError> {
        Environment::of(&AzureEnvironment::Custom(AzureEndpoints {
            authority: authority.to_owned(),
            resource_manager: resource_manager.to_owned(),
            resource_manager_scope: scope.to_owned(),
            instance_metadata: None,
            ca_bundle: None,
        }))
    }

    #[test]
    fn each_cloud_has_its_own_endpoints() {
        for (cloud, authority, resource_manager) in [
            (AzureEnvironment::Public, "https://login.microsoftonline.com", "https://management.azure.com"),
            (
                AzureEnvironment::UsGovernment,
                "https://login.microsoftonline.us",
                "https://management.usgovcloudapi.net",
            ),
            (
                AzureEnvironment::China,
                "https://login.chinacloudapi.cn",
                "https://management.chinacloudapi.cn",
            ),
        ] {
            let found = Environment::of(&cloud).unwrap();
            assert_eq!(found.authority.to_string(), authority);
            assert_eq!(found.resource_manager.to_string(), resource_manager);
            assert_eq!(found.resource_manager_scope, format!("{resource_manager}/.default"));
        }
    }

    #[test]
    fn an_administrators_endpoints_are_origins() {
        let (authority, arm) = ("https://login.localhost:8443", "https://arm.localhost:8443");
        assert!(custom(authority, arm, "https://management.core.windows.net//.default").is_ok());
        for (authority, arm, scope) in [
            ("http://login.localhost", arm, "s"),
            (authority, "https://arm.localhost/path", "s"),
            (authority, "https://user@arm.localhost", "s"),
            (authority, arm, ""),
            (authority, arm, "a b"),
            (authority, arm, "a\r\nb"),
        ] {
            let refused = custom(authority, arm, scope).unwrap_err();
            assert_eq!(refused.reason, Reason::EndpointMisconfigured);
            assert!(refused.message.len() <= 256 && !refused.message.contains("localhost"), "{refused}");
        }
    }
}
