//! What IoTDA needs next. Pure: the tables in `tests` list the rows.
//!
//! Ids come from the service, and content cannot be changed. So a certificate is ours by its recorded id, or because an
//! upload of just this content was recorded and its id is none of those that were there before. Another content is
//! another certificate, which stands beside the old one first.

use std::time::Duration;

use jiff::Timestamp;

use super::content::{Content, Shown};
use super::records::{Held, Intended, LATE, Made};
use super::settings::{Settings, ShownSettings};
use super::step::{Step, Why};
use crate::api::certificate::{Origin, Retiring};
use crate::api::reason::{Invalid, Reason};
use crate::engine::{Goal, Next};
use crate::pki::{Certificate, VerificationCode};
use crate::providers::overlap;
use crate::providers::possession::Possession;

/// The first wait for an upload that is not seen yet; each one after it is longer.
const LOOK: Duration = Duration::from_secs(30);

/// So many predecessors may stand at once: an instance has room for 100 certificates.
const MOST: usize = 8;

/// What the resource wants in IoTDA.
pub struct Desired {
    /// The CA certificate.
    pub certificate: Certificate,
    /// The same, as it is recognised.
    pub content: Content,
    /// Who proves possession of its key, where that is asked.
    pub possession: Option<Possession>,
    /// What is set on it.
    pub settings: Settings,
    /// How long its predecessor stays beside it.
    pub grace: Duration,
}

/// What IoTDA says, and what our records hold of it.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The certificate that our records name, if it is there.
    pub current: Option<CaCertificate>,
    /// Those of the retiring ones that are there.
    pub retiring: Vec<CaCertificate>,
    /// Others that hold what is wanted, or what was about to be uploaded.
    pub others: Vec<CaCertificate>,
    /// All ids that are there, if they were listed.
    pub ids: Vec<String>,
    /// Our records.
    pub held: Held,
    /// When this was read.
    pub now: Timestamp,
}

/// A certificate in IoTDA.
#[derive(Clone, Debug)]
pub struct CaCertificate {
    /// Its id.
    pub id: String,
    /// What it holds.
    pub shown: Shown,
    /// Whether possession of its key has been proven.
    pub verified: bool,
    /// The code that a proof has to name.
    pub code: Option<VerificationCode>,
    /// What is set on it.
    pub settings: ShownSettings,
}

impl Observed {
    /// The same, when the answer to an upload of this content showed what it made.
    #[must_use]
    pub fn with_made(mut self, it: CaCertificate, content: Content) -> Self {
        let made = Made::This(it.id.clone());
        self.held.intended = Some(Intended { content, made, since: self.now });
        self.ids.push(it.id.clone());
        self.others.push(it);
        self
    }

    /// The id of what an answer showed to have been made.
    pub fn made(&self) -> Option<&str> {
        match &self.held.intended.as_ref()?.made {
            Made::This(id) => Some(id),
            Made::NoneOf(_) | Made::TakenBack(_) => None,
        }
    }
}

/// The certificate that the resource is to go by, if it is there.
enum Place<'a> {
    /// It is, and ours in this way.
    Ours(&'a CaCertificate, Origin),
    /// It may become so: nothing is known of how it came.
    Foreign(&'a CaCertificate),
    /// Several are there.
    Several,
    /// It is not.
    Absent,
}

/// The next call, if one is needed.
pub fn next(goal: &Goal<Desired>, observed: &Observed) -> Next<Step> {
    let want = match goal {
        Goal::Absent => return remove(observed),
        Goal::Present(want) => want,
    };
    let outdated = observed.held.intended.as_ref().filter(|it| it.content != want.content);
    if let Some(next) = outdated.and_then(|intent| discard(intent, observed, Why::Outdated)) {
        return next;
    }
    match place(want, observed) {
        Place::Ours(it, _) => bring(want, it, observed),
        Place::Foreign(it) if observed.held.adopts() => bring(want, it, observed),
        Place::Foreign(it) => foreign(it, observed.held.in_one_space),
        Place::Several => several(),
        Place::Absent => upload(want, observed),
    }
}

/// How the wanted certificate is there.
fn place<'a>(want: &Desired, observed: &'a Observed) -> Place<'a> {
    let held = &observed.held;
    let is_wanted = |it: &&CaCertificate| want.content.is(&it.shown);
    if let (Some(it), Some((_, origin))) = (observed.current.as_ref().filter(is_wanted), &held.remote) {
        return Place::Ours(it, *origin);
    }
    if let Some(it) = observed.retiring.iter().find(is_wanted) {
        return Place::Ours(it, Origin::Created); // the source is what it was before
    }
    let found: Vec<_> = observed.others.iter().filter(is_wanted).collect();
    let intended = held.intended.as_ref().filter(|it| it.content == want.content);
    let ours: Vec<_> = found.iter().filter(|it| intended.is_some_and(|intent| intent.made(it))).collect();
    match (ours.as_slice(), found.as_slice()) {
        ([it], _) => Place::Ours(it, Origin::Created),
        ([], [it]) => Place::Foreign(it),
        ([], []) => Place::Absent,
        _ => Place::Several,
    }
}

