//! An IoTDA instance as tests see it: manifests for it, and what stands in it. Ids are the service's, so a certificate is
//! known by what it holds.

use anyhow::{Context, Result, anyhow, ensure};
use certferry::pki;
use certferry_rig::installation::Pair;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{SOON, World, thumbprint};

/// The instance of most tests, and its id.
pub const INSTANCE: &str = "iotda-1";
pub const INSTANCE_ID: &str = "55555555-5555-4555-8555-000000000001";

/// The emulated account and its only user are called the same.
const USER: &str = "certferry";
const PASSWORD: &str = "example-password-of-the-emulator";

pub const PROJECT: &str = "0123456789abcdef0123456789abcdef";
pub const TEMPLATE: &str = "61c970ce2d63eb6ee655dbf0";
pub const OTHER_TEMPLATE: &str = "61c970ce2d63eb6ee655dbf1";

/// A certificate in an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub id: String,
    pub thumbprint: String,
    pub verified: bool,
    /// Calls that changed it.
    pub writes: u64,
    /// Whether somebody else put it there.
    pub planted: bool,
    pub settings: Value,
}

impl Stored {
    fn of(shown: &Value) -> Result<Self> {
        let content = shown["content"].as_str().context("it holds nothing")?;
        let certificates = pki::certificates(content.as_bytes()).map_err(|why| anyhow!("{why}"))?;
        Ok(Self {
            id: shown["id"].as_str().context("it has no id")?.to_owned(),
            thumbprint: certificates.first().context("no certificate")?.sha1_thumbprint().to_string(),
            verified: shown["status"] == true,
            writes: shown["writes"].as_u64().unwrap_or(0),
            planted: shown["name"].is_string(),
            settings: shown["settings"].clone(),
        })
    }
}

impl World {
    /// A world with an account of Huawei Cloud, whose calls are signed in the way of instances.
    pub async fn of_instances(name: &str) -> Result<Self> {
        let world = Self::start(&format!("iotda-{name}")).await?.about("iotdacertificate");
        world.signs("Derived").await?;
        Ok(world)
    }

    /// The name of the account of Huawei Cloud.
    pub fn huawei(&self) -> String {
        huawei(&self.namespace)
    }

    /// Makes the account sign like that.
    pub async fn signs(&self, signing: &str) -> Result<()> {
        let urls = &self.emulator.urls;
        self.cluster.emulated_huawei_account(&self.huawei(), &self.namespace, urls, signing).await
    }

    /// The host of an instance.
    pub fn host(&self, instance: &str) -> String {
        let url = self.emulator.urls.iotda.replace("{instance}", instance);
        url.trim_start_matches("https://").split(':').next().unwrap_or_default().to_owned()
    }

    /// A certificate in the instance, from the Secret `ca`, with these members of the spec. A member that is null goes.
    pub fn in_instance(&self, name: &str, members: Value) -> String {
        let mut spec = json!({
            "accountRef": { "kind": "ClusterCloudAccount", "name": self.huawei() },
            "iotda": { "region": "cn-north-4", "projectId": PROJECT, "host": self.host(INSTANCE) },
            "source": { "secretRef": { "name": "ca" } },
            "verification": { "proofOfPossession": {} },
            "resyncInterval": "1m",
        });
        for (member, value) in members.as_object().into_iter().flatten() {
            spec[member] = value.clone();
        }
        if let Some(spec) = spec.as_object_mut() {
            spec.retain(|_, value| !value.is_null());
        }
        json!({
            "apiVersion": "certferry.dev/v1alpha1", "kind": "IotdaCertificate", "metadata": { "name": name },
            "spec": spec,
        })
        .to_string()
    }

    /// A certificate in the instance that is Ready.
    pub async fn uploaded(&self, pair: &Pair, members: Value) -> Result<()> {
        self.tls_secret("ca", pair).await?;
        self.apply(&self.in_instance("devices", members)).await?;
        self.ready("devices").await
    }

    /// All that stands in an instance, oldest first.
    pub async fn all_in(&self, instance: &str) -> Result<Vec<Stored>> {
        let shown = self.emulator.control_get(&format!("instances/{instance}/certificates")).await?;
        shown.as_array().context("no list")?.iter().map(Stored::of).collect()
    }

    /// The only one in the instance.
    pub async fn only_in(&self, instance: &str) -> Result<Stored> {
        let all = self.all_in(instance).await?;
        let [one] = all.as_slice() else { anyhow::bail!("{instance} holds {all:?}") };
        Ok(one.clone())
    }

