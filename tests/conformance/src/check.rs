//! The checker: what must hold of everything that a run left behind, whatever went wrong in it. It goes by the histories
//! of the API server and of the cloud, never by what the operator says it did.

mod given;
mod named;

use http::Method;
use serde_json::Value;

use crate::api_server::{Cause, Version};
use crate::fixture::{Fixture, Which};
use crate::material::pairs;

use crate::wire::{MARKER, Objects};
use crate::world::{SECRETS, World};

/// What is violated, each with the invariant's name.
pub fn check(run: &World) -> Result<(), String> {
    let history = History::of(run);
    let mut found = Vec::new();
    history.neighbours(&mut found);
    history.intents(&mut found);
    history.views(&mut found);
    history.honesty(&mut found);
    history.secrets(&run.server.events(), &mut found);
    if run.fixture.has_names() {
        named::check(&history, &mut found)
    } else {
        given::check(&history, &mut found)
    }
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
            .filter(|it| !self.fixture.is_in_place(it.0, it.1))
            .map(|(id, it)| (id.clone(), it.clone()))
            .collect()
    }

    /// I2, I4: nothing but what stands in the resource's place is ever made, changed or removed.
    fn neighbours(&self, found: &mut Vec<String>) {
        let first = self.shots.first().map(|it| self.others(&it.objects)).unwrap_or_default();
        for shot in self.shots.iter().filter(|it| self.others(&it.objects) != first) {
            found.push(format!("I2, I4: {:?} touched other objects", shot.by));
        }
    }

    /// What stood in the resource's place.
    fn place(&self, shot: usize) -> Objects {
        self.shots.get(shot).map(|it| self.fixture.place(&it.objects)).unwrap_or_default()
    }

    /// What stood for the resource whose status this is.
    fn standing(&self, shot: usize, status: &Value) -> Option<Value> {
        let place = self.place(shot);
        place.get(&self.fixture.standing(&place, status)?).cloned()
    }

    fn thumbprint(&self, object: &Value) -> String {
        self.fixture.shown(object).thumbprint
    }

    /// I14: what is about to be created is recorded of the resource as the pass had read it.
    fn intents(&self, found: &mut Vec<String>) {
        let mut last = Value::Null;
        for version in &self.versions {
            let (mut now, object) = (intent(version).clone(), version.object.clone().unwrap_or_default());
            if let Some(intent) = now.as_object_mut().filter(|it| it["step"] == "Upload") {
                intent.remove("made"); // what an answer told, whatever has changed since
            }
            let fresh = object["status"]["observedGeneration"] == object["metadata"]["generation"]
                && (object["metadata"]["deletionTimestamp"].is_null() || removes(&now));
            if !now.is_null() && now != last && !fresh {
                found.push("I14: an intent was recorded over a change that the pass had not seen".into());
            }
            last = now;
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
            let removes = || {
                let (before, after) = (self.place(index - 1), self.place(index));
                call.method == Method::DELETE || self.fixture.lets_go(&before, &after)
            };
            if (deleted && !removes()) || looks {
                found.push(format!(
                    "I4: {} although the resource was seen not to want it any more",
                    call.method
                ));
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
            if !self.was_seen(version, object) {
                let held =
                    self.standing(version.cloud - 1, &object["status"]).map(|it| self.fixture.shown(&it));
                found.push(format!("I7: Ready=True although the cloud held {held:?}"));
            }
        }
    }

    /// Whether in the pass that wrote this version, after the last write to the cloud, the cloud held what was wanted.
    fn was_seen(&self, version: &Version, object: &Value) -> bool {
        let wanted = |it: &str| {
            let later =
                self.sources.iter().filter(|(at, _)| (version.since + 1..=version.cloud).contains(at));
            let then = self.sources.iter().rev().find(|(at, _)| *at <= version.since);
            then.into_iter().chain(later).any(|(_, which)| which.pair().thumbprint == it)
        };
        let first = version.since.min(version.cloud) - 1;
        let written = (first + 1..version.cloud).rev().find(|it| self.shots[*it].by.is_some());
        (written.unwrap_or(first)..version.cloud).any(|shot| {
            let held = self.standing(shot, &object["status"]);
            held.is_some_and(|it| {
                wanted(&self.thumbprint(&it)) && self.fixture.is_as_asked(&object["spec"], &it)
            })
        })
    }

    /// I8: no key, no client secret, nothing of a service's answer in any status or event.
    fn secrets(&self, events: &[Value], found: &mut Vec<String>) {
        let stored = self.versions.iter().filter_map(|it| it.object.as_ref());
        let texts = stored.map(|it| it["status"].to_string()).chain(events.iter().map(Value::to_string));
        let mut canaries: Vec<_> = pairs().iter().map(|it| it.canary()).collect();
        canaries.extend(SECRETS);
        canaries.push(MARKER);
        for text in texts {
            for canary in canaries.iter().filter(|it| text.contains(**it)) {
                found.push(format!("I8: `{canary}` stands in {text}"));
            }
        }
    }
}

/// What a version says that is about to be created.
fn intent(version: &Version) -> &Value {
    version.object.as_ref().map_or(&Value::Null, |it| &it["status"]["intent"])
}

/// Whether an intent is of the removal itself.
fn removes(intent: &Value) -> bool {
    matches!(intent["step"].as_str(), Some("Delete" | "Discard" | "Purge"))
}
