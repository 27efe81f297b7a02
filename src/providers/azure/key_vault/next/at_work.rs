//! What is next while the vault is at work on a version of ours. Pure.

use std::time::Duration;

use jiff::SignedDuration;

use super::super::compare::{Repair, asks_as_wanted, repair};
use super::super::observed::{Bundle, Observed, Operation};
use super::super::step::{Merge, Signed, Step, ToIssue};
use super::super::tags;
use super::super::wish::{self, Desired, Issuance, Signer, Wish};
use super::{SLOWLY, with};
use crate::api::key_vault::OnStuckOperation;
use crate::api::reason::{Invalid, Reason};
use crate::engine::Next;
use crate::pki::{Certificate, SigningRequest};

/// How long the vault may take to sign by itself; seen were 5 to 10 seconds.
const SELF_SIGNING: SignedDuration = SignedDuration::from_mins(15);
/// How long a public issuer may take: it may want to see papers.
const ISSUING: SignedDuration = SignedDuration::from_hours(3 * 24);
/// How often somebody else's signature is looked for; cert-manager's is noticed at once.
const SIGNATURE: Duration = Duration::from_secs(60);

/// The next call, or what is waited for.
pub(super) fn next(want: &Desired, it: &Bundle, observed: &Observed) -> Next<Step> {
    let Operation::InProgress { id, request, wait } = &observed.operation else { return Next::Done };
    let as_wanted = |certificate| !matches!(repair(want, it, certificate), Some(Repair::NewVersion(_)));
    let serves = it.certificate.as_ref().is_some_and(as_wanted);
    let dropped = || Next::Step(Step::DropOperation { id: id.clone() });
    let within = |limit| lasting(limit, id, *wait, serves, observed);
    let Wish::Policy(issuance) = &want.wish else {
        // It was begun for another wish; a merge may never come. Without a request it may be no operation at all.
        return if request.is_some() { dropped() } else { within(SELF_SIGNING) };
    };
    let for_another = observed.held.written.as_ref().is_some_and(|it| *it != want.hash);
    match (&issuance.signer, request) {
        (Some(_), _) if for_another => dropped(),
        // Whoever may write the vault could have had something else asked for.
        (Some(_), Some(request)) if !asks_as_wanted(issuance, request) => dropped(),
        (Some(signer), Some(request)) => sign(want, it, issuance, signer, request, observed, serves),
        (Some(_), None) => within(SELF_SIGNING), // the vault makes its request at once
        (None, _) if is_self_signed(issuance) => within(SELF_SIGNING),
        (None, _) => within(ISSUING),
    }
}

/// What the vault does by itself is waited for; after its time it is told, or dropped and begun anew.
fn lasting(limit: SignedDuration, id: &str, wait: Duration, serves: bool, observed: &Observed) -> Next<Step> {
    let is_stuck = observed.held.begun(id).is_some_and(|since| observed.now.duration_since(since) > limit);
    match observed.held.on_stuck {
        _ if !is_stuck => Next::Wait {
            reason: Reason::OperationInProgress,
            message: "the vault is issuing the certificate".to_owned(),
            wait,
            serves,
        },
        OnStuckOperation::Cancel => Next::Step(Step::DropOperation { id: id.to_owned() }),
        OnStuckOperation::Report => Next::Wait {
            reason: Reason::OperationStuck,
            message: "the vault does not get done with issuing: look at the operation there, or set \
                      `spec.onStuckOperation` to 'Cancel' to begin anew"
                .to_owned(),
            wait: SLOWLY,
            serves,
        },
    }
}

fn is_self_signed(issuance: &Issuance) -> bool {
    issuance.policy.issuer_name().is_some_and(|it| it.eq_ignore_ascii_case("Self"))
}

/// The vault's request waits for a signature.
fn sign(
    want: &Desired,
    it: &Bundle,
    issuance: &Issuance,
    signer: &Signer,
    request: &SigningRequest,
    observed: &Observed,
    renews: bool,
) -> Next<Step> {
    let merge = |chain: &[Certificate], signed| {
        // A refusal is of this request and these certificates: others are tried at once.
        let ders = chain.iter().map(Certificate::der);
        let hash =
            wish::hash(&[want.hash.as_bytes(), request.der()].into_iter().chain(ders).collect::<Vec<_>>());
        with(tags::of_new_version(want, &it.tags, &observed.held), |tags| {
            Step::Merge(Box::new(Merge { signed, enabled: want.enabled, tags, hash, renews }))
        })
    };
    let awaiting = |message: &str| Next::Wait {
        reason: Reason::AwaitingSignature,
        message: message.to_owned(),
        wait: SIGNATURE,
        serves: renews,
    };
    match signer {
        Signer::Ca(ca) => {
            let (request, life) = (request.clone(), wish::life(&issuance.written));
            merge(ca.certificates(), Signed::ByCa(Box::new(ToIssue { request, ca: ca.clone(), life })))
        }
        Signer::External => awaiting(
            "have the request in `status.signingRequest` signed, and merge the certificate in the vault",
        ),
        Signer::CertManager(question) if !question.stands(request, observed.held.asks_anew) => {
            awaiting("cert-manager is asked to sign the vault's request")
        }
        Signer::CertManager(question) => match &question.signed {
            Some(Ok(chain)) => merge(chain, Signed::Chain(chain.clone())),
            Some(Err(Invalid { reason, message })) => {
                Next::Wait { reason: *reason, message: message.clone(), wait: SLOWLY, serves: renews }
            }
            None => awaiting("cert-manager is asked to sign the vault's request"),
        },
    }
}