/// From an unverified certificate to one that is set as wanted and stands alone.
fn bring(want: &Desired, it: &CaCertificate, observed: &Observed) -> Next<Step> {
    if let Some(possession) = want.possession.as_ref().filter(|_| !it.verified) {
        // Of many that waited for their proof in vain, the oldest goes: no device knows it.
        return match crowded(it, observed).find(|old| !old.verified) {
            Some(old) => delete(old, Why::Retired),
            None => verify(want, possession, it),
        };
    }
    if let Some(change) = settings(want, it, observed).change(&it.settings) {
        return Next::Step(Step::Update { id: it.id.clone(), change });
    }
    if let Some(old) = superfluous(it, observed) {
        return delete(old, Why::Retired);
    }
    let other = observed.held.intended.as_ref().filter(|intent| intent.content != want.content);
    match other.and_then(|intent| intent.left(observed.now)) {
        Some(left) => unseen(left, true), // settled, its record would go
        None => Next::Done,
    }
}

/// A predecessor whose time is over; the oldest, where too many stand. One that devices go by stays while the successor is
/// not verified.
fn superfluous<'a>(it: &CaCertificate, observed: &'a Observed) -> Option<&'a CaCertificate> {
    let may_go = |old: &&CaCertificate| it.verified || !old.verified;
    let is_due = |old: &&CaCertificate| {
        observed.held.retires(old).is_some_and(|entry| overlap::is_due(entry, observed.now))
    };
    let due = predecessors(it, observed).filter(may_go).find(is_due);
    due.or_else(|| crowded(it, observed).find(may_go))
}

/// What retires beside it.
fn predecessors<'a>(
    it: &CaCertificate,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a CaCertificate> + use<'a> {
    let id = it.id.clone();
    observed.retiring.iter().filter(move |old| old.id != id && observed.held.retires(old).is_some())
}

/// The same, where that are too many.
fn crowded<'a>(
    it: &CaCertificate,
    observed: &'a Observed,
) -> impl Iterator<Item = &'a CaCertificate> + use<'a> {
    let too_many = predecessors(it, observed).count() > MOST;
    predecessors(it, observed).filter(move |_| too_many)
}

/// What nobody manages, a successor takes over from the certificate whose place it takes.
fn settings(want: &Desired, it: &CaCertificate, observed: &Observed) -> Settings {
    let held = &observed.held;
    let leaves = observed.current.as_ref().filter(|before| before.id != it.id && held.knows(before));
    let waits = |old: &&CaCertificate| {
        old.id != it.id && held.retires(old).is_some_and(|entry| entry.until.is_none())
    };
    // A successor whose proof was waited for has the place already; what was before it has no time yet.
    let predecessor = leaves.or_else(|| observed.retiring.iter().find(waits));
    match predecessor.filter(|before| before.verified && it.verified) {
        Some(before) => want.settings.or_as(&before.settings),
        None => want.settings.clone(),
    }
}

fn verify(want: &Desired, possession: &Possession, it: &CaCertificate) -> Next<Step> {
    let Some(code) = &it.code else {
        return Next::Stuck {
            reason: Reason::ProofRejected,
            message: "IoTDA shows no verification code for the certificate: delete it there, so that it is uploaded \
                      anew"
                .to_owned(),
        };
    };
    match possession.proof(&want.certificate, code) {
        Ok(proof) => Next::Step(Step::Verify { id: it.id.clone(), content: want.content.clone(), proof }),
        Err(Invalid { reason, message }) => Next::Await { reason, message },
    }
}

/// A new certificate, once nothing can come any more of an upload before it.
fn upload(want: &Desired, observed: &Observed) -> Next<Step> {
    if let Some(left) = observed.held.intended.as_ref().and_then(|intent| intent.left(observed.now)) {
        return unseen(left, false);
    }
    Next::Step(Step::Upload { certificate: want.certificate.clone(), observed: Box::new(observed.clone()) })
}

/// Away with it. What a template is bound to IoTDA may not delete; before verification none can be bound, nor unbound.
fn delete(it: &CaCertificate, why: Why) -> Next<Step> {
    let id = it.id.clone();
    Next::Step(if is_bound(it) { Step::Unbind { id, why } } else { Step::Delete { id, why } })
}

