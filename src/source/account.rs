//! An account as its resource and its Secret say it, ready to sign in with.

use zeroize::Zeroizing;

use super::assertion::Assertion;
use super::target::Target;
use crate::api::huawei_cloud::HuaweiSigning;
use crate::api::reason::{Invalid, Reason};

/// A resolved account: the resource checked and parsed, its Secret read.
pub struct Account {
    /// Which account this is; also the key under which its credential is shared.
    pub id: AccountId,
    /// The cloud it signs in to.
    pub cloud: Cloud,
    /// Globs over what resources may be pointed at through it; all unless set.
    pub allowed_targets: Option<Vec<String>>,
}

impl Account {
    /// Whether a resource may be pointed there through this account.
    pub fn allows(&self, target: &Target) -> bool {
        self.allowed_targets.as_ref().is_none_or(|globs| globs.iter().any(|glob| target.is_covered_by(glob)))
    }

    /// The same, with what to do where it may not.
    pub fn must_allow(&self, target: &Target) -> Result<(), Invalid> {
        if self.allows(target) {
            return Ok(());
        }
        let display = &self.id.display;
        let message = format!("`spec.allowedTargets` of {display} does not cover `{target}`: add it there");
        Err(Invalid::new(Reason::AccountNotAllowed, message))
    }

    /// Sign-in to Azure, if that is its cloud.
    pub fn azure(&self) -> Result<&AzureAccount, Invalid> {
        match &self.cloud {
            Cloud::Azure(account) => Ok(account),
            Cloud::Huawei(_) => Err(self.is_for("Huawei Cloud", "spec.azure")),
        }
    }

    /// Access to Huawei Cloud, if that is its cloud.
    pub fn huawei(&self) -> Result<&HuaweiAccount, Invalid> {
        match &self.cloud {
            Cloud::Huawei(account) => Ok(account),
            Cloud::Azure(_) => Err(self.is_for("Azure", "spec.huaweiCloud")),
        }
    }

    fn is_for(&self, cloud: &str, wanted: &str) -> Invalid {
        let display = &self.id.display;
        let message = format!("{display} is for {cloud}: name one with `{wanted}` in `spec.accountRef`");
        Invalid::new(Reason::SpecInvalid, message)
    }
}

/// The identity of an account object. A recreated account has another `uid`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AccountId {
    /// `CloudAccount default/azure` or `ClusterCloudAccount azure`, for messages.
    pub display: String,
    /// The object's uid.
    pub uid: String,
}

/// How to sign in, by cloud.
pub enum Cloud {
    /// Microsoft Entra and the Azure services.
    Azure(Box<AzureAccount>),
    /// Huawei Cloud.
    Huawei(Box<HuaweiAccount>),
}

impl Cloud {
    /// Which cloud it is: names in one are not names in another.
    pub fn name(&self) -> String {
        match self {
            Self::Azure(account) => account.environment.name(),
            Self::Huawei(account) => account.environment.name(),
        }
    }
}

/// Sign-in to Azure.
pub struct AzureAccount {
    /// Which of Azure's clouds.
    pub environment: AzureEnvironment,
    /// The Entra tenant, a UUID.
    pub tenant_id: String,
    /// The identity to sign in as.
    pub identity: AzureIdentity,
}

/// One of Azure's clouds, or an administrator's own endpoints.
pub enum AzureEnvironment {
    /// The public cloud.
    Public,
    /// Azure Government.
    UsGovernment,
    /// Azure operated by 21Vianet.
    China,
    /// Endpoints that stand in a ClusterCloudAccount; only these may be loopback or private names.
    Custom(AzureEndpoints),
}

impl AzureEnvironment {
    /// What tells this cloud from the others.
    pub fn name(&self) -> String {
        match self {
            Self::Public => "azure".to_owned(),
            Self::UsGovernment => "azure-us-government".to_owned(),
            Self::China => "azure-china".to_owned(),
            Self::Custom(AzureEndpoints { resource_manager, .. }) => {
                format!("azure at {}", resource_manager.trim_end_matches('/'))
            }
        }
    }

