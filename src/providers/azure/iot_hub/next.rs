//! What the hub needs next. Pure: the tables in `tests` list the rows.

mod place;
mod step;

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use self::place::{Place, place};
pub use self::place::{Standing, beside, standing};
pub use self::step::{Step, Upload, Why};
use crate::api::certificate::{AdoptionPolicy, Origin, Retiring};
use crate::api::reason::{Invalid, Reason};
use crate::engine::{Goal, Next};
use crate::pki::{Certificate, Fingerprint, Thumbprint, VerificationCode};
use crate::providers::overlap;
use crate::providers::possession::Possession;

/// How long an upload without an answer may still take effect.
const LATE: SignedDuration = SignedDuration::from_mins(10);

/// As many can retire at a time: the status has room for no more.
const MOST_RETIRING: usize = 16;

/// When to look again for an upload that is not seen yet.
const LOOK: Duration = Duration::from_secs(30);

/// What the resource wants in the hub.
pub struct Desired {
    /// The CA certificate.
    pub certificate: Certificate,
    /// How the hub is to hold it as verified.
    pub verification: Verification,
    /// The name under which it stands beside a predecessor; without one it takes the predecessor's place.
    pub beside: Option<String>,
    /// How long a predecessor stays beside it.
    pub grace: Duration,
}

/// How the hub is to hold the certificate as verified.
pub enum Verification {
    /// Not at all.
    None,
    /// By proof of possession.
    Proof(Box<Possession>),
    /// By the upload's own word.
    Attested,
}

/// What the hub says under names of the resource's, and what our records hold of it.
#[derive(Clone)]
pub struct Observed {
    /// The certificates that were looked for and are there.
    pub there: Vec<HubCertificate>,
    /// Our records.
    pub held: Held,
    /// When this was read.
    pub now: Timestamp,
}

/// A certificate in the hub.
#[derive(Clone, Debug)]
pub struct HubCertificate {
    /// Its name.
    pub name: String,
    /// The hub's id of it.
    pub id: String,
    /// The tag that the next write has to carry; every write changes it, asking for a code too.
    pub etag: String,
    /// SHA-1 of the DER form.
    pub thumbprint: Thumbprint,
    /// SHA-256 of the DER form, where the hub shows the certificate itself.
    pub fingerprint: Option<Fingerprint>,
    /// Whether possession of its key has been proven.
    pub verified: bool,
    /// The code that a proof must name: only in the answer to the call that asks for one, or in our record of that
    /// answer while the tag is the same.
    pub code: Option<VerificationCode>,
}

/// What our records hold of the resource's certificates.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// The name that is current: the recorded one, else that of the spec.
    pub name: String,
    /// The name of the spec.
    pub plain: String,
    /// How we came to own what stands there, if we do.
    pub origin: Option<Origin>,
    /// The certificate that we last saw there as ours.
    pub thumbprint: Option<Thumbprint>,
    /// The write that we were about to make.
    pub intended: Option<Intended>,
    /// The code that was given to us, and the tag that came with it.
    pub code: Option<(VerificationCode, String)>,
    /// What stands beside the current one until its time is over.
    pub retiring: Vec<Retired>,
    /// What to do with a certificate that is not ours.
    pub adoption: AdoptionPolicy,
    /// Whether an adopted one stays when the resource goes.
    pub keeps_adopted: bool,
}

/// A write that we were about to make.
#[derive(Clone, Copy, Debug)]
pub struct Intended {
    /// Of which certificate.
    pub thumbprint: Thumbprint,
    /// What with it.
    pub what: Intention,
    /// When that was recorded.
    pub since: Timestamp,
}

/// What was about to be done with a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intention {
    /// To put it under the name that was current.
    Put,
    /// To put it beside the one that was.
    PutBeside,
    /// To take it away again.
    Discard,
}

/// A record of a certificate whose place another has taken.
#[derive(Clone, Debug)]
pub struct Retired {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub thumbprint: Thumbprint,
    /// The record itself.
    pub entry: Retiring,
}

impl Held {
    /// Whether the current certificate was there before us, and is to stay.
    fn keeps_current(&self) -> bool {
        self.origin == Some(Origin::Adopted) && self.keeps_adopted
    }
}

impl Observed {
    /// What stands under that name.
    pub fn under(&self, name: &str) -> Option<&HubCertificate> {
        self.there.iter().find(|it| it.name == name)
    }

    /// What stands under the current name.
    pub fn current(&self) -> Option<&HubCertificate> {
        self.under(&self.held.name)
    }

    /// The same, when an answer showed a certificate as it is now.
    #[must_use]
    pub fn with(mut self, it: HubCertificate) -> Self {
        self.there.retain(|before| before.name != it.name);
        self.there.push(it);
        self
    }

    /// The recorded code is good while the current certificate's tag is the one that came with it.
    pub fn recall_code(&mut self) {
        let Held { name, code: Some((code, etag)), .. } = &self.held else { return };
        let mut current = self.there.iter_mut().filter(|it| it.name == *name && it.etag == *etag);
        if let Some(it) = current.next() {
            it.code = Some(code.clone());
        }
    }

