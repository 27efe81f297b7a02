//! Azure's clouds: where each one's token authority and Resource Manager stand, and the scope to ask for.

use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::http::Endpoint;
use crate::providers::clients::misconfigured;
use crate::source::account::{AzureEndpoints, AzureEnvironment};

/// Endpoints and scopes as texts. A scope is an audience without a slash at its end, and `/.default`.
struct Row<'a> {
    authority: &'a str,
    resource_manager: &'a str,
    resource_manager_scope: &'a str,
    /// With `{vault}` for a vault's name.
    key_vault: Option<&'a str>,
    key_vault_scope: &'a str,
}

const PUBLIC: Row<'_> = Row {
    authority: "https://login.microsoftonline.com",
    resource_manager: "https://management.azure.com",
    resource_manager_scope: "https://management.azure.com/.default",
    key_vault: Some("https://{vault}.vault.azure.net"),
    key_vault_scope: "https://vault.azure.net/.default",
};
const US_GOVERNMENT: Row<'_> = Row {
    authority: "https://login.microsoftonline.us",
    resource_manager: "https://management.usgovcloudapi.net",
    resource_manager_scope: "https://management.usgovcloudapi.net/.default",
    key_vault: Some("https://{vault}.vault.usgovcloudapi.net"),
    key_vault_scope: "https://vault.usgovcloudapi.net/.default",
};
const CHINA: Row<'_> = Row {
    authority: "https://login.chinacloudapi.cn",
    resource_manager: "https://management.chinacloudapi.cn",
    resource_manager_scope: "https://management.chinacloudapi.cn/.default",
    key_vault: Some("https://{vault}.vault.azure.cn"),
    key_vault_scope: "https://vault.azure.cn/.default",
};

/// One cloud's endpoints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Where tokens are issued.
    pub authority: Endpoint,
    /// Where Resource Manager answers.
    pub resource_manager: Endpoint,
    /// What to ask the authority for.
    pub resource_manager_scope: String,
    /// Where vaults answer, with `{vault}` for a vault's name, if the cloud has them.
    key_vault: Option<String>,
    /// What to ask the authority for where a vault is called.
    pub key_vault_scope: String,
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
                key_vault,
                key_vault_scope,
                instance_metadata,
                ca_bundle: _,
            }) => {
                let key_vault = key_vault.as_deref();
                let mut own = Self::from_row(Row {
                    authority,
                    resource_manager,
                    resource_manager_scope,
                    key_vault,
                    key_vault_scope,
                })?;
                if let Some(text) = instance_metadata {
                    own.instance_metadata = Endpoint::parse(text)
                        .map_err(|why| misconfigured("instance metadata endpoint", why))?;
                }
                Ok(own)
            }
        }
    }

    /// A vault's endpoint. The name alone comes from a resource, and is one label of a host name.
    pub fn vault(&self, name: &str) -> Result<Endpoint, CloudError> {
        let label = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if !(1..=63).contains(&name.len()) || !name.bytes().all(label) {
            return Err(CloudError::new(
                Reason::SpecInvalid,
                "`spec.vaultName` must be letters, digits and hyphens",
            ));
        }
        let template = self.key_vault.as_deref().ok_or_else(|| {
            CloudError::new(
                Reason::EndpointMisconfigured,
                "The account names no endpoint for key vaults: set `spec.azure.endpoints.keyVault`.",
            )
        })?;
        Endpoint::parse(&template.replace("{vault}", name))
            .map_err(|why| misconfigured("Key Vault endpoint", why))
    }

    /// Whether an address begins as a vault's: of any of the clouds, or of the account's own.
    pub fn is_in_a_vault(&self, address: &str) -> bool {
        let templates = [PUBLIC, US_GOVERNMENT, CHINA].map(|it| it.key_vault);
        templates.into_iter().flatten().chain(self.key_vault.as_deref()).any(|it| fits(it, address))
    }

    fn from_row(row: Row<'_>) -> Result<Self, CloudError> {
        let Row { authority, resource_manager, resource_manager_scope, key_vault, key_vault_scope } = row;
        Ok(Self {
            authority: Endpoint::parse(authority).map_err(|why| misconfigured("authority", why))?,
            resource_manager: Endpoint::parse(resource_manager)
                .map_err(|why| misconfigured("Resource Manager endpoint", why))?,
            resource_manager_scope: scope_text(resource_manager_scope, "Resource Manager")?,
            key_vault: key_vault.map(str::to_owned),
            key_vault_scope: scope_text(key_vault_scope, "Key Vault")?,
            instance_metadata: Endpoint::instance_metadata(),
        })
    }
}