    /// The instance comes to hold just these, each verified.
    pub async fn holds(&self, pairs: &[&Pair]) -> Result<()> {
        let expected: Vec<_> = pairs.iter().map(|it| thumbprint(it)).collect();
        eventually(SOON, "the instance's certificates, verified", async || {
            let all = self.all_in(INSTANCE).await?;
            let held: Vec<_> = all.iter().map(|it| it.thumbprint.clone()).collect();
            ensure!(held == expected && all.iter().all(|it| it.verified), "{all:?}");
            Ok(())
        })
        .await
    }

    /// The only certificate comes to have these settings.
    pub async fn settings_become(&self, expected: &Value) -> Result<()> {
        eventually(SOON, "the settings", async || {
            let settings = self.only_in(INSTANCE).await?.settings;
            for (member, value) in expected.as_object().into_iter().flatten() {
                ensure!(settings[member] == *value, "{settings}");
            }
            Ok(())
        })
        .await
    }

    /// Puts a certificate there as somebody else.
    pub async fn plant(&self, pair: &Pair) -> Result<Stored> {
        let content = json!({ "content": pair.certificate, "name": "planted" });
        Stored::of(
            &self.emulator.control_post(&format!("instances/{INSTANCE}/certificates"), &content).await?,
        )
    }

    /// Changes the only certificate behind the operator's back.
    pub async fn tamper_instance(&self, method: Method, body: Option<&Value>) -> Result<()> {
        let path = format!("instances/{INSTANCE}/certificates/{}", self.only_in(INSTANCE).await?.id);
        self.emulator.control(method, &path, body).await.map(drop)
    }

    /// Sets some of the kind's switches.
    pub async fn switch(&self, switches: Value) -> Result<()> {
        let switches = json!({ "iotda": switches });
        self.emulator.control(Method::PATCH, "switches", Some(&switches)).await.map(drop)
    }

    /// The writes in the order in which they were made: `upload`, `verify`, …
    pub async fn written(&self) -> Result<Vec<String>> {
        Ok(self.written_to().await?.into_iter().map(|(call, _)| call).collect())
    }

    /// The same, each with the id of what it was made to; an upload's answer gives it first.
    pub async fn written_to(&self) -> Result<Vec<(String, String)>> {
        let requests = self.requests().await?;
        let writes = requests.iter().filter(|it| it["method"] != "GET");
        let write = |it: &Value| {
            let call = it["operation"].as_str()?.rsplit('.').next()?;
            let below = it["path"].as_str()?.split("/certificates/").nth(1).unwrap_or_default();
            Some((call.to_owned(), below.split('/').next().unwrap_or_default().to_owned()))
        };
        Ok(writes.filter_map(write).collect())
    }

    /// The emulator computed every signature anew, and refused none.
    pub async fn no_signature_was_refused(&self) -> Result<()> {
        let requests = self.requests().await?;
        let refused =
            requests.iter().find(|it| it["answer"]["applied"] == 401 || it["answer"]["sent"] == 401);
        ensure!(!requests.is_empty() && refused.is_none(), "{refused:?}");
        Ok(())
    }

    /// A temporary key of the account's user, as IAM hands it out for a password: id, secret and token.
    pub async fn temporary_key(&self) -> Result<[String; 3]> {
        let (client, iam) = (self.emulator.client()?, &self.emulator.urls.iam);
        let user = json!({ "name": USER, "password": PASSWORD, "domain": { "name": USER } });
        let identity = json!({ "methods": ["password"], "password": { "user": user } });
        let asked = client.post(format!("{iam}/v3/auth/tokens"));
        let answer = asked.json(&json!({ "auth": { "identity": identity } })).send().await?;
        let token = answer.headers().get("x-subject-token").context("no token")?.to_str()?.to_owned();
        let identity = json!({ "methods": ["token"], "token": { "id": token, "duration_seconds": 900 } });
        let asked = client.post(format!("{iam}/v3.0/OS-CREDENTIAL/securitytokens"));
        let answer = asked.json(&json!({ "auth": { "identity": identity } })).send().await?;
        let key = &answer.json::<Value>().await?["credential"];
        let part =
            |name: &str| anyhow::Ok(key[name].as_str().with_context(|| format!("no {name}"))?.to_owned());
        Ok([part("access")?, part("secret")?, part("securitytoken")?])
    }
}

/// The name of the account of Huawei Cloud for a namespace.
pub fn huawei(namespace: &str) -> String {
    format!("{namespace}-huawei")
}

/// What the service shows of [`all_settings`].
pub fn as_set() -> Value {
    json!({
        "provisionEnable": true, "templateId": TEMPLATE,
        "ocspEnable": true, "ocspSslEnable": true, "ocspServerCaId": OTHER_TEMPLATE,
    })
}

/// Self-registration by a template, and OCSP over TLS.
pub fn all_settings() -> Value {
    json!({
        "provisioning": { "enabled": true, "templateId": TEMPLATE },
        "ocsp": { "enabled": true, "ssl": { "serverCaId": OTHER_TEMPLATE } },
    })
}