    /// How we own a certificate: by record, by the intent to write just this, or not yet.
    pub fn origin(&self, it: &HubCertificate) -> Option<Origin> {
        let recorded = if it.name == self.held.name {
            self.held.origin
        } else {
            self.retires(it).map(|_| Origin::Created)
        };
        recorded.or(self.intends(it).then_some(Origin::Created))
    }

    /// Whether we last saw it as ours under the current name, or were about to write it.
    fn knows(&self, it: &HubCertificate) -> bool {
        self.held.thumbprint == Some(it.thumbprint) || self.intends(it)
    }

    fn intends(&self, it: &HubCertificate) -> bool {
        self.held.intended.is_some_and(|intent| intent.thumbprint == it.thumbprint)
    }

    /// The record by which it retires. Under that name may stand something else by now, which does not.
    fn retires(&self, it: &HubCertificate) -> Option<&Retiring> {
        let mut records = self.held.retiring.iter().filter(|_| it.name != self.held.name);
        records.find(|old| old.name == it.name && old.thumbprint == it.thumbprint).map(|old| &old.entry)
    }

    /// What retires, each with its record.
    fn retiring(&self) -> impl Iterator<Item = (&HubCertificate, &Retiring)> {
        self.there.iter().filter_map(|it| Some((it, self.retires(it)?)))
    }

    /// The records that are still needed. One that was not found may yet be: until its time is over.
    fn kept(&self) -> impl Iterator<Item = &Retiring> {
        let records = self.held.retiring.iter().filter(|old| old.name != self.held.name);
        let is_kept = |old: &&Retired| match self.under(&old.name) {
            Some(it) => self.retires(it).is_some(),
            None => !overlap::is_due(&old.entry, self.now),
        };
        records.filter(is_kept).map(|old| &old.entry)
    }

    /// Those whose time is over.
    fn due(&self) -> impl Iterator<Item = &HubCertificate> {
        self.retiring().filter(|(_, entry)| overlap::is_due(entry, self.now)).map(|(it, _)| it)
    }

    /// What was put beside the current one, and is recorded nowhere but in the intent to do so.
    fn strays(&self) -> impl Iterator<Item = &HubCertificate> {
        let looks = self.held.intended.is_some_and(|it| it.what != Intention::Put);
        self.there.iter().filter(move |it| {
            looks && it.name != self.held.name && self.retires(it).is_none() && self.intends(it)
        })
    }

    /// The certificate that was put beside the current one by our records, if none of those read is it: the hub's
    /// listing tells where it is.
    pub fn unseen(&self) -> Option<Thumbprint> {
        let intent = self.held.intended.filter(|it| it.what != Intention::Put)?;
        self.there.iter().all(|it| it.thumbprint != intent.thumbprint).then_some(intent.thumbprint)
    }
}

/// The next call, if one is needed.
pub fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
    match goal {
        Goal::Absent => remove(observed),
        Goal::Present(want) => {
            let place = place(want, observed);
            outdated(want, &place, observed).unwrap_or_else(|| match place {
                Place::Taken(it) => bring(want, it, observed),
                Place::Free { beside: true, .. } if observed.kept().count() >= MOST_RETIRING => {
                    crowded(observed)
                }
                Place::Free { name, beside } => Next::Step(Step::Create {
                    name: name.to_owned(),
                    upload: upload(want),
                    beside: beside.then(|| observed.held.name.clone()),
                }),
            })
        }
    }
}

/// What an earlier source left behind: it goes before anything else is recorded, and where it may yet come, that is
/// waited for.
fn outdated(want: &Desired, place: &Place<'_>, observed: &Observed) -> Option<Next<Step>> {
    let leftovers = observed.strays().chain(never_served(observed).filter(|_| want.beside.is_some()));
    if let Some(it) = leftovers.into_iter().find(|it| !place.is_at(it)) {
        return Some(delete(it, Why::Outdated));
    }
    let intent = observed.held.intended.filter(|it| it.what == Intention::PutBeside)?;
    let is_repeated = matches!(place, Place::Free { beside: true, .. })
        && intent.thumbprint == want.certificate.sha1_thumbprint();
    let end = intent.since.checked_add(LATE).unwrap_or(Timestamp::MAX);
    let waits = observed.unseen().is_some() && !is_repeated && observed.now < end;
    waits.then(|| Next::Wait {
        reason: Reason::Updating,
        message: "the upload of an earlier certificate got no answer and is not seen: it is waited for until it can no \
                  longer come"
            .to_owned(),
        wait: LOOK,
        serves: false,
    })
}

/// The current certificate, if it took its predecessor's place in our records and never its work: devices still go by
/// the predecessor.
fn never_served(observed: &Observed) -> Option<&HubCertificate> {
    let waits = observed.held.retiring.iter().any(|old| old.entry.until.is_none());
    observed.current().filter(|it| waits && !it.verified && observed.knows(it))
}

