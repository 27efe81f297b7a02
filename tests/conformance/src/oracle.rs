//! What a resource must come to once nobody disturbs any more, told from its spec, its source and the cloud alone.

use serde_json::Value;

use crate::fixture::{End, Shown};
use crate::run::Run;
use crate::world::World;

/// Whether the resource and the cloud have come to what they must.
pub fn is_settled(run: &Run) -> bool {
    let Some(object) = run.object() else { return true }; // what may be left then is for the checker
    if run.fixture.has_names() { named(run, &object) } else { given(run, &object) }
}

/// Names are given by the user: one object stands there, ours or not.
fn named(run: &Run, object: &Value) -> bool {
    let held = run.held();
    let foreign = held.is_some() && !wrote_last(run);
    if !object["metadata"]["deletionTimestamp"].is_null() {
        // Of a deletion only somebody else's certificate under the name may make a decision.
        return foreign && run.has_come_to(&End::Stuck("DeletionBlocked", "another certificate"));
    }
    let as_wanted = is_wanted(run, object);
    if run.has_come_to(&ready(object)) {
        return as_wanted;
    }
    let refused = foreign && run.has_come_to(&End::Stuck("NotOwned", "certificate"));
    let next = run.fixture.first_write(held.as_ref());
    let drifted = observes(object) && !as_wanted && run.has_come_to(&End::Stuck("DriftDetected", next));
    refused && !may_take(run, object, held.as_ref()) || drifted
}

/// The service gives the ids: in the end one object is the resource's own, and a deletion leaves none.
fn given(run: &Run, object: &Value) -> bool {
    let place = run.fixture.place(&run.cloud.now());
    let standing = run.standing(&place).map(|it| it.0);
    let as_wanted = is_wanted(run, object);
    let shows = |it: &Value| run.fixture.shown(it).thumbprint;
    let by_others = |it: &&Value| run.fixture.is_adopted(it);
    // By content and time two may be the one that was uploaded.
    let has_twin = |it: &Value| place.values().filter(|other| shows(other) == shows(it)).count() > 1;
    let undecided = |reason| {
        place.values().filter(by_others).any(has_twin)
            && run.has_come_to(&End::Stuck(reason, "several times"))
    };
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return undecided("CreateOutcomeUnknown");
    }
    let made = place.iter().filter(|it| !run.fixture.is_adopted(it.1) && Some(it.0) != standing.as_ref());
    let alone = !run.has_retiring() && made.count() == 0;
    if run.has_come_to(&ready(object)) {
        return as_wanted && alone;
    }
    let next = run.fixture.first_write(None);
    let drifted = observes(object) && run.has_come_to(&End::Stuck("DriftDetected", next));
    let never = object["spec"]["adoptionPolicy"] == "Never";
    let is_there = place.values().filter(by_others).any(|it| Some(shows(it)) == wanted(run));
    let refused = never && is_there && run.has_come_to(&End::Stuck("NotOwned", "did not upload it"));
    !as_wanted && refused || undecided("CreateOutcomeUnknown") || drifted && !(as_wanted && alone)
}

fn observes(object: &Value) -> bool {
    object["spec"]["managementPolicy"] == "Observe"
}

fn ready(object: &Value) -> End {
    End::Ready(if observes(object) { "Observed" } else { "Ready" })
}

fn wanted(world: &World) -> Option<String> {
    world.sources().last().map(|it| it.1.pair().thumbprint.clone())
}

/// Whether what stands for the resource holds what the source holds, and is as the spec asks.
fn is_wanted(world: &World, object: &Value) -> bool {
    let standing = world.standing(&world.cloud.now()).map(|it| it.1);
    standing.is_some_and(|it| {
        Some(world.fixture.shown(&it).thumbprint) == wanted(world)
            && world.fixture.is_as_asked(&object["spec"], &it)
    })
}

/// Whether the adoption policy lets the resource take over what is there.
fn may_take(world: &World, object: &Value, held: Option<&Shown>) -> bool {
    match object["spec"]["adoptionPolicy"].as_str() {
        Some("Always") => true,
        Some("Never") => false,
        _ => held.map(|it| &it.thumbprint) == wanted(world).as_ref(),
    }
}

/// Whether what stands under the wanted name is the operator's last word.
fn wrote_last(world: &World) -> bool {
    let shots = world.cloud.shots();
    let place = |at: usize| world.fixture.place(&shots[at].objects);
    let changed = |at: &usize| place(*at) != place(*at - 1);
    (1..shots.len()).rev().find(changed).is_some_and(|it| shots[it].by.is_some())
}
