//! One account of Huawei Cloud: its projects, who may do what, and what was issued to whom. Plain data, part of the
//! world.

use serde::{Deserialize, Serialize};

use crate::jwk::KeySet;
use crate::roles::matches;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Account {
    /// 32 hex digits.
    pub(crate) id: String,
    /// IAM calls it the domain.
    pub(crate) name: String,
    pub(crate) projects: Vec<Project>,
    pub(crate) users: Vec<User>,
    pub(crate) agencies: Vec<Agency>,
    pub(crate) tokens: Vec<Token>,
    pub(crate) temporary_keys: Vec<TemporaryKey>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Project {
    /// 32 hex digits.
    pub(crate) id: String,
    /// The region's id; of a sub-project with a suffix.
    pub(crate) name: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) password: String,
    #[serde(default)]
    pub(crate) access_keys: Vec<AccessKey>,
    /// Such as `iotda:certificates:*`; none by default, as with every new user.
    #[serde(default)]
    pub(crate) actions: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct AccessKey {
    pub(crate) access: String,
    pub(crate) secret: String,
}

/// What a workload becomes that shows an id token of another issuer. The keys stand here since the emulator asks nobody.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Agency {
    pub(crate) name: String,
    pub(crate) urn: String,
    /// The identity provider, as the newer IAM calls it.
    pub(crate) provider_urn: String,
    /// The same, as the older one does.
    #[serde(default)]
    pub(crate) idp_id: String,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audience: String,
    #[serde(default)]
    pub(crate) keys: KeySet,
    #[serde(default)]
    pub(crate) actions: Vec<String>,
}

/// Whom a token or a temporary key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Holder {
    User(String),
    Agency(String),
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Token {
    pub(crate) value: String,
    pub(crate) holder: Holder,
    /// The id of the project that it is good for; without one, only IAM takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) project: Option<String>,
    pub(crate) expires: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct TemporaryKey {
    pub(crate) access: String,
    pub(crate) secret: String,
    pub(crate) security_token: String,
    pub(crate) holder: Holder,
    pub(crate) expires: i64,
}

impl Account {
    pub(crate) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// What the holder may do now; rights that were taken away are gone at once.
    pub(super) fn allows(&self, holder: &Holder, action: &str) -> bool {
        let actions = match holder {
            Holder::User(name) => self.user(name).map(|user| &user.actions),
            Holder::Agency(name) => {
                self.agencies.iter().find(|agency| agency.name == *name).map(|agency| &agency.actions)
            }
        };
        actions.into_iter().flatten().any(|pattern| matches(pattern, action))
    }

    /// All that was issued to this holder ends.
    pub(crate) fn revoke(&mut self, holder: &Holder) {
        self.tokens.retain(|token| token.holder != *holder);
        self.temporary_keys.retain(|key| key.holder != *holder);
    }

    /// All that was issued ends.
    pub(crate) fn revoke_all(&mut self) {
        self.tokens.clear();
        self.temporary_keys.clear();
    }
}
