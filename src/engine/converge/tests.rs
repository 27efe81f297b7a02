//! The loop over a service that is a number: the goal is a value, each step adds one.

use std::collections::VecDeque;
use std::sync::Mutex;

use jiff::Timestamp;

use super::*;
use crate::api::iot_hub::IotHubCertificate;
use crate::api::reason::Invalid;
use crate::engine::Output;
use crate::engine::clock::Clock;
use crate::engine::{Facts, Unusable};
use crate::source::account::Account;
use crate::source::target::Target;
use crate::source::{Fetched, Reference};

#[derive(Default)]
struct Counter {
    value: Mutex<u32>,
    /// What the next calls answer, before they take effect or after.
    faults: Mutex<VecDeque<Fault>>,
    /// Every call, in order.
    calls: Mutex<Vec<&'static str>>,
    /// The service undoes each write at once.
    forgetful: bool,
    /// The call's answer shows its effect.
    answers: bool,
}

#[derive(Clone)]
enum Fault {
    None,
    Refused(CloudError),
    Lost(CloudError),
}

struct Add;

impl crate::engine::Step for Add {
    fn name(&self) -> &'static str {
        "Add"
    }
    fn content_hash(&self) -> String {
        "one".into()
    }
    fn needs_intent(&self) -> bool {
        true
    }
    fn progress(&self) -> Reason {
        Reason::Updating
    }
}

impl Provider for Counter {
    type Root = IotHubCertificate;
    type Cloud = ();
    type Desired = u32;
    type Observed = u32;
    type Step = Add;
    type Listing = ();

    fn target(_: &IotHubCertificate) -> Target {
        Target::new(["counter"])
    }
    fn references(_: &IotHubCertificate) -> Vec<Reference> {
        Vec::new()
    }
    fn check(_: &IotHubCertificate) -> Result<(), Invalid> {
        Ok(())
    }
    fn desired(_: &IotHubCertificate, _: &Fetched, _: Timestamp) -> Result<u32, Invalid> {
        Ok(0)
    }
    fn next(goal: &Goal<u32>, observed: &u32) -> Next<Add> {
        match goal {
            Goal::Present(wanted) if observed >= wanted => Next::Done,
            Goal::Present(_) => Next::Step(Add),
            Goal::Absent => Next::Stuck { reason: Reason::NotOwned, message: "not ours".into() },
        }
    }
    fn outputs(_: &u32, _: &u32) -> Vec<Output> {
        Vec::new()
    }

    fn facts(_: &u32, _: &u32) -> Option<Facts> {
        None
    }
    async fn connect(_: &(), _: &Account, _: &IotHubCertificate, _: &Clock) -> Result<Self, Unusable> {
        Ok(Self::default())
    }
    async fn observe(
        &self,
        _: &IotHubCertificate,
        _: &Goal<u32>,
        _: Freshness<'_, ()>,
    ) -> Result<u32, CloudError> {
        self.calls.lock().unwrap().push("read");
        Ok(*self.value.lock().unwrap())
    }
    fn listing(&self) -> Option<(String, impl Future<Output = Result<(), CloudError>> + Send)> {
        None::<(String, std::future::Ready<_>)>
    }
    async fn apply(&self, _: Add) -> Result<Option<u32>, CloudError> {
        self.calls.lock().unwrap().push("write");
        let fault = self.faults.lock().unwrap().pop_front();
        if let Some(Fault::Refused(error)) = fault {
            return Err(error);
        }
        let value = {
            let mut value = self.value.lock().unwrap();
            *value += u32::from(!self.forgetful);
            *value
        };
        match fault {
            Some(Fault::Lost(error)) => Err(error),
            _ => Ok(self.answers.then_some(value)),
        }
    }
}

/// Opens, and counts; or is shut.
struct Door {
    opened: usize,
    shut: bool,
    /// How often a record was dropped.
    voided: usize,
}

impl Gate<Counter> for Door {
    async fn open(&mut self, _: &mut IotHubCertificate, step: &Add) -> Result<(), Closed> {
        assert_eq!(step.name(), "Add");
        self.opened += 1;
        if self.shut { Err(Closed::Outdated) } else { Ok(()) }
    }

    async fn answered(&mut self, _: &mut IotHubCertificate, _: Option<String>) -> Result<(), Closed> {
        Ok(())
    }

    async fn refused(&mut self, _: &mut IotHubCertificate) -> Result<(), Closed> {
        self.voided += 1;
        Ok(())
    }
}

fn root() -> IotHubCertificate {
    let manifest = r#"{
        "apiVersion": "certferry.dev/v1alpha1", "kind": "IotHubCertificate", "metadata": { "name": "ca" },
        "spec": {
            "accountRef": { "kind": "CloudAccount", "name": "azure" },
            "iotHub": { "subscriptionId": "s", "resourceGroup": "g", "name": "hub" },
            "source": { "inline": "x" }
        }
    }"#;
    serde_json::from_str(manifest).unwrap()
}