    /// The audience that Entra wants in a Kubernetes token that is exchanged there.
    pub fn exchange_audience(&self) -> &'static str {
        match self {
            Self::Public | Self::Custom(_) => "api://AzureADTokenExchange",
            Self::UsGovernment => "api://AzureADTokenExchangeUSGov",
            Self::China => "api://AzureADTokenExchangeChina",
        }
    }
}

/// Endpoints of a custom cloud.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct AzureEndpoints {
    /// Base URL of the Entra authority, `https://host[:port]`.
    pub authority: String,
    /// Base URL of Azure Resource Manager, `https://host[:port]`.
    pub resource_manager: String,
    /// Scope to ask of the authority for Resource Manager.
    pub resource_manager_scope: String,
    /// Base URL of vaults, with `{vault}` for a vault's name.
    pub key_vault: Option<String>,
    /// Scope to ask of the authority for key vaults.
    pub key_vault_scope: String,
    /// Base URL of what answers in place of the instance metadata service, `https://host[:port]`.
    pub instance_metadata: Option<String>,
    /// Further CA certificates (PEM) that these endpoints' certificates may chain to.
    pub ca_bundle: Option<String>,
}

/// How the account proves who it is.
pub enum AzureIdentity {
    /// An application with a client secret.
    ClientSecret {
        /// The application (client) id, a UUID.
        client_id: String,
        /// The secret's value.
        secret: Zeroizing<String>,
    },
    /// An application, or a user-assigned identity, that trusts a Kubernetes ServiceAccount.
    Federated {
        /// The application (client) id, a UUID.
        client_id: String,
        /// The ServiceAccount's token.
        assertion: Assertion,
    },
    /// The identity that Azure gave to the machine that the operator runs on.
    Managed {
        /// The client id of a user-assigned one.
        client_id: Option<String>,
    },
}

/// Access to Huawei Cloud.
pub struct HuaweiAccount {
    /// Huawei Cloud itself, or an administrator's own endpoints.
    pub environment: HuaweiEnvironment,
    /// What requests are signed with.
    pub keys: HuaweiKeys,
}

/// Huawei Cloud, or an administrator's own endpoints.
pub enum HuaweiEnvironment {
    /// Huawei Cloud, in all its regions.
    Public,
    /// Endpoints that stand in a ClusterCloudAccount; only these may be loopback or private names.
    Custom(HuaweiEndpoints),
}

impl HuaweiEnvironment {
    /// What tells this cloud from the others.
    pub fn name(&self) -> String {
        match self {
            Self::Public => "huawei".to_owned(),
            Self::Custom(HuaweiEndpoints { iotda, .. }) => {
                format!("huawei at {}", iotda.trim_end_matches('/'))
            }
        }
    }
}

/// Endpoints in place of Huawei Cloud's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HuaweiEndpoints {
    /// Base URL of IoTDA's shared host, `https://host[:port]`.
    pub iotda: String,
    /// Base URL of IoTDA's instances, with `{instance}` for the first label of the host.
    pub iotda_instance: Option<String>,
    /// Base URL of IAM, `https://host[:port]`.
    pub iam: Option<String>,
    /// Which signature the IoTDA hosts take.
    pub signing: HuaweiSigning,
    /// Further CA certificates (PEM) that these endpoints' certificates may chain to.
    pub ca_bundle: Option<String>,
}

/// An access key and what goes with it.
pub struct HuaweiKeys {
    /// The access key's id (AK): sent with every request.
    pub access_key_id: String,
    /// The secret access key (SK): what requests are signed with, and never sent.
    pub secret: Zeroizing<String>,
    /// What requests with temporary keys carry.
    pub security_token: Option<Zeroizing<String>>,
}
