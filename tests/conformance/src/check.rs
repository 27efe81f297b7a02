//! The checker: what must hold of everything that a run left behind, whatever went wrong in it. It goes by the histories
//! of the API server and of the cloud, never by what the operator says it did.

use std::collections::BTreeSet;

use http::Method;
use serde_json::Value;

use crate::api_server::{Cause, Version};
use crate::fixture::{Fixture, Which};
use crate::material::pairs;

use crate::wire::{MARKER, Objects};
use crate::world::{CLIENT_SECRET, World};

/// What is violated, each with the invariant's name.
pub fn check(run: &World) -> Result<(), String> {
    let history = History::of(run);
    let mut found = Vec::new();
    history.neighbours(&mut found);
    history.writes(&mut found);
    history.records(&mut found);
    history.intents(&mut found);
    history.views(&mut found);
    history.honesty(&mut found);
    history.secrets(&run.server.events(), &mut found);
    history.end(&mut found);
    if found.is_empty() { Ok(()) } else { Err(found.join("; ")) }
}

struct History {
    fixture: &'static dyn Fixture,
    shots: Vec<crate::wire::Shot>,
    /// Of the resource.
    versions: Vec<Version>,
    /// Those that the operator has seen, in the order in which it saw them.
    seen: Vec<Version>,
    sources: Vec<(usize, Which)>,
}

impl History {
    fn of(run: &World) -> Self {
        let all = run.server.history().into_iter().filter(|it| it.path == run.path);
        let versions = all.clone().filter(|it| it.cause != Cause::Read).collect();
        Self {
            seen: all.filter(|it| it.cause != Cause::User).collect(),
            fixture: run.fixture,
            shots: run.cloud.shots(),
            versions,
            sources: run.sources(),
        }
    }

    fn others(&self, objects: &Objects) -> Objects {
        objects
            .iter()
            .filter(|it| it.0 != self.fixture.target())
            .map(|(id, it)| (id.clone(), it.clone()))
            .collect()
    }

    /// I2, I4: nothing but the object under the wanted name is ever made, changed or removed.
    fn neighbours(&self, found: &mut Vec<String>) {
        let first = self.shots.first().map(|it| self.others(&it.objects)).unwrap_or_default();
        for shot in self.shots.iter().filter(|it| self.others(&it.objects) != first) {
            found.push(format!("I2, I4: {:?} touched other objects", shot.by));
        }
    }

    fn target(&self, shot: usize) -> Option<&Value> {
        self.shots.get(shot)?.objects.get(self.fixture.target())
    }

    fn thumbprint(&self, object: &Value) -> String {
        self.fixture.shown(object).thumbprint
    }

    /// What may be taken over without having been written by the resource.
    fn adoptable(&self, shot: usize, thumbprint: &str) -> bool {
        // A call may land long after the policy that allowed it: any policy that there was counts.
        let before = self.versions.iter().filter(|it| it.cloud <= shot).filter_map(|it| it.object.as_ref());
        let policies: BTreeSet<_> =
            before.map(|it| it["spec"]["adoptionPolicy"].as_str().unwrap_or("IfIdentical")).collect();
        let wanted = self.sources.iter().any(|(at, it)| *at <= shot && it.pair().thumbprint == thumbprint);
        policies.contains("Always") || (policies.contains("IfIdentical") && wanted)
    }

    /// Whether the resource's record says that the name is its own.
    fn recorded(&self, shot: usize) -> bool {
        let stored = self.versions.iter().filter(|it| it.cloud <= shot).filter_map(|it| it.object.as_ref());
        stored.into_iter().any(|it| !it["status"]["remote"].is_null())
    }

