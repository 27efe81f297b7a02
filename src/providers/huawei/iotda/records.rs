//! What our records hold of a resource's certificates in IoTDA. Pure.
//!
//! A status may be tampered with: what a certificate holds counts as well as its id.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::content::Content;
use super::next::CaCertificate;
use super::step::Step;
use crate::api::certificate::{
    AdoptionPolicy, CertificateResource, CertificateStatus, DeletionPolicy, Intent, Origin, Retiring,
};
use crate::api::iotda::IotdaCertificate;
use crate::pki::Fingerprint;

/// How long an upload without an answer may still take effect.
pub const LATE: SignedDuration = SignedDuration::from_mins(10);

/// How long what an answered upload made may not be seen yet.
const LAG: SignedDuration = SignedDuration::from_mins(1);

/// What our records hold.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The id of the present certificate, and how we came to own it.
    pub remote: Option<(String, Origin)>,
    /// What it held when it was last seen.
    pub fingerprint: Option<Fingerprint>,
    /// The upload that was about to be made.
    pub intended: Option<Intended>,
    /// What stands beside it until its time is over.
    pub retiring: Vec<Retiring>,
    /// What to do with an identical certificate that is not ours.
    pub adoption: AdoptionPolicy,
    /// Whether all that was listed stands in the resource's own space.
    pub in_one_space: bool,
    /// What the resource's deletion does to the present certificate; unless set, what was adopted stays.
    pub deletion: Option<DeletionPolicy>,
}

/// An upload that was about to be made, or to be taken back.
#[derive(Clone, Debug)]
pub struct Intended {
    /// Of what.
    pub content: Content,
    /// What it made.
    pub made: Made,
    /// When that was recorded.
    pub since: Timestamp,
}

/// What a recorded upload made.
#[derive(Clone, Debug)]
pub enum Made {
    /// None of these, which were there before: its answer did not come.
    NoneOf(Vec<String>),
    /// The certificate of this id, by its answer.
    This(String),
    /// The same, and it is taken back: nothing more comes of it.
    TakenBack(String),
}

/// What they hold.
pub fn held(root: &IotdaCertificate) -> Held {
    let empty = CertificateStatus::default();
    let status = root.status().unwrap_or(&empty);
    let certificate = status.remote.as_ref().and(status.certificate.as_ref());
    let fingerprint = certificate.and_then(|it| it.sha256_fingerprint.as_deref());
    Held {
        remote: status.remote.as_ref().map(|it| (it.id.clone(), it.origin)),
        fingerprint: fingerprint.and_then(|it| it.parse().ok()),
        intended: status.intent.as_ref().and_then(intended),
        retiring: status.retiring.clone(),
        adoption: root.spec.common.adoption_policy.unwrap_or_default(),
        in_one_space: root.spec.app_id.is_some(),
        deletion: root.spec.common.deletion_policy,
    }
}

fn intended(intent: &Intent) -> Option<Intended> {
    let made = match (intent.step.as_str(), intent.made.clone()) {
        (Step::UPLOAD, None) => Made::NoneOf(intent.known_ids.clone().unwrap_or_default()),
        (Step::UPLOAD, Some(id)) => Made::This(id),
        (Step::DISCARD, Some(id)) => Made::TakenBack(id),
        _ => return None,
    };
    Some(Intended { content: intent.content_hash.parse().ok()?, made, since: intent.start_time })
}

impl Held {
    /// Whether an identical certificate becomes ours. One that may stand in somebody else's space does not.
    pub fn adopts(&self) -> bool {
        self.adoption != AdoptionPolicy::Never && self.in_one_space
    }

    /// Whether the present certificate was there before us, and is to stay.
    pub fn keeps_the_adopted(&self) -> bool {
        self.remote.as_ref().is_some_and(|(_, origin)| *origin == Origin::Adopted) && self.deletion.is_none()
    }

    /// Whether this is still the certificate that our records name. A record may be tampered with: what it holds counts
    /// too, where it is shown.
    pub fn knows(&self, it: &CaCertificate) -> bool {
        self.remote.as_ref().is_some_and(|(id, _)| *id == it.id)
            && it.shown.fingerprint.is_none_or(|shown| self.fingerprint == Some(shown))
    }

    /// The record by which this one retires; what it holds counts too.
    pub fn retires(&self, it: &CaCertificate) -> Option<&Retiring> {
        let entry = self.retiring.iter().find(|entry| entry.id == it.id)?;
        entry.content_hash.parse::<Content>().is_ok_and(|of| of.is(&it.shown)).then_some(entry)
    }
}

impl Intended {
    /// How long it may still take effect unseen.
    pub fn left(&self, now: Timestamp) -> Option<Duration> {
        let most = match self.made {
            Made::NoneOf(_) => LATE,
            Made::This(_) => LAG,
            Made::TakenBack(_) => return None,
        };
        let end = self.since.checked_add(most).unwrap_or(Timestamp::MAX);
        Duration::try_from(end.duration_since(now)).ok().filter(|left| !left.is_zero())
    }

    /// The id that the upload gave, if its answer came.
    pub fn given(&self) -> Option<&str> {
        match &self.made {
            Made::This(id) | Made::TakenBack(id) => Some(id),
            Made::NoneOf(_) => None,
        }
    }

    /// Whether the upload may have given this id.
    pub fn may_have_given(&self, id: &str) -> bool {
        match &self.made {
            Made::NoneOf(known_ids) => known_ids.iter().all(|it| it != id),
            Made::This(made) | Made::TakenBack(made) => made == id,
        }
    }

    /// Whether this may be what the upload made.
    pub fn made(&self, it: &CaCertificate) -> bool {
        self.content.is(&it.shown) && self.may_have_given(&it.id)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const CONTENT: &str = "97388663832D0393C9246CAB4FBA2C8677185A2597388663832D0393C9246CAB-\
                           97388663832D0393C9246CAB4FBA2C86";

    fn of(intent: serde_json::Value) -> Option<Made> {
        let mut whole = json!({ "contentHash": CONTENT, "startTime": "2026-01-01T00:00:00Z" });
        whole.as_object_mut().unwrap().extend(intent.as_object().unwrap().clone());
        intended(&serde_json::from_value(whole).unwrap()).map(|it| it.made)
    }

    #[test]
    fn what_was_made_is_told_by_the_step_and_by_its_answer() {
        let known = json!({ "step": "Upload", "knownIds": ["aa"] });
        assert!(matches!(of(known), Some(Made::NoneOf(ids)) if ids == ["aa"]));
        assert!(matches!(of(json!({ "step": "Upload" })), Some(Made::NoneOf(ids)) if ids.is_empty()));
        let answered = json!({ "step": "Upload", "knownIds": ["aa"], "made": "bb" });
        assert!(matches!(of(answered), Some(Made::This(id)) if id == "bb"));
        assert!(
            matches!(of(json!({ "step": "Discard", "made": "bb" })), Some(Made::TakenBack(id)) if id == "bb")
        );
        for odd in [
            json!({ "step": "Discard" }),
            json!({ "step": "Verify" }),
            json!({ "step": "Upload", "contentHash": "aa" }),
        ] {
            assert!(of(odd.clone()).is_none(), "{odd}");
        }
    }
}
