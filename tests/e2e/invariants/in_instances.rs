//! The same for IoTDA, whose ids are its own: what stands there is found by the ids that the objects record, and known by
//! what it holds.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, ensure};
use serde_json::Value;

use super::took_effect;
use crate::instance::Stored;
use crate::signatures;
use crate::world::World;

const INSTANCES: [&str; 3] = ["iotda-1", "iotda-2", "iotda-basic"];

/// Whether a request of the journal is to IoTDA.
pub fn is_one(request: &Value) -> bool {
    request["operation"].as_str().is_some_and(|it| it.starts_with("iotda"))
}

/// I4: what was written had been uploaded by the operator before, or was planted for it to adopt.
pub async fn nothing_else_was_called(world: &World) -> Result<()> {
    let planted: BTreeSet<_> =
        all(world).await.into_values().filter(|it| it.planted).map(|it| it.id).collect();
    let requests = world.requests().await?;
    let written = requests.iter().filter(|it| is_one(it) && took_effect(it));
    let uploads = written.clone().filter(|it| it["operation"] == "iotdaCertificates.upload").count();
    let ids: BTreeSet<_> = written
        .filter_map(|it| it["path"].as_str()?.split("/certificates/").nth(1)?.split('/').next())
        .filter(|id| !planted.contains(*id))
        .collect();
    ensure!(ids.len() <= uploads, "I4: {uploads} uploads, and writes of {ids:?}");
    Ok(())
}

/// Whatever was not refused is signed as other code computes it, too. A refusal may be what a test is about.
pub async fn each_signature_is_right(world: &World) -> Result<()> {
    let mut requests = signatures::all_signed(&world.emulator).await?;
    requests.retain(|it| it["answer"]["applied"] != 401);
    if requests.is_empty() {
        return Ok(());
    }
    signatures::are_right(&world.emulator, &requests).await
}

/// I1 and I7: where Ready is True, the certificate of the recorded id stands there and is the recorded one; and whatever
/// was uploaded is some object's, present or retiring.
pub async fn all_is_as_the_objects_say(world: &World) -> Result<()> {
    let there = all(world).await;
    let mut known = BTreeSet::new();
    for object in objects(world).await? {
        let status = &object["status"];
        let id = status["remote"]["id"].as_str().unwrap_or_default().to_owned();
        let retiring = status["retiring"].as_array().into_iter().flatten();
        known.extend(retiring.filter_map(|it| it["id"].as_str()).map(str::to_owned));
        if is_ready(&object) {
            let told = &status["certificate"]["sha1Thumbprint"];
            let asked = !object["spec"]["verification"].is_null();
            let holds = |it: &Stored| *told == it.thumbprint && (it.verified || !asked);
            ensure!(there.get(&id).is_some_and(holds), "I7: {object} is Ready, and there are {there:?}");
        }
        known.insert(id);
    }
    let left = there.values().find(|it| !it.planted && !known.contains(&it.id));
    ensure!(left.is_none(), "I1: {left:?} is no object's");
    Ok(())
}

async fn all(world: &World) -> BTreeMap<String, Stored> {
    let mut all = Vec::new();
    for instance in INSTANCES {
        all.extend(world.all_in(instance).await.unwrap_or_default());
    }
    all.into_iter().map(|it| (it.id.clone(), it)).collect()
}

fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
    let mut ready = conditions.filter(|it| it["type"] == "Ready" && it["status"] == "True");
    ready.any(|it| it["observedGeneration"] == object["metadata"]["generation"])
}

async fn objects(world: &World) -> Result<Vec<Value>> {
    let listed = world.kubectl(&["get", "iotdacertificates", "-o", "json"]).await?;
    let listed: Value = serde_json::from_str(&listed)?;
    Ok(listed["items"].as_array().cloned().unwrap_or_default())
}