/// Whether an address begins as a template says, with one label of a host name for `{vault}`.
fn fits(template: &str, address: &str) -> bool {
    let Some((before, after)) = template.split_once("{vault}") else { return false };
    let begins =
        |text: &str, with: &str| text.get(..with.len()).is_some_and(|it| it.eq_ignore_ascii_case(with));
    if !begins(address, before) {
        return false;
    }
    let rest = &address[before.len()..];
    let label = rest.find(|it: char| !it.is_ascii_alphanumeric() && it != '-').unwrap_or(rest.len());
    label > 0 && begins(&rest[label..], after) && rest[label + after.len()..].starts_with('/')
}

/// A scope, with the characters that the token client accepts.
fn scope_text(text: &str, which: &str) -> Result<String, CloudError> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'/');
    if (1..=256).contains(&text.len()) && text.bytes().all(fine) {
        return Ok(text.to_owned());
    }
    Err(CloudError::new(
        Reason::EndpointMisconfigured,
        format!(
            "The account's {which} scope must be 1 to 256 letters, digits or .-_:/, usually \
             https://<audience>/.default. Correct it in the ClusterCloudAccount."
        ),
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
            key_vault: Some("https://{vault}.vault.localhost:8443".to_owned()),
            key_vault_scope: "https://vault.azure.net/.default".to_owned(),
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
    fn a_vault_stands_where_the_cloud_says() {
        for (cloud, expected) in [
            (AzureEnvironment::Public, "https://web-1.vault.azure.net"),
            (AzureEnvironment::UsGovernment, "https://web-1.vault.usgovcloudapi.net"),
            (AzureEnvironment::China, "https://web-1.vault.azure.cn"),
        ] {
            assert_eq!(Environment::of(&cloud).unwrap().vault("web-1").unwrap().to_string(), expected);
        }
        let own = custom("https://login.localhost", "https://arm.localhost", "s").unwrap();
        assert_eq!(own.vault("web").unwrap().to_string(), "https://web.vault.localhost:8443");
        for name in ["", "a.b", "a/b", "a@b", "evil.example#", "a:1", "{vault}"] {
            assert_eq!(own.vault(name).unwrap_err().reason, Reason::SpecInvalid, "{name}");
        }
    }

    #[test]
    fn an_address_is_in_a_vault_of_some_cloud_or_of_the_accounts_own() {
        let own = custom("https://login.localhost", "https://arm.localhost", "s").unwrap();
        for (address, expected) in [
            ("https://web-1.vault.azure.net/secrets/web", true),
            ("https://WEB-1.Vault.azure.NET/secrets/web", true),
            ("https://web.vault.azure.cn/secrets/web/1", true),
            ("https://web.vault.localhost:8443/secrets/web", true),
            ("https://web.vault.localhost/secrets/web", false),
            ("https://vault.azure.net/secrets/web", false),
            ("https://a.b.vault.azure.net/secrets/web", false),
            ("https://web.vault.azure.net.evil.example/secrets/web", false),
            ("https://web.vault.azure.net:443/secrets/web", false),
            ("https://evil.example/secrets/web", false),
            ("", false),
        ] {
            assert_eq!(own.is_in_a_vault(address), expected, "{address}");
        }
        let public = Environment::of(&AzureEnvironment::Public).unwrap();
        assert!(!public.is_in_a_vault("https://web.vault.localhost:8443/secrets/web"));
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
