//! What a resource must come to once nobody disturbs any more, told from its spec, its source and the cloud alone.

use crate::fixture::{End, Shown};
use crate::run::Run;
use crate::world::World;

/// Whether the resource and the cloud have come to what they must.
pub fn is_settled(run: &Run) -> bool {
    let Some(object) = run.object() else { return true }; // what may be left then is for the checker
    let held = run.fixture.held(&run.cloud.now());
    let foreign = held.is_some() && !wrote_last(run);
    if !object["metadata"]["deletionTimestamp"].is_null() {
        // Of a deletion only somebody else's certificate under the name may make a decision.
        return foreign && run.has_come_to(&End::Stuck("DeletionBlocked", "another certificate"));
    }
    let as_wanted = is_wanted(run, held.as_ref());
    let observes = object["spec"]["managementPolicy"] == "Observe";
    if run.has_come_to(&End::Ready(if observes { "Observed" } else { "Ready" })) {
        return as_wanted;
    }
    let refused = foreign && run.has_come_to(&End::Stuck("NotOwned", "certificate"));
    let next = run.fixture.first_write(held.as_ref());
    let drifted = observes && !as_wanted && run.has_come_to(&End::Stuck("DriftDetected", next));
    refused && !may_take(run, held.as_ref()) || drifted
}

fn is_wanted(world: &World, held: Option<&Shown>) -> bool {
    let wanted = world.sources().last().map(|it| it.1.pair().thumbprint.clone());
    let asks = world.object().is_some_and(|it| world.fixture.asks_verification(&it["spec"]));
    held.is_some_and(|it| Some(&it.thumbprint) == wanted.as_ref() && (it.verified || !asks))
}

/// Whether the adoption policy lets the resource take over what is there.
fn may_take(world: &World, held: Option<&Shown>) -> bool {
    let wanted = world.sources().last().map(|it| it.1.pair().thumbprint.clone());
    let object = world.object().unwrap_or_default();
    match object["spec"]["adoptionPolicy"].as_str() {
        Some("Always") => true,
        Some("Never") => false,
        _ => held.map(|it| &it.thumbprint) == wanted.as_ref(),
    }
}

/// Whether what stands under the wanted name is the operator's last word.
fn wrote_last(world: &World) -> bool {
    let shots = world.cloud.shots();
    let target = world.fixture.target();
    let changed = |at: &usize| shots[*at].objects.get(target) != shots[*at - 1].objects.get(target);
    (1..shots.len()).rev().find(changed).is_some_and(|it| shots[it].by.is_some())
}
