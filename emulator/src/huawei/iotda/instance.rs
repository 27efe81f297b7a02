//! An IoTDA instance and the certificates in it. Plain data, part of the world.

use openssl::nid::Nid;
use openssl::x509::X509;
use serde::{Deserialize, Serialize};

use crate::certificate;
use crate::random;
use crate::world::World;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Instance {
    /// What the header Instance-Id names.
    pub(crate) id: String,
    /// The first label of its host.
    pub(crate) name: String,
    pub(crate) edition: Edition,
    pub(crate) region: String,
    pub(crate) project_id: String,
    /// Resource spaces; the first is the default.
    #[serde(default)]
    pub(crate) apps: Vec<String>,
    /// Ids of self-registration templates.
    #[serde(default)]
    pub(crate) templates: Vec<String>,
    /// Most certificates that it takes.
    #[serde(default = "hundred")]
    pub(crate) quota: usize,
    /// Newest last.
    #[serde(default)]
    pub(crate) certificates: Vec<Stored>,
    /// The last id given out: the next is higher, also when the clock was set back or the certificate is gone.
    #[serde(default)]
    pub(crate) last_id: String,
}

const fn hundred() -> usize {
    100
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Edition {
    Basic,
    Standard,
    Enterprise,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Stored {
    /// 24 hex digits that rise with time.
    pub(crate) id: String,
    pub(crate) app_id: String,
    #[serde(default)]
    pub(crate) name: Option<String>,
    pub(crate) content: Content,
    /// Whether it is verified.
    #[serde(default)]
    pub(crate) status: bool,
    pub(crate) verify_code: String,
    /// Unix seconds.
    #[serde(default)]
    pub(crate) code_issued: i64,
    /// Unix seconds.
    #[serde(default)]
    pub(crate) created: i64,
    #[serde(default)]
    pub(crate) settings: Settings,
    /// How often calls changed it.
    #[serde(default)]
    pub(crate) writes: u64,
}

/// What a PUT sets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Settings {
    pub(crate) provision_enable: Option<bool>,
    pub(crate) template_id: Option<String>,
    pub(crate) ocsp_enable: Option<bool>,
    pub(crate) ocsp_ssl_enable: Option<bool>,
    pub(crate) ocsp_server_ca_id: Option<String>,
}

/// A certificate as it was sent, which reads.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct Content {
    pub(crate) sent: String,
    pub(crate) x509: X509,
}

impl TryFrom<String> for Content {
    type Error = &'static str;

    fn try_from(sent: String) -> Result<Self, Self::Error> {
        let x509 = certificate::from_pem(sent.as_bytes()).map_err(|why| why.why())?;
        Ok(Self { sent, x509 })
    }
}

impl From<Content> for String {
    fn from(content: Content) -> Self {
        content.sent
    }
}

impl Content {
    pub(super) fn is_same_as(&self, other: &Self) -> bool {
        matches!((self.x509.to_der(), other.x509.to_der()), (Ok(ours), Ok(theirs)) if ours == theirs)
    }

    /// The common name; of several the first.
    pub(crate) fn common_name(&self) -> Option<String> {
        common_names(&self.x509).into_iter().next()
    }
}

pub(super) fn common_names(of: &X509) -> Vec<String> {
    let entries = of.subject_name().entries_by_nid(Nid::COMMONNAME);
    entries.filter_map(|entry| entry.data().to_string().ok()).collect()
}

impl Stored {
    /// Unverified, with a code of its own, and nothing set.
    pub(crate) fn new(id: String, app_id: String, content: Content, now: i64) -> Self {
        Self {
            id,
            app_id,
            name: None,
            content,
            status: false,
            verify_code: random::guid(),
            code_issued: now,
            created: now,
            settings: Settings::default(),
            writes: 0,
        }
    }
}

impl Instance {
    pub(crate) fn certificate(&mut self, id: &str) -> Option<&mut Stored> {
        self.certificates.iter_mut().find(|stored| stored.id == id)
    }

    /// Seconds first, as in the ids that the document prints, and then chance.
    pub(crate) fn next_id(&mut self, now: i64) -> String {
        let [a, b, c, d, e, f, g, h] = random::bytes::<8>();
        let by_time = (u128::try_from(now).unwrap_or(0) & 0xffff_ffff) << 64
            | u128::from(u64::from_be_bytes([a, b, c, d, e, f, g, h]));
        let last = self.certificates.iter().map(|stored| stored.id.as_str()).chain([self.last_id.as_str()]);
        let last = last.filter_map(|id| u128::from_str_radix(id, 16).ok()).max().unwrap_or(0);
        self.last_id = format!("{:024x}", by_time.max(last + 1));
        self.last_id.clone()
    }
}

impl World {
    /// By name or id.
    pub(crate) fn instance_mut(&mut self, name: &str) -> Option<&mut Instance> {
        self.instances.iter_mut().find(|instance| instance.name == name || instance.id == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_rise_whatever_the_clock_does() {
        let mut instance = World::seeded().instances.remove(0);
        let ids: Vec<_> = [100, 100, 101, 7, 102].map(|now| instance.next_id(now)).into();
        assert!(ids.is_sorted_by(|one, next| one < next), "{ids:?}");
        assert!(ids.iter().all(|id| id.len() == 24), "{ids:?}");
    }
}
