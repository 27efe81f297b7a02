//! The directed cases: every story, with every fault at every call of its run without faults.

use crate::case::{Case, Told};
use serde_json::json;

use crate::chaos::{CloudFault, Fault, KubeFault, Point, What};
use crate::fixture::{Act, End, Fixture, Tamper, Which};

/// All that can go wrong with a call to the cloud.
pub const CLOUD: &[CloudFault] = &[
    CloudFault::NotSent,
    CloudFault::LostBefore,
    CloudFault::LostAfter,
    CloudFault::TimeoutBefore,
    CloudFault::TimeoutAfter,
    CloudFault::Late(3),
    CloudFault::Late(9),
    CloudFault::Status(401),
    CloudFault::Status(403),
    CloudFault::Status(404),
    CloudFault::Status(408),
    CloudFault::Status(409),
    CloudFault::Status(412),
    CloudFault::Status(429),
    CloudFault::Throttled,
    CloudFault::Status(500),
    CloudFault::Status(502),
    CloudFault::Status(503),
    CloudFault::Status(504),
    CloudFault::Status(302),
    CloudFault::Html,
    CloudFault::StatusAfter(500),
    CloudFault::StatusAfter(503),
];

/// Those that are tried of a slow story: the outcome is unknown, or the answer misleads.
const TELLING: &[CloudFault] = &[
    CloudFault::LostAfter,
    CloudFault::TimeoutAfter,
    CloudFault::Late(3),
    CloudFault::Status(404),
    CloudFault::Status(412),
    CloudFault::StatusAfter(500),
];

/// All that can go wrong with a request to the API server.
pub const KUBE: &[KubeFault] = &[
    KubeFault::Status(409),
    KubeFault::Status(422),
    KubeFault::Status(429),
    KubeFault::Status(500),
    KubeFault::Status(503),
    KubeFault::TimeoutBefore,
    KubeFault::TimeoutAfter,
];

const POINTS: [Point; 3] = [Point::BeforeSend, Point::Unanswered, Point::Answered];

/// How many calls after a write that is on its way are spoiled too.
const AFTER: usize = 3;

/// How many calls of a story's beginning are spoiled: a token, a read, a write, a read.
const EARLY: usize = 4;

/// What somebody else may do amid a run.
fn meanwhile(fixture: &dyn Fixture) -> [Act; 6] {
    // Where the service gives the ids, what is in the way is the same certificate.
    let intruder = if fixture.has_names() { Which::Foreign } else { Which::First };
    [
        Act::Delete,
        Act::Rotate(Which::Second),
        Act::Tamper(Tamper::Remove),
        Act::Tamper(Tamper::Put(intruder)),
        Act::Spec(json!({ "deletionPolicy": "Retain" })),
        Act::Spec(json!({ "managementPolicy": "Observe" })),
    ]
}

/// Every way to spoil one call of a story, told what its run without faults was like.
pub fn spoiled(clean: &Case, told: &Told) -> Vec<Case> {
    let mut faults = Vec::new();
    for at in 1..=told.counts.cloud {
        let kinds = if clean.scenario.slow { TELLING } else { CLOUD };
        faults.extend(kinds.iter().map(|it| Fault { at, what: What::Cloud(*it) }));
    }
    for at in 1..=told.counts.kube {
        let patches = told.log.iter().any(|it| it.contains(&format!("kube  {at:2} PATCH")));
        let fits = |it: &&KubeFault| patches || !matches!(it, KubeFault::Status(409 | 422));
        let some = |it: &&KubeFault| !clean.scenario.slow || matches!(it, KubeFault::TimeoutAfter);
        let kinds = KUBE.iter().filter(fits).filter(some);
        faults.extend(kinds.map(|it| Fault { at, what: What::Kube(*it) }));
    }
    for at in 1..=told.counts.all {
        let points = if clean.scenario.slow { &POINTS[1..2] } else { &POINTS[..] };
        faults.extend(points.iter().map(|it| Fault { at, what: What::Crash(*it) }));
    }
    for at in (1..=told.counts.all).filter(|_| clean.fixture.others_act()) {
        let acts = meanwhile(clean.fixture).into_iter().take(if clean.scenario.slow { 2 } else { 6 });
        faults.extend(acts.map(|it| Fault { at, what: What::Meanwhile(it) }));
    }
    let spoiled = faults.into_iter().map(|it| Case { faults: vec![it], ..clean.clone() });
    spoiled.chain(early(clean)).chain(late(clean, told)).collect()
}

/// A write is still on its way when the user deletes the resource, or when the operator dies.
fn late(clean: &Case, told: &Told) -> Vec<Case> {
    let mut cases = Vec::new();
    let writes = told.log.iter().enumerate().filter(|(_, it)| {
        it.contains(" cloud ") && (it.contains("/subscriptions/") || it.contains("certificates"))
    });
    for (index, _) in writes.filter(|it| !it.1.contains(" GET ") && !clean.scenario.slow) {
        let cloud = told.log[..=index].iter().filter(|it| it.contains(" cloud ")).count();
        let write = Fault { at: cloud, what: What::Cloud(CloudFault::Late(9)) };
        for at in index + 2..index + 2 + AFTER {
            for what in [What::Meanwhile(Act::Delete), What::Crash(Point::BeforeSend)] {
                cases.push(Case { faults: vec![write.clone(), Fault { at, what }], ..clean.clone() });
            }
        }
    }
    cases
}

/// What is still on its way, or was never answered, when the story goes on.
fn early(clean: &Case) -> Vec<Case> {
    let kinds =
        [CloudFault::Late(3), CloudFault::Late(9), CloudFault::TimeoutAfter, CloudFault::StatusAfter(500)];
    // Where nothing keeps a late write from taking effect, it settles what somebody would have to decide.
    let decided = !clean.fixture.has_preconditions() && matches!(clean.scenario.end, End::Stuck(..));
    let calls = if clean.scenario.first.is_some() && !decided { EARLY } else { 0 };
    let faults = (1..=calls).flat_map(|at| kinds.map(|it| Fault { at, what: What::Cloud(it) }));
    faults.map(|it| Case { early: vec![it], ..clean.clone() }).collect()
}
