//! Which certificate in the hub the resource goes by, and what retires beside it. Pure.

use super::{Desired, HubCertificate, Observed, Verification, is_same};
use crate::api::certificate::{AdoptionPolicy, Origin, Retiring};
use crate::providers::overlap;

/// Where the wanted certificate stands, or is to stand.
pub(super) enum Place<'a> {
    /// Under the name of this one.
    Taken(&'a HubCertificate),
    /// Under a name that nothing has.
    Free {
        /// The name.
        name: &'a str,
        /// Whether a predecessor stays beside it.
        beside: bool,
    },
}

impl Place<'_> {
    /// Whether it is this one's.
    pub(super) fn is_at(&self, it: &HubCertificate) -> bool {
        matches!(self, Self::Taken(at) if at.name == it.name)
    }
}

/// Where the wanted certificate stands, or is to stand.
pub(super) fn place<'a>(want: &'a Desired, observed: &'a Observed) -> Place<'a> {
    let (current, held) = (observed.current(), &observed.held);
    let free_or_taken = |name: &'a str, it: Option<&'a HubCertificate>, beside| match it {
        Some(it) => Place::Taken(it),
        None => Place::Free { name, beside },
    };
    let Some(name) = beside(want, observed) else { return free_or_taken(&held.name, current, false) };
    if let Some(it) = observed.under(name).filter(|it| is_same(want, it)) {
        return Place::Taken(it);
    }
    let was_there = held.thumbprint.is_none_or(|it| it == want.certificate.sha1_thumbprint());
    match current {
        None if was_there => Place::Free { name: &held.name, beside: false },
        // Not the predecessor, but what somebody else put there.
        Some(it) if !is_ours(it, observed) => Place::Taken(it),
        Some(_) | None => free_or_taken(name, observed.under(name), true),
    }
}

/// The name beside the current one under which the wanted certificate is, or is to be, where it stands beside.
pub fn beside<'a>(want: &'a Desired, observed: &'a Observed) -> Option<&'a str> {
    let same = |it: &&HubCertificate| is_same(want, it);
    let name = want.beside.as_deref().filter(|it| *it != observed.held.name)?;
    if observed.current().filter(same).is_some() {
        return None;
    }
    // The source is what it was before.
    let before = observed.retiring().map(|(it, _)| it).find(same);
    let before = before.or_else(|| kept(observed).filter(same));
    Some(before.map_or(name, |it| &it.name))
}

/// A predecessor that was there before us and stayed; it may be taken over again.
fn kept(observed: &Observed) -> Option<&HubCertificate> {
    let held = &observed.held;
    observed.under(&held.plain).filter(|_| held.plain != held.name && held.adoption != AdoptionPolicy::Never)
}

/// Whether the current certificate is one that we wrote or that the policy makes ours: devices may go by it.
fn is_ours(it: &HubCertificate, observed: &Observed) -> bool {
    match observed.origin(it) {
        Some(_) => observed.knows(it),
        None => observed.held.adoption == AdoptionPolicy::Always,
    }
}

/// What the status is to say: the certificate that the resource goes by, and what retires beside it.
pub struct Standing<'a> {
    /// The certificate.
    pub certificate: &'a HubCertificate,
    /// How it is ours.
    pub origin: Origin,
    /// What retires.
    pub retiring: Vec<Retiring>,
}

/// How things stand once a certificate is there.
pub fn standing<'a>(want: &'a Desired, observed: &'a Observed) -> Option<Standing<'a>> {
    let Place::Taken(it) = place(want, observed) else { return None };
    let recorded: Vec<_> = observed.kept().cloned().collect();
    let leaving = observed.current().filter(|old| old.name != it.name && is_ours(old, observed));
    let others = leaving.into_iter().chain(observed.retiring().map(|(old, _)| old));
    let trusted = others.into_iter().any(|old| old.name != it.name && old.verified);
    // What was adopted stays for whoever else goes by it.
    let leaving = leaving.filter(|_| !observed.held.keeps_current()).map(|old| Retiring {
        id: old.id.clone(),
        content_hash: old.thumbprint.to_string(),
        until: None,
    });
    // Where nobody proves possession, devices may yet go by a predecessor that somebody verified by hand.
    let serves = it.verified || (matches!(want.verification, Verification::None) && !trusted);
    let until = overlap::until(observed.now, want.grace);
    Some(Standing {
        certificate: it,
        origin: observed.origin(it).unwrap_or(Origin::Adopted),
        retiring: overlap::retiring(&recorded, leaving, &it.id, serves, until),
    })
}
