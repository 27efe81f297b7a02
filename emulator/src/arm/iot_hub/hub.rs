//! What an IoT hub holds. Plain data, part of the world.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use openssl::x509::X509;
use serde::{Deserialize, Serialize};

use crate::certificate;
use crate::random;
use crate::switches::{EtagForm, NameComparison};
use crate::world::World;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Hub {
    /// Unique among all hubs, as it becomes a host name.
    pub(crate) name: String,
    pub(crate) subscription_id: String,
    pub(crate) resource_group: String,
    pub(crate) location: String,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    /// So many writes are still answered 409 IH409002, although GET says Active.
    #[serde(default)]
    pub(crate) busy_writes: u64,
    #[serde(default)]
    pub(crate) certificates: Certificates,
}

impl Hub {
    pub(crate) fn id(&self) -> String {
        let Self { subscription_id, resource_group, name, .. } = self;
        format!(
            "/subscriptions/{subscription_id}/resourceGroups/{resource_group}/providers/Microsoft.Devices/IotHubs/{name}"
        )
    }
}

/// The certificates of one hub by name.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(from = "Vec<Stored>", into = "Vec<Stored>")]
pub(crate) struct Certificates(BTreeMap<String, Stored>);

impl From<Vec<Stored>> for Certificates {
    fn from(all: Vec<Stored>) -> Self {
        Self(all.into_iter().map(|one| (one.name.clone(), one)).collect())
    }
}

impl From<Certificates> for Vec<Stored> {
    fn from(all: Certificates) -> Self {
        all.0.into_values().collect()
    }
}

impl Certificates {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Stored> {
        self.0.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Stored> {
        self.0.values_mut()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The name as it is stored.
    fn stored_name(&self, name: &str, comparison: NameComparison) -> Option<String> {
        if self.0.contains_key(name) {
            return Some(name.to_owned());
        }
        match comparison {
            NameComparison::Exact => None,
            NameComparison::CaseInsensitive => {
                self.0.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()
            }
        }
    }

    pub(crate) fn get_mut(&mut self, name: &str, comparison: NameComparison) -> Option<&mut Stored> {
        let name = self.stored_name(name, comparison)?;
        self.0.get_mut(&name)
    }

    pub(crate) fn remove(&mut self, name: &str, comparison: NameComparison) -> Option<Stored> {
        let name = self.stored_name(name, comparison)?;
        self.0.remove(&name)
    }

    pub(crate) fn insert(&mut self, stored: Stored) {
        self.0.insert(stored.name.clone(), stored);
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Stored {
    pub(crate) name: String,
    pub(crate) certificate: Content,
    /// Empty in a world file: one is given when it is loaded.
    #[serde(default)]
    pub(crate) etag: String,
    #[serde(default)]
    pub(crate) is_verified: bool,
    /// Unix seconds; 0 in a world file: the time of loading.
    #[serde(default)]
    pub(crate) created: i64,
    #[serde(default)]
    pub(crate) updated: i64,
    /// Verification codes that are still good, the newest last.
    #[serde(default)]
    pub(crate) codes: Vec<Code>,
    /// Successful calls that changed it, the code call included.
    #[serde(default)]
    pub(crate) writes: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Code {
    pub(crate) value: String,
    /// Unix seconds.
    pub(crate) issued: i64,
}

impl Code {
    /// 48 upper-case hex digits, as observed.
    pub(crate) fn new(issued: i64) -> Self {
        Self { value: crate::encoding::hex_upper(&random::bytes::<24>()), issued }
    }
}

/// A certificate as it was sent, and parsed.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Content {
    pub(crate) sent: String,
    pub(crate) x509: X509,
    pub(crate) thumbprint: String,
    pub(crate) common_name: String,
    /// Unix seconds.
    pub(crate) expiry: i64,
}

impl TryFrom<String> for Content {
    type Error = &'static str;

    fn try_from(sent: String) -> Result<Self, Self::Error> {
        let x509 = certificate::read(&sent).map_err(certificate::Unreadable::why)?;
        Ok(Self {
            thumbprint: certificate::thumbprint(&x509),
            common_name: certificate::common_name(&x509),
            expiry: certificate::expiry(&x509),
            sent,
            x509,
        })
    }
}

impl From<Content> for String {
    fn from(content: Content) -> Self {
        content.sent
    }
}

impl World {
    /// A hub by its name alone.
    pub(crate) fn hub_mut(&mut self, name: &str) -> Option<&mut Hub> {
        self.hubs.iter_mut().find(|hub| hub.name.eq_ignore_ascii_case(name))
    }

    /// An ETag that was never given before.
    pub(crate) fn next_etag(&mut self, now: i64) -> String {
        // Far apart from each other and not starting at zero, as the observed ones are.
        self.last_etag += 1;
        let number = 0x0C_4A87_CE2C + self.last_etag * 17;
        match self.switches.iot_hub.etag_form {
            EtagForm::EightBytes => BASE64.encode(number.to_be_bytes()),
            EtagForm::QuotedGuid => {
                let low = number & 0xffff_ffff;
                BASE64.encode(format!("\"{low:08x}-0000-0700-0000-{now:08x}0000\""))
            }
        }
    }

    /// Fills in what a world file may leave out.
    pub(crate) fn complete(&mut self, now: i64) {
        let mut hubs = std::mem::take(&mut self.hubs);
        for stored in hubs.iter_mut().flat_map(|hub| hub.certificates.iter_mut()) {
            if stored.etag.is_empty() {
                stored.etag = self.next_etag(now);
            }
            if stored.created == 0 {
                (stored.created, stored.updated) = (now, now);
            }
        }
        self.hubs = hubs;
    }
}
