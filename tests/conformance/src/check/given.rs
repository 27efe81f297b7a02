//! What must hold where the service gives the ids: several objects may stand in the resource's place, each is told by its
//! id, and an object is the resource's own because the resource made it, or took it over by its record.

use std::collections::BTreeSet;
use std::ops::Deref;

use serde_json::Value;

use super::{History, intent};
use crate::api_server::Version;
use crate::wire::Call;

/// All of it.
pub(super) fn check(history: &History, found: &mut Vec<String>) {
    let history = Given(history);
    for (index, shot) in history.shots.iter().enumerate().skip(1) {
        let Some(call) = &shot.by else { continue };
        history.creations(index, call, found);
        history.writes(index, call, found);
    }
    history.known_ids(found);
    history.records(found);
    history.orphans(found);
}

/// What was, under these rules.
struct Given<'a>(&'a History);

impl Deref for Given<'_> {
    type Target = History;

    fn deref(&self) -> &History {
        self.0
    }
}

impl Given<'_> {
    /// The ids that calls of the operator had made before that state.
    fn made(&self, before: usize) -> BTreeSet<String> {
        let by_operator = (1..before.min(self.shots.len())).filter(|it| self.shots[*it].by.is_some());
        by_operator.flat_map(|it| self.came(it)).collect()
    }

    /// The ids that were new in a state.
    fn came(&self, shot: usize) -> Vec<String> {
        let before = self.place(shot - 1);
        self.place(shot).into_keys().filter(|id| !before.contains_key(id)).collect()
    }

    /// I2: what is created was announced, and nothing stood there that held the same.
    fn creations(&self, index: usize, call: &Call, found: &mut Vec<String>) {
        let after = self.place(index);
        for id in self.came(index) {
            let object = &after[&id];
            let announced = |it: &Version| it.cloud <= index && self.fixture.announces(intent(it), object);
            if !self.versions.iter().any(announced) {
                found.push(format!("I2: {} created what no intent had announced", call.method));
            }
            let holds_it = |shot: usize| {
                let place = self.place(shot);
                place
                    .into_iter()
                    .any(|(other, it)| other != id && self.thumbprint(&it) == self.thumbprint(object))
            };
            if (call.made.since - 1..call.made.sent).all(holds_it) {
                found.push("I2: uploaded what was there when the pass began".into());
            }
            let made = self.made(index);
            let twin = |other: &String, it: &Value| {
                made.contains(other) && self.thumbprint(it) == self.thumbprint(object)
            };
            if after.iter().any(|(other, it)| *other != id && twin(other, it)) {
                found.push("I2: uploaded the same content twice".into());
            }
        }
    }

    /// I4: every write that took effect was of something that the resource had made or taken over, and what it removed
    /// was replaced, unless the resource was to go.
    fn writes(&self, index: usize, call: &Call, found: &mut Vec<String>) {
        let (before, after, made) = (self.place(index - 1), self.place(index), self.made(index));
        for (id, object) in before.iter().filter(|(id, it)| after.get(*id) != Some(it)) {
            let recorded = self.was_recorded(id, index);
            if after.contains_key(id) {
                if !made.contains(id) && !recorded && !self.may_take(&self.thumbprint(object), index) {
                    found.push(format!("I4: {} changed what was not the resource's own", call.method));
                }
                continue;
            }
            if !made.contains(id) && !recorded && !self.may_be_the_uploads(object, index) {
                found.push(format!("I4: {} removed what was not the resource's own", call.method));
            } else if recorded && !self.asked_to_delete(index) && !self.is_replaced(id, index, call) {
                found.push("trust lost: removed what served before another one did".into());
            }
        }
    }

    /// Whether an upload of the same got no answer that was recorded: then nothing tells apart what it made and what
    /// somebody else uploaded since.
    fn may_be_the_uploads(&self, object: &Value, shot: usize) -> bool {
        let before = self.versions.iter().rev().filter(|it| it.cloud <= shot).map(intent);
        let upload = before.take_while(|it| !it.is_null()).find(|it| it["step"] == "Upload");
        upload.is_some_and(|it| it["made"].is_null() && self.fixture.announces(it, object))
    }

    /// Whether in the pass that removed it another object served in its stead, with all that was asked of it.
    fn is_replaced(&self, id: &str, index: usize, call: &Call) -> bool {
        let view = self.seen.iter().rev().find(|it| it.cloud <= index).and_then(|it| it.object.clone());
        let spec = view.unwrap_or_default()["spec"].clone();
        (call.made.since - 1..call.made.sent).any(|shot| {
            let others = self.place(shot).into_iter().filter(|it| it.0 != id);
            others.into_iter().any(|(_, it)| {
                self.was_wanted(&self.thumbprint(&it), call.made.sent) && self.fixture.is_as_asked(&spec, &it)
            })
        })
    }

    fn was_wanted(&self, thumbprint: &str, shot: usize) -> bool {
        self.sources.iter().any(|(at, it)| *at <= shot && it.pair().thumbprint == thumbprint)
    }

    /// Whether what somebody else had uploaded might be taken over by then.
    fn may_take(&self, thumbprint: &str, shot: usize) -> bool {
        let before = self.versions.iter().filter(|it| it.cloud <= shot).filter_map(|it| it.object.as_ref());
        let allowed = before.into_iter().any(|it| it["spec"]["adoptionPolicy"] != "Never");
        allowed && self.was_wanted(thumbprint, shot)
    }

    /// Whether the resource's record named it before.
    fn was_recorded(&self, id: &str, shot: usize) -> bool {
        let before = self.versions.iter().filter(|it| it.cloud <= shot);
        before.into_iter().any(|it| recorded(it).iter().any(|it| is_id(id, it)))
    }

    /// I2: what an intent says to have been there before is all that was there.
    fn known_ids(&self, found: &mut Vec<String>) {
        let mut last = &Value::Null;
        for version in &self.versions {
            let now = intent(version);
            if now != last && now["step"] == "Upload" {
                let known: Vec<_> = now["knownIds"].as_array().into_iter().flatten().collect();
                let later = self.place(version.cloud - 1);
                let there = self.place(version.since - 1).into_keys().filter(|it| later.contains_key(it));
                for id in there.filter(|id| !known.iter().any(|it| is_id(id, it))) {
                    found.push(format!("I2: an intent does not know of {id}, which was there"));
                }
            }
            last = now;
        }
    }

    /// I4: what a record names as the resource's own, it made or might take over.
    fn records(&self, found: &mut Vec<String>) {
        let mut had: Vec<Value> = Vec::new();
        for version in &self.versions {
            let now = recorded(version);
            for id in now.iter().filter(|it| !had.contains(it)) {
                let made = self.made(version.cloud).iter().any(|it| is_id(it, id));
                // In the pass that recorded it.
                let may = (version.since - 1..version.cloud).any(|shot| {
                    let place = self.place(shot);
                    let mut it = place.iter().filter(|it| is_id(it.0, id));
                    it.any(|(_, it)| self.may_take(&self.thumbprint(it), version.cloud))
                });
                if !made && !may {
                    found.push(format!(
                        "I4: recorded {id} as its own, which it neither made nor might take over"
                    ));
                }
            }
            had.extend(now);
        }
    }

    /// I1: all that the resource had made and that stands in the end is in its record; of one that is gone nothing
    /// stands, unless it was to stay.
    fn orphans(&self, found: &mut Vec<String>) {
        let (made, left) = (self.made(self.shots.len()), self.place(self.shots.len() - 1));
        let mut left = left.keys().filter(|id| made.contains(*id));
        match self.versions.as_slice() {
            [.., Version { object: Some(before), .. }, Version { object: None, .. }] => {
                let spec = &before["spec"];
                let stays = spec["deletionPolicy"] == "Retain" || spec["managementPolicy"] == "Observe";
                if !stays && let Some(id) = left.next() {
                    found.push(format!(
                        "I1: the resource is gone, and {id}, which it made, stands in the cloud"
                    ));
                }
            }
            [.., last @ Version { object: Some(_), .. }] => {
                let known = recorded(last);
                let place = self.place(self.shots.len() - 1);
                let is_known = |id: &str| {
                    known.iter().any(|it| is_id(id, it)) || self.fixture.announces(intent(last), &place[id])
                };
                if let Some(id) = left.find(|id| !is_known(id)) {
                    found.push(format!("I1: {id}, which the resource made, is in no record"));
                }
            }
            _ => {}
        }
    }
}

/// The ids that the resource's record names as its own.
fn recorded(version: &Version) -> Vec<Value> {
    let Some(object) = &version.object else { return Vec::new() };
    let status = &object["status"];
    let retiring = status["retiring"].as_array().into_iter().flatten().map(|it| it["id"].clone());
    retiring.chain([status["remote"]["id"].clone()]).filter(|it| !it.is_null()).collect()
}

/// Whether a key of the looks is of this id: both end in what tells one object from the next.
fn is_id(key: &str, id: &Value) -> bool {
    id.as_str().is_some_and(|id| key.rsplit('/').next() == id.rsplit('/').next())
}