async fn run(counter: &Counter, goal: Goal<u32>) -> (End<u32>, usize) {
    let mut door = Door { opened: 0, shut: false, voided: 0 };
    let end = converge(counter, &mut root(), &goal, &mut door).await;
    (end, door.opened)
}

fn unknown() -> CloudError {
    CloudError::new(Reason::TimedOut, "no answer").reread()
}

fn calls(counter: &Counter) -> String {
    counter.calls.lock().unwrap().join(" ")
}

#[tokio::test]
async fn at_rest_there_is_one_read_and_no_write() {
    let counter = Counter::default();
    let (end, opened) = run(&counter, Goal::Present(0)).await;
    assert!(matches!(end, End::Settled(0)));
    assert_eq!((calls(&counter).as_str(), opened), ("read", 0));
}

#[tokio::test]
async fn every_write_passes_the_gate_and_the_end_is_believed_of_a_read() {
    let counter = Counter { answers: true, ..Counter::default() };
    let (end, opened) = run(&counter, Goal::Present(2)).await;
    assert!(matches!(end, End::Settled(2)));
    assert_eq!((calls(&counter).as_str(), opened), ("read write write read", 2));
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading() {
    let counter = Counter { faults: Mutex::new([Fault::Lost(unknown())].into()), ..Counter::default() };
    let (end, _) = run(&counter, Goal::Present(1)).await;
    assert!(matches!(end, End::Settled(1)));
    assert_eq!(calls(&counter), "read write read", "the write is not repeated");
}

#[tokio::test]
async fn an_old_view_is_renewed_three_times_and_then_reported() {
    let counter =
        Counter { faults: Mutex::new(vec![Fault::Refused(unknown()); 9].into()), ..Counter::default() };
    let (end, _) = run(&counter, Goal::Present(1)).await;
    let End::Failed(Setback { reason: Reason::TimedOut, behind: true, attempt: Some(step), .. }) = end else {
        panic!("{end:?}")
    };
    assert_eq!(step.progress, Reason::Updating);
    assert_eq!(calls(&counter), "read write read write read write read write");
}

#[tokio::test]
async fn a_success_in_between_does_not_make_the_same_failure_new() {
    let refused = || Fault::Refused(CloudError::new(Reason::ProofRejected, "no").reread_once());
    let faults = [refused(), Fault::None, refused(), Fault::None];
    let counter = Counter { faults: Mutex::new(faults.into()), ..Counter::default() };
    let (end, _) = run(&counter, Goal::Present(2)).await;
    assert!(matches!(end, End::Failed(Setback { reason: Reason::ProofRejected, .. })));
    assert_eq!(calls(&counter), "read write read write read write");
}

#[tokio::test]
async fn what_was_refused_because_of_something_unseen_is_planned_anew_and_not_repeated() {
    let exists = CloudError { then: Then::Replan, ..CloudError::new(Reason::UploadRefused, "there") };
    let counter = Counter { faults: Mutex::new([Fault::Refused(exists)].into()), ..Counter::default() };
    let mut door = Door { opened: 0, shut: false, voided: 0 };
    let end = converge(&counter, &mut root(), &Goal::Present(1), &mut door).await;
    let End::Failed(Setback { reason: Reason::UploadRefused, attempt: Some(attempt), .. }) = end else {
        panic!("{end:?}")
    };
    assert!(attempt.refused);
    assert_eq!((calls(&counter).as_str(), door.voided), ("read write read", 1));
}

#[tokio::test]
async fn a_refusal_ends_the_pass_at_once() {
    let denied = CloudError::new(Reason::AccessDenied, "no").retry_after(Some(Duration::from_secs(5)));
    let counter = Counter { faults: Mutex::new([Fault::Refused(denied)].into()), ..Counter::default() };
    let (end, _) = run(&counter, Goal::Present(1)).await;
    assert!(matches!(
        end,
        End::Failed(Setback { reason: Reason::AccessDenied, after: Some(after), .. }) if after.as_secs() == 5
    ));
    assert_eq!(calls(&counter), "read write");
}

#[tokio::test]
async fn a_service_that_undoes_every_write_is_given_up_in_bounded_time() {
    let counter = Counter { forgetful: true, ..Counter::default() };
    let (end, opened) = run(&counter, Goal::Present(1)).await;
    assert!(matches!(end, End::Failed(Setback { reason: Reason::Diverged, .. })));
    assert!(opened <= MAX_STEPS + 1, "{opened} writes");
}

#[tokio::test]
async fn nothing_is_written_past_a_shut_gate_or_when_stuck() {
    let counter = Counter::default();
    let mut door = Door { opened: 0, shut: true, voided: 0 };
    let end = converge(&counter, &mut root(), &Goal::Present(1), &mut door).await;
    assert!(matches!(end, End::Outdated));
    assert_eq!(calls(&counter), "read");
    let counter = Counter::default();
    let (end, opened) = run(&counter, Goal::Absent).await;
    assert!(matches!(end, End::Failed(Setback { reason: Reason::NotOwned, .. })));
    assert_eq!((calls(&counter).as_str(), opened), ("read", 0));
}
