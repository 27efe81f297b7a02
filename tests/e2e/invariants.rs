//! What must hold at the end of every test, whatever it was about. It goes by the emulator's journal and state and by
//! the API server's objects, never by what the operator says it did.

mod in_instances;

use std::collections::BTreeMap;

use anyhow::{Result, bail, ensure};
use certferry_rig::installation::{CLIENT_SECRET, SECRET_KEY};
use certferry_rig::wait::eventually;
use serde_json::Value;

use crate::world::{SOON, World};

/// A remote certificate: `hub-1/factory-root`.
type Id = String;

/// A kind, and where its specs name the parent and the certificate.
const KINDS: [(&str, &str, &str); 3] = [
    ("iothubcertificates", "/iotHub/name", "/certificateName"),
    ("keyvaultcertificates", "/vaultName", "/certificateName"),
    ("apimanagementcertificates", "/apiManagement/serviceName", "/certificateId"),
];

/// Where the emulator's control shows what stands where.
const PARENTS: [&str; 7] = [
    "hubs/hub-1",
    "hubs/hub-2",
    "hubs/hub-3",
    "vaults/vault-1",
    "vaults/vault-2",
    "services/apim-1",
    "services/apim-2",
];

/// All of them.
pub async fn hold(world: &World) -> Result<()> {
    let writes = writes(world).await?;
    only_what_was_asked_for(world, &writes)?;
    in_instances::nothing_else_was_called(world).await?;
    in_instances::each_signature_is_right(world).await?;
    no_secret_is_told(world).await?;
    nothing_is_refused(world)?;
    // What a test did last may still be on its way.
    eventually(SOON, "the invariants", async || {
        let (objects, remote) = (objects(world).await?, remote(world).await?);
        ready_is_true(&objects, &remote)?;
        no_orphan(world, &objects, &remote, &writes)?;
        in_instances::all_is_as_the_objects_say(world).await
    })
    .await
}

/// I4: nothing was ever written but what some manifest had named.
fn only_what_was_asked_for(world: &World, writes: &[Write]) -> Result<()> {
    let asked = world.asked();
    for write in writes {
        ensure!(
            asked.contains_key(&whose(&asked, &write.id)),
            "I4: {} {} is of no manifest: {asked:?}",
            write.operation,
            write.id
        );
    }
    Ok(())
}

/// I7: where Ready is True of the present generation, the service holds the certificate that the status names.
fn ready_is_true(objects: &[(Id, Value)], remote: &BTreeMap<Id, Held>) -> Result<()> {
    for (id, object) in objects {
        let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|it| it["type"] == "Ready" && it["status"] == "True");
        let current = |it: &&Value| {
            it["observedGeneration"] == object["metadata"]["generation"] && it["reason"] != "Suspended"
        };
        let Some(ready) = ready.filter(current) else { continue };
        let told = object["status"]["certificate"]["sha1Thumbprint"].as_str().unwrap_or_default();
        let held = remote.get(&goes_by(id, object));
        ensure!(
            held.is_some_and(|it| it.current.eq_ignore_ascii_case(told)),
            "I7: {id} is {ready} with {told}, and the service holds {held:?}"
        );
    }
    Ok(())
}

/// I1: what was made for a resource that is gone is gone too, unless its last manifest said that it stays.
fn no_orphan(
    world: &World,
    objects: &[(Id, Value)],
    remote: &BTreeMap<Id, Held>,
    writes: &[Write],
) -> Result<()> {
    let last: BTreeMap<_, _> = writes.iter().map(|it| (&it.id, it)).collect();
    let made = last.into_iter().filter(|(id, write)| !write.removes && remote.contains_key(*id));
    let asked = world.asked();
    for (id, write) in made {
        let owner = whose(&asked, id);
        if let Some((_, object)) = objects.iter().find(|it| it.0 == owner) {
            let told = *id == goes_by(&owner, object) || retires(&owner, object).contains(id);
            ensure!(told, "I1: {id} stands, made by {}, and no record tells so", write.operation);
            continue;
        }
        let says = |member: &str| asked.get(&owner).and_then(|it| it[member].as_str());
        let stays = match says("deletionPolicy") {
            Some(policy) => policy == "Retain",
            None => says("adoptionPolicy") == Some("Always"), // what was adopted is retained
        };
        ensure!(stays, "I1: {id} stands, made by {}, and its resource is gone", write.operation);
    }
    Ok(())
}

/// I8: no client secret and no key in any object of ours or any event.
async fn no_secret_is_told(world: &World) -> Result<()> {
    let told = world.kubectl(&["get", "events,certferry", "-o", "json"]).await?;
    for canary in [CLIENT_SECRET, SECRET_KEY, "PRIVATE KEY", "PRIVATE-KEY"] {
        ensure!(!told.contains(canary), "I8: `{canary}` stands in a status or an event");
    }
    Ok(())
}

