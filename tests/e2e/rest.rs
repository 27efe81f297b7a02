//! At rest: settled objects are read, and nothing is written, neither to the service nor to the API server.

use anyhow::{Result, ensure};
use certferry_rig::installation::{NAMESPACE, ca};
use certferry_rig::wait::eventually;
use serde_json::Value;

use crate::shared::shared;
use crate::world::{SOON, World};

const OBJECTS: usize = 100;

/// The hubs of the emulator's own world, with their resource groups.
const HUBS: [(&str, &str); 3] = [("rg-devices", "hub-1"), ("rg-devices", "hub-2"), ("rg-other", "hub-3")];

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_settled_objects_are_only_read() -> Result<()> {
    let world = World::start("rest").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let manifests: Vec<_> = (0..OBJECTS).map(|number| world.certificate(&format!("root-{number}"))).collect();
    world.apply(&manifests.join("---\n")).await?;
    let wait = ["wait", "--for=condition=Ready", "--timeout=120s", "iothubcertificates", "--all"];
    world.kubectl(&wait).await?;

    let (hub_writes, api_writes) = (world.writes().await?, own_writes(&world).await?.len());
    for round in 0..3 {
        let reads = world.calls().await?;
        let nudge = format!("certferry-test/round={round}");
        world.kubectl(&["annotate", "--overwrite", "iothubcertificates", "--all", &nudge]).await?;
        eventually(SOON, "every object read again", async || {
            let calls = world.calls().await?;
            ensure!(calls >= reads + OBJECTS, "{} of {OBJECTS} read", calls - reads);
            Ok(())
        })
        .await?;
    }
    ensure!(world.writes().await? == hub_writes, "the hub was written at rest");
    nothing_written_since(&world, api_writes).await?;
    world.stop().await
}

/// Their resync interval is a minute, the shortest there is.
#[tokio::test(flavor = "multi_thread")]
async fn settled_objects_share_one_listing_per_hub_and_interval() -> Result<()> {
    let world = World::start("listing").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let in_hub = |number: usize| {
        let (group, hub) = HUBS[number % HUBS.len()];
        let manifest = world.certificate(&format!("root-{number}"));
        manifest.replace("rg-devices", group).replace("name: hub-1", &format!("name: {hub}"))
    };
    let manifests: Vec<_> = (0..OBJECTS).map(in_hub).collect();
    world.apply(&manifests.join("---\n")).await?;
    let wait = ["wait", "--for=condition=Ready", "--timeout=120s", "iothubcertificates", "--all"];
    world.kubectl(&wait).await?;

    let settled = world.calls().await?;
    let api_writes = own_writes(&world).await?.len();
    eventually(SOON * 10, "three listings of every hub", async || {
        let requests = world.requests().await?;
        let listings = HUBS.map(|(_, hub)| listings(&requests[settled..], hub));
        ensure!(listings.iter().all(|it| *it >= 3), "{listings:?}");
        Ok(())
    })
    .await?;
    let requests = world.requests().await?.split_off(settled);
    let listed: usize = HUBS.iter().map(|(_, hub)| listings(&requests, hub)).sum();
    ensure!(
        requests.len() == listed,
        "{} of {} calls are no listings",
        requests.len() - listed,
        requests.len()
    );
    // While the slowest hub comes to its third listing, another may come to its fourth.
    ensure!(listed <= 4 * HUBS.len(), "{listed} listings for {OBJECTS} objects");
    nothing_written_since(&world, api_writes).await?;

    world.tamper(reqwest::Method::DELETE, "root-0", None).await?;
    eventually(SOON * 10, "the deleted certificate put back after the next listing", async || {
        world.in_hub("root-0").await.map(drop)
    })
    .await?;
    world.stop().await
}

/// How often a hub was listed.
fn listings(requests: &[Value], hub: &str) -> usize {
    let end = format!("/IotHubs/{hub}/certificates");
    let path = |it: &&Value| it["path"].as_str().is_some_and(|it| it.ends_with(&end));
    requests.iter().filter(path).count()
}

/// The operator wrote none of this test's objects since there were so many writes.
pub async fn nothing_written_since(world: &World, before: usize) -> Result<()> {
    let written = own_writes(world).await?.split_off(before);
    ensure!(written.is_empty(), "the API server was written at rest: {written:#?}");
    Ok(())
}

/// The operator's writes to this test's objects, from the audit log.
pub async fn own_writes(world: &World) -> Result<Vec<String>> {
    let operator = format!("system:serviceaccount:{NAMESPACE}:certferry");
    let events = shared().await?.plane.audit_events()?;
    let writes = events.iter().filter(|it| {
        it.user == operator
            && it.namespace == world.namespace
            && !matches!(it.verb.as_str(), "get" | "list" | "watch")
    });
    Ok(writes.map(|it| format!("{} {}", it.verb, it.uri)).collect())
}
