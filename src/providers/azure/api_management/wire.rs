//! What goes over the wire. Every member of an answer may be missing or odd; what cannot be read is unknown.

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// The body of an upload: a file, or a reference to a vault.
#[derive(Serialize)]
pub(super) struct Upload {
    properties: UploadProperties,
}

#[derive(Serialize)]
#[serde(untagged)]
enum UploadProperties {
    File {
        data: Zeroizing<String>,
        password: Zeroizing<String>,
    },
    #[serde(rename_all = "camelCase")]
    Vault {
        key_vault: VaultReference,
    },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct VaultReference {
    secret_identifier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    identity_client_id: Option<String>,
}

impl Upload {
    /// A PKCS#12 file in base64.
    pub(super) fn file(data: Zeroizing<String>, password: Zeroizing<String>) -> Self {
        Self { properties: UploadProperties::File { data, password } }
    }

    /// A reference; without an identity the service's own is meant.
    pub(super) fn vault(secret_identifier: String, identity_client_id: Option<String>) -> Self {
        let key_vault = VaultReference { secret_identifier, identity_client_id };
        Self { properties: UploadProperties::Vault { key_vault } }
    }
}

/// A certificate as the service describes it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Contract {
    pub(super) name: Option<String>,
    pub(super) properties: Properties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Properties {
    pub(super) subject: Option<String>,
    pub(super) thumbprint: Option<String>,
    pub(super) expiration_date: Option<String>,
    pub(super) key_vault: Option<KeyVault>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct KeyVault {
    pub(super) secret_identifier: Option<String>,
    pub(super) identity_client_id: Option<String>,
    pub(super) last_status: Option<LastStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct LastStatus {
    code: Option<String>,
}

impl LastStatus {
    /// The code, if it is a word that may be shown.
    pub(super) fn code(&self) -> Option<&str> {
        let fine = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-');
        self.code.as_deref().filter(|it| (1..=64).contains(&it.len()) && it.bytes().all(fine))
    }
}

/// A page of the certificates of a service.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    pub(super) value: Vec<Contract>,
    #[serde(default)]
    next_link: Option<String>,
}

impl Page {
    /// Whether there are more; what the link names is not followed.
    pub(super) fn is_last(&self) -> bool {
        self.next_link.as_deref().is_none_or(str::is_empty)
    }
}