/// The rights that the chart grants are enough.
fn nothing_is_refused(world: &World) -> Result<()> {
    let refusals = world.refusals()?;
    ensure!(refusals.is_empty(), "the API server refused the operator: {refusals:?}");
    Ok(())
}

/// Whose a remote certificate is: a name with a fingerprint behind it stands beside the one that its manifest gives.
fn whose(asked: &BTreeMap<Id, Value>, id: &Id) -> Id {
    let front = id.rsplit_once('-').filter(|(_, digits)| {
        digits.len() == 8 && digits.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
    });
    let rotates = |(front, _): &(&str, &str)| asked.get(*front).is_some_and(|it| !it["rotation"].is_null());
    front.filter(rotates).map_or(id.as_str(), |(front, _)| front).to_owned()
}

/// The remote certificate that a resource goes by.
fn goes_by(owner: &str, object: &Value) -> Id {
    beside(owner, &object["status"]["remote"]["id"]).unwrap_or_else(|| owner.to_owned())
}

/// Those that retire beside it.
fn retires(owner: &str, object: &Value) -> Vec<Id> {
    let entries = object["status"]["retiring"].as_array();
    entries.into_iter().flatten().filter_map(|it| beside(owner, &it["id"])).collect()
}

/// A hub's id, in the form that the ids here have.
fn beside(owner: &str, id: &Value) -> Option<Id> {
    let (parent, plain) = owner.split_once('/')?;
    let name = id.as_str()?.rsplit('/').next()?;
    let more = name.strip_prefix(plain)?;
    (more.is_empty() || more.starts_with('-')).then(|| format!("{parent}/{name}"))
}

/// A call that took effect and was no read.
struct Write {
    id: Id,
    operation: String,
    removes: bool,
}

async fn writes(world: &World) -> Result<Vec<Write>> {
    let requests = world.requests().await?;
    requests.iter().filter(|it| took_effect(it) && !in_instances::is_one(it)).map(write).collect()
}

/// Whether the request was no read, and the service did what it says.
fn took_effect(request: &Value) -> bool {
    request["method"] != "GET"
        && matches!(request["answer"]["applied"].as_u64(), Some(status) if status < 300)
}

fn write(request: &Value) -> Result<Write> {
    let text = |member: &str| request[member].as_str().unwrap_or_default();
    let path: Vec<_> = text("path").trim_matches('/').split('/').collect();
    let at = path.iter().position(|it| matches!(*it, "certificates" | "deletedcertificates"));
    let Some((at, name)) = at.and_then(|at| Some((at, path.get(at + 1)?))) else {
        bail!("a write that is of no certificate: {request}")
    };
    // A vault is named by the host, the others by the path.
    let parent = match at {
        0 => text("host").split('.').next(),
        _ => path.get(at - 1).copied(),
    };
    Ok(Write {
        id: format!("{}/{name}", parent.unwrap_or_default()),
        operation: text("operation").to_owned(),
        removes: request["method"] == "DELETE",
    })
}

/// The resources of this world, each with what it is for.
async fn objects(world: &World) -> Result<Vec<(Id, Value)>> {
    let mut objects = Vec::new();
    for (kind, ..) in KINDS {
        let listed: Value = serde_json::from_str(&world.kubectl(&["get", kind, "-o", "json"]).await?)?;
        let items = listed["items"].as_array().cloned().unwrap_or_default();
        objects.extend(items.into_iter().filter_map(|it| Some((id(&it)?, it))));
    }
    Ok(objects)
}

/// What a resource is for.
pub fn id(object: &Value) -> Option<Id> {
    let plural = format!("{}s", object["kind"].as_str()?.to_lowercase());
    let (_, parent, name) = KINDS.into_iter().find(|it| it.0 == plural)?;
    let spec = &object["spec"];
    let name = spec.pointer(name).or_else(|| object.pointer("/metadata/name"))?;
    Some(format!("{}/{}", spec.pointer(parent)?.as_str()?, name.as_str()?))
}

/// A certificate in a service.
#[derive(Debug)]
struct Held {
    /// The thumbprint of its newest version.
    current: String,
}

async fn remote(world: &World) -> Result<BTreeMap<Id, Held>> {
    let mut remote = BTreeMap::new();
    for path in PARENTS {
        let Ok(parent) = world.emulator.control_get(path).await else { continue };
        let name = path.rsplit('/').next().unwrap_or_default();
        for certificate in parent["certificates"].as_array().into_iter().flatten() {
            let versions = certificate["versions"].as_array();
            let issued = versions.into_iter().flatten().rev().find(|it| !it["thumbprint"].is_null());
            let current = issued.unwrap_or(certificate)["thumbprint"].as_str().unwrap_or_default();
            let certificate_name = certificate["name"].as_str().or_else(|| certificate["id"].as_str());
            if certificate["deleted"].is_null() || certificate["deleted"] == false {
                let id = format!("{name}/{}", certificate_name.unwrap_or_default());
                remote.insert(id, Held { current: current.to_owned() });
            }
        }
    }
    Ok(remote)
}