/// Away with what the recorded upload made and no other record names. It made one at most.
fn discard(intent: &Intended, observed: &Observed, why: Why) -> Option<Next<Step>> {
    let made: Vec<_> = observed.others.iter().filter(|it| intent.made(it)).collect();
    match made.as_slice() {
        [] => None,
        [it] if is_bound(it) => Some(delete(it, why)),
        [it] => {
            let (id, content) = (it.id.clone(), intent.content.clone());
            Some(Next::Step(Step::Discard { id, content, why }))
        }
        _ => Some(several()),
    }
}

fn is_bound(it: &CaCertificate) -> bool {
    it.verified && it.settings.template.is_some()
}

/// What was answered by nothing is mostly seen soon or never: each look comes three times as late as the one before.
fn unseen(left: Duration, serves: bool) -> Next<Step> {
    let gone = LATE.unsigned_abs().saturating_sub(left);
    Next::Wait {
        reason: Reason::Creating,
        message:
            "an upload may still take effect and is not seen: it is waited for until it can no longer come"
                .to_owned(),
        wait: left.min(LOOK.max(gone * 2)),
        serves,
    }
}

fn foreign(it: &CaCertificate, in_one_space: bool) -> Next<Step> {
    let how = match in_one_space {
        true => "set `spec.adoptionPolicy` to 'IfIdentical' to take it over",
        false => "take it over by an object that names its resource space (`spec.appId`)",
    };
    Next::Stuck {
        reason: Reason::NotOwned,
        message: format!(
            "IoTDA holds this certificate already (`{}`), and this object did not upload it: delete it there, or {how}",
            it.id
        ),
    }
}

fn several() -> Next<Step> {
    Next::Stuck {
        reason: Reason::CreateOutcomeUnknown,
        message: "IoTDA holds this certificate several times, and none is recorded: delete all but one there"
            .to_owned(),
    }
}

/// All that is ours goes, one after the other: the present certificate, unless it was there before us, what retires, what
/// an upload may have made.
fn remove(observed: &Observed) -> Next<Step> {
    let held = &observed.held;
    if let Some(it) = observed.current.as_ref().filter(|_| !held.keeps_the_adopted()) {
        return if held.knows(it) { delete(it, Why::Removal) } else { changed(it) };
    }
    if let Some(it) = observed.retiring.iter().find(|it| held.retires(it).is_some()) {
        return delete(it, Why::Removal);
    }
    let Some(intent) = &held.intended else { return Next::Done };
    discard(intent, observed, Why::Removal).unwrap_or_else(|| {
        match (&intent.made, intent.left(observed.now)) {
            // It was made, and is not to be seen yet: without a record of it nobody would remove it.
            (Made::This(_), Some(left)) => unseen(left, false),
            _ => Next::Done,
        }
    })
}

fn changed(it: &CaCertificate) -> Next<Step> {
    Next::Stuck {
        reason: Reason::DeletionBlocked,
        message: format!(
            "IoTDA holds another certificate under `{}` than the one last seen: delete it there, or set \
             `spec.deletionPolicy` to 'Retain' to leave it",
            it.id
        ),
    }
}

/// What the status is to say: the certificate that the resource goes by, and what retires beside it.
pub struct Standing<'a> {
    /// The certificate.
    pub certificate: &'a CaCertificate,
    /// How it is ours.
    pub origin: Origin,
    /// What retires.
    pub retiring: Vec<Retiring>,
}

/// How things stand once the wanted certificate is there.
pub fn standing<'a>(want: &Desired, observed: &'a Observed) -> Option<Standing<'a>> {
    let (certificate, origin) = match place(want, observed) {
        Place::Ours(it, origin) => (it, origin),
        Place::Foreign(it) if observed.held.adopts() => (it, Origin::Adopted),
        Place::Foreign(_) | Place::Several | Place::Absent => return None,
    };
    let held = &observed.held;
    let recorded: Vec<_> = observed.retiring.iter().filter_map(|it| held.retires(it)).cloned().collect();
    let leaving = observed.current.as_ref().filter(|old| old.id != certificate.id && held.knows(old));
    let others = leaving.into_iter().chain(predecessors(certificate, observed));
    let trusted = others.into_iter().any(|old| old.verified);
    // What was adopted stays for whoever else goes by it.
    let leaving = leaving.filter(|_| !held.keeps_the_adopted()).and_then(|old| {
        let content = Content::shown(&old.shown, held.fingerprint)?;
        Some(Retiring { id: old.id.clone(), content_hash: content.to_string(), until: None })
    });
    // Where nobody proves possession, devices may yet go by a predecessor that somebody verified by hand.
    let serves = certificate.verified || (want.possession.is_none() && !trusted);
    let until = overlap::until(observed.now, want.grace);
    let retiring = overlap::retiring(&recorded, leaving, &certificate.id, serves, until);
    Some(Standing { certificate, origin, retiring })
}

#[cfg(test)]
mod tests;