/// From what stands there to the wanted certificate, verified, with nobody beside it whose time is over.
fn bring(want: &Desired, it: &HubCertificate, observed: &Observed) -> Next<Step> {
    let policy = observed.held.adoption;
    match observed.origin(it) {
        None if !may_adopt(policy, want, it) => foreign(policy, it),
        _ if !is_same(want, it) => replace(want, it),
        _ if !it.verified && !matches!(want.verification, Verification::None) => verify(want, it, observed),
        _ => {
            // One that devices go by stays while the successor is not verified.
            let may_go = |old: &&HubCertificate| old.name != it.name && (it.verified || !old.verified);
            let due = observed.due().find(may_go);
            due.map_or(Next::Done, |old| delete(old, Why::Retired))
        }
    }
}

/// There is no room for another successor before one of the predecessors has gone.
fn crowded(observed: &Observed) -> Next<Step> {
    if let Some(old) = observed.due().next() {
        return delete(old, Why::Retired);
    }
    let first = observed.kept().filter_map(|entry| entry.until).min();
    let wait = first.and_then(|it| Duration::try_from(it.duration_since(observed.now)).ok());
    Next::Wait {
        reason: Reason::Updating,
        message: format!(
            "{MOST_RETIRING} predecessors retire, and there is room for no more: the new certificate is uploaded when one \
             of them has gone"
        ),
        wait: wait.unwrap_or(LOOK).max(LOOK),
        serves: false,
    }
}

fn upload(want: &Desired) -> Upload {
    let attested = matches!(want.verification, Verification::Attested);
    Upload { certificate: want.certificate.clone(), attested }
}

fn replace(want: &Desired, it: &HubCertificate) -> Next<Step> {
    Next::Step(Step::Replace { name: it.name.clone(), upload: upload(want), etag: it.etag.clone() })
}

fn delete(it: &HubCertificate, why: Why) -> Next<Step> {
    let HubCertificate { name, etag, thumbprint, .. } = it;
    Next::Step(Step::Delete { name: name.clone(), etag: etag.clone(), thumbprint: *thumbprint, why })
}

/// By SHA-256 where the hub shows the certificate, so that a SHA-1 twin is noticed.
fn is_same(want: &Desired, it: &HubCertificate) -> bool {
    it.thumbprint == want.certificate.sha1_thumbprint()
        && it.fingerprint.is_none_or(|shown| shown == want.certificate.sha256_fingerprint())
}

fn may_adopt(policy: AdoptionPolicy, want: &Desired, it: &HubCertificate) -> bool {
    match policy {
        AdoptionPolicy::Never => false,
        AdoptionPolicy::IfIdentical => is_same(want, it),
        AdoptionPolicy::Always => true,
    }
}

fn foreign(policy: AdoptionPolicy, it: &HubCertificate) -> Next<Step> {
    let (which, wanted) = match policy {
        AdoptionPolicy::Never => ("a certificate", "'IfIdentical' or 'Always'"),
        AdoptionPolicy::IfIdentical | AdoptionPolicy::Always => ("another certificate", "'Always'"),
    };
    Next::Stuck {
        reason: Reason::NotOwned,
        message: format!(
            "the hub holds {which} under `{}`, which this object did not create: choose another \
             `spec.certificateName`, or set `spec.adoptionPolicy` to {wanted} to take it over",
            it.name
        ),
    }
}

fn verify(want: &Desired, it: &HubCertificate, observed: &Observed) -> Next<Step> {
    let HubCertificate { name, etag, thumbprint, .. } = it;
    let (name, etag, thumbprint) = (name.clone(), etag.clone(), *thumbprint);
    match (&want.verification, &it.code) {
        (Verification::None, _) => Next::Done,
        (Verification::Attested, _) => replace(want, it),
        (Verification::Proof(_), None) => {
            Next::Step(Step::RequestCode { name, etag, thumbprint, observed: Box::new(observed.clone()) })
        }
        (Verification::Proof(possession), Some(code)) => match possession.proof(&want.certificate, code) {
            Ok(proof) => Next::Step(Step::Verify { name, etag, thumbprint, proof }),
            Err(Invalid { reason, message }) => Next::Await { reason, message },
        },
    }
}

/// All that is ours goes, one after the other. Only what we wrote or took over, and last saw or were about to write, is
/// deleted.
fn remove(observed: &Observed) -> Next<Step> {
    let stays = observed.held.keeps_current();
    let ours = observed.current().filter(|it| observed.origin(it).is_some() && !stays);
    if let Some(it) = ours {
        let may = observed.knows(it) || observed.held.adoption == AdoptionPolicy::Always;
        return if may { delete(it, Why::Removal) } else { changed() };
    }
    let retiring = observed.retiring().next().map(|(it, _)| it);
    retiring.or_else(|| observed.strays().next()).map_or(Next::Done, |it| delete(it, Why::Removal))
}

fn changed() -> Next<Step> {
    Next::Stuck {
        reason: Reason::DeletionBlocked,
        message: "the hub holds another certificate under this name than the one last seen: delete it there, or set \
                  `spec.deletionPolicy` to 'Retain' to leave it"
            .to_owned(),
    }
}

#[cfg(test)]
mod tests;