    /// I4: every write that took effect was of something that the resource owned, or might take over.
    fn writes(&self, found: &mut Vec<String>) {
        let mut ours = BTreeSet::new();
        for (index, shot) in self.shots.iter().enumerate().skip(1) {
            let (before, after) = (self.target(index - 1), self.target(index));
            let Some(call) = shot.by.as_ref().filter(|_| before != after) else { continue };
            let owns = |it: &Value| {
                let thumbprint = self.thumbprint(it);
                ours.contains(&thumbprint) || self.adoptable(index, &thumbprint)
            };
            match (before, after) {
                // What comes between the last read and a write without a precondition cannot be noticed.
                (Some(_), _) if !self.fixture.has_preconditions() && self.shots[index - 1].by.is_none() => {}
                (Some(it), None) if !owns(it) => {
                    found.push(format!("I4: {} removed what was not the resource's own", call.method));
                }
                (Some(_), None) if !self.asked_to_delete(index) => {
                    found.push("I4: removed although nobody deleted the resource".into());
                }
                (Some(it), Some(_)) if ours.is_empty() && !owns(it) && !self.recorded(index) => {
                    found.push(format!("I4: {} changed what was not the resource's own", call.method));
                }
                _ => {}
            }
            if let Some(after) = after.filter(|_| call.method != Method::DELETE) {
                ours.insert(self.thumbprint(after));
            }
        }
    }

    /// A deletion that was asked for, with a policy that removes.
    fn asked_to_delete(&self, shot: usize) -> bool {
        let before = self.versions.iter().filter(|it| it.cloud <= shot).filter_map(|it| it.object.as_ref());
        before.into_iter().any(|it| {
            !it["metadata"]["deletionTimestamp"].is_null() && it["spec"]["deletionPolicy"] != "Retain"
        })
    }

    /// I4: the record that makes a name the resource's own begins with an object that it wrote or might take over.
    fn records(&self, found: &mut Vec<String>) {
        let mut had = false;
        for version in &self.versions {
            let has = version.object.as_ref().is_some_and(|it| !it["status"]["remote"].is_null());
            if has && !had {
                let wrote = self.shots.iter().take(version.cloud).any(|it| it.by.is_some());
                // In the pass that recorded it; it may have changed since it was read.
                let may = (version.since - 1..version.cloud).any(|shot| {
                    self.target(shot).is_some_and(|it| self.adoptable(version.cloud, &self.thumbprint(it)))
                });
                if !wrote && !may {
                    found.push("I4: recorded as its own what it neither wrote nor might take over".into());
                }
            }
            had = has;
        }
    }

    /// I2, I14: what is created was recorded before, and the record was made of the object as the pass had read it.
    fn intents(&self, found: &mut Vec<String>) {
        let intent =
            |it: &Version| it.object.as_ref().map(|it| it["status"]["intent"].clone()).unwrap_or_default();
        let mut last = Value::Null;
        for version in &self.versions {
            let (now, object) = (intent(version), version.object.clone().unwrap_or_default());
            let fresh = object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && (object["metadata"]["deletionTimestamp"].is_null() || removes(&now));
            if !now.is_null() && now != last && !fresh {
                found.push("I14: an intent was recorded over a change that the pass had not seen".into());
            }
            last = now;
        }
        for (index, shot) in self.shots.iter().enumerate().skip(1).filter(|it| it.1.by.is_some()) {
            let (None, Some(after)) = (self.target(index - 1), self.target(index)) else { continue };
            let is_it = |it: &Version| it.cloud <= index && self.fixture.announces(&intent(it), after);
            if !self.versions.iter().any(is_it) {
                found.push(format!("I2: {:?} created what no intent had announced", shot.by));
            }
        }
    }

    /// I4: nothing is uploaded for a resource that was last seen to be deleted, nor by one that was seen to only look.
    fn views(&self, found: &mut Vec<String>) {
        for (index, shot) in self.shots.iter().enumerate() {
            let Some(call) = shot.by.as_ref().filter(|it| !it.late) else { continue };
            let view = self.seen.iter().rev().find(|it| it.cloud <= index).and_then(|it| it.object.as_ref());
            let Some(view) = view else { continue };
            let deleted = !view["metadata"]["deletionTimestamp"].is_null();
            let looks = matches!(view["spec"]["managementPolicy"].as_str(), Some("Observe" | "Suspend"));
            if (deleted && call.method != Method::DELETE) || looks {
                found.push(format!(
                    "I4: {} although the resource was seen not to want it any more",
                    call.method
                ));
            }
        }
    }

