//! What must hold where names are given by the user: there is room for one object, and it is the resource's own because
//! the resource wrote it, or took it over.

use std::collections::BTreeSet;
use std::ops::Deref;

use http::Method;
use serde_json::Value;

use super::{History, intent};
use crate::api_server::Version;

/// All of it.
pub(super) fn check(history: &History, found: &mut Vec<String>) {
    let history = Named(history);
    history.writes(found);
    history.records(found);
    history.creations(found);
    history.end(found);
}

/// What was, under these rules.
struct Named<'a>(&'a History);

impl Deref for Named<'_> {
    type Target = History;

    fn deref(&self) -> &History {
        self.0
    }
}

impl Named<'_> {
    fn target(&self, shot: usize) -> Option<&Value> {
        let objects = &self.shots.get(shot)?.objects;
        objects.iter().find(|it| self.fixture.is_in_place(it.0, it.1)).map(|it| it.1)
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

    /// I2: what is created was announced.
    fn creations(&self, found: &mut Vec<String>) {
        for (index, shot) in self.shots.iter().enumerate().skip(1).filter(|it| it.1.by.is_some()) {
            let (None, Some(after)) = (self.target(index - 1), self.target(index)) else { continue };
            let is_it = |it: &Version| it.cloud <= index && self.fixture.announces(intent(it), after);
            if !self.versions.iter().any(is_it) {
                found.push(format!("I2: {:?} created what no intent had announced", shot.by));
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
