//! The same of accounts for Huawei Cloud.

use kube::ResourceExt;
use zeroize::Zeroizing;

use super::{Found, key_missing, text};
use crate::api::huawei_cloud::{AccessKeySecretRef, ClusterHuaweiCloud, HuaweiAuth};
use crate::api::reason::{Invalid, Reason};
use crate::source::account::{Cloud, HuaweiAccount, HuaweiEndpoints, HuaweiEnvironment, HuaweiKeys};
use crate::source::cluster::{Cluster, FetchError, FetchedAccount};
use crate::source::expiry::Expiry;
use crate::source::{Fetched, Reference};

/// The longest access key id that fits a header beside its signature. Those seen have 20 characters.
const LONGEST_ID: usize = 128;

/// The Secret that the keys are in.
pub(super) fn reference(auth: &HuaweiAuth) -> Reference {
    Reference::secret(&auth.access_key.secret_ref.name)
}

/// Where an account of the cluster goes.
pub(super) fn environment(huawei: &ClusterHuaweiCloud) -> HuaweiEnvironment {
    let Some(endpoints) = &huawei.endpoints else { return HuaweiEnvironment::Public };
    HuaweiEnvironment::Custom(HuaweiEndpoints {
        iotda: endpoints.iotda.clone(),
        iotda_instance: endpoints.iotda_instance.clone(),
        iam: endpoints.iam.clone(),
        signing: endpoints.signing.unwrap_or_default(),
        ca_bundle: huawei.ca_bundle.clone(),
    })
}

impl Cluster {
    pub(super) async fn huawei<K: ResourceExt>(
        &self,
        found: Found<'_, K>,
        environment: HuaweiEnvironment,
        auth: &HuaweiAuth,
    ) -> Result<FetchedAccount, FetchError> {
        let named = &auth.access_key.secret_ref;
        let read = self.account_secret(&found, &named.name).await?;
        let keys = keys(&found.display, named, &read)?;
        let expiry = Expiry::beside(&named.name, &read, keys.security_token.is_some());
        let cloud = Cloud::Huawei(Box::new(HuaweiAccount { environment, keys }));
        Ok(found.with(cloud, read.versions, expiry))
    }
}

fn keys(display: &str, named: &AccessKeySecretRef, read: &Fetched) -> Result<HuaweiKeys, Invalid> {
    let name = &named.name;
    let required =
        |key: &str, what: &str| text(read, name, key).ok_or_else(|| key_missing(display, name, key, what));
    let access_key_id = required(named.access_key_id_key(), "the access key's id (AK)")?;
    let secret = required(named.secret_access_key_key(), "the secret access key (SK)")?;
    let token_key = named.security_token_key();
    let security_token = match &named.security_token_key {
        Some(key) => Some(required(key, "the security token")?),
        None => text(read, name, token_key),
    };
    // It stands in a header between commas and an equals sign.
    if access_key_id.len() > LONGEST_ID
        || !access_key_id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    {
        return Err(unfit(display, name, named.access_key_id_key()));
    }
    let prints = |it: &Zeroizing<String>| it.bytes().all(|b| b.is_ascii_graphic());
    if security_token.as_ref().is_some_and(|it| !prints(it)) {
        return Err(unfit(display, name, token_key));
    }
    Ok(HuaweiKeys { access_key_id: access_key_id.to_string(), secret, security_token })
}

fn unfit(display: &str, name: &str, key: &str) -> Invalid {
    Invalid::new(
        Reason::AuthenticationFailed,
        format!(
            "{display}: what Secret `{name}` has under `{key}` has characters that no such key has: check it"
        ),
    )
}