    /// I7: whenever Ready=True was written, the cloud held what was wanted, verified if asked.
    fn honesty(&self, found: &mut Vec<String>) {
        for version in self.versions.iter().filter(|it| it.cause == Cause::Status) {
            let Some(object) = &version.object else { continue };
            let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
            let ready = conditions.into_iter().find(|it| it["type"] == "Ready").unwrap_or_default();
            let current = ready["observedGeneration"] == object["metadata"]["generation"];
            if ready["status"] != "True" || !current || ready["reason"] == "Suspended" {
                continue;
            }
            if !self.was_seen(version, &object["spec"]) {
                let held = self.target(version.cloud - 1).map(|it| self.fixture.shown(it));
                found.push(format!("I7: Ready=True although the cloud held {held:?}"));
            }
        }
    }

    /// Whether in the pass that wrote this version, after the last write to the cloud, the cloud held what was wanted.
    fn was_seen(&self, version: &Version, spec: &Value) -> bool {
        let wanted = |it: &str| {
            let later =
                self.sources.iter().filter(|(at, _)| (version.since + 1..=version.cloud).contains(at));
            let then = self.sources.iter().rev().find(|(at, _)| *at <= version.since);
            then.into_iter().chain(later).any(|(_, which)| which.pair().thumbprint == it)
        };
        let first = version.since.min(version.cloud) - 1;
        let written = (first + 1..version.cloud).rev().find(|it| self.shots[*it].by.is_some());
        let asks = self.fixture.asks_verification(spec);
        (written.unwrap_or(first)..version.cloud).any(|shot| {
            let held = self.target(shot).map(|it| self.fixture.shown(it));
            held.is_some_and(|it| wanted(&it.thumbprint) && (it.verified || !asks))
        })
    }

    /// I8: no key, no client secret, nothing of a service's answer in any status or event.
    fn secrets(&self, events: &[Value], found: &mut Vec<String>) {
        let stored = self.versions.iter().filter_map(|it| it.object.as_ref());
        let texts = stored.map(|it| it["status"].to_string()).chain(events.iter().map(Value::to_string));
        let mut canaries: Vec<_> = pairs().iter().map(|it| it.canary()).collect();
        canaries.extend([CLIENT_SECRET, MARKER]);
        for text in texts {
            for canary in canaries.iter().filter(|it| text.contains(**it)) {
                found.push(format!("I8: `{canary}` stands in {text}"));
            }
        }
    }

    /// I1: what a resource that is gone had made is gone too, unless it was to stay.
    fn end(&self, found: &mut Vec<String>) {
        let Some([before, last]) = self.versions.last_chunk() else { return };
        let (Some(object), None) = (&before.object, &last.object) else { return };
        let spec = &object["spec"];
        let left = self.target(self.shots.len() - 1);
        let adopted = object["status"]["remote"]["origin"] == "Adopted"
            || left.is_some_and(|it| self.fixture.is_adopted(it));
        let stays = match spec["deletionPolicy"].as_str() {
            Some("Retain") => true,
            Some(_) => false,
            None => adopted,
        } || spec["managementPolicy"] == "Observe";
        let last = self.shots.len() - 1;
        let made = self
            .shots
            .iter()
            .enumerate()
            .rev()
            .find(|(index, _)| *index > 0 && self.target(*index) != self.target(index - 1));
        let by_operator = made.is_some_and(|(_, shot)| shot.by.is_some());
        if !stays && by_operator && self.target(last).is_some() {
            found.push("I1: the resource is gone, and what it made stands in the cloud".into());
        }
    }
}

/// Whether an intent is of the removal itself.
fn removes(intent: &Value) -> bool {
    matches!(intent["step"].as_str(), Some("Delete" | "Purge"))
}
