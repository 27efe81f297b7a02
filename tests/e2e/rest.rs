//! At rest: settled objects are read, and nothing is written, neither to the service nor to the API server.

use anyhow::{Result, ensure};
use certferry_rig::installation::{NAMESPACE, ca};
use certferry_rig::wait::eventually;

use crate::world::{SOON, World, shared};

const OBJECTS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_settled_objects_are_only_read() -> Result<()> {
    let world = World::start("rest").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let manifests: Vec<_> = (0..OBJECTS).map(|number| world.certificate(&format!("root-{number}"))).collect();
    world.apply(&manifests.join("---\n")).await?;
    let wait = ["wait", "--for=condition=Ready", "--timeout=120s", "iothubcertificates", "--all"];
    world.kubectl(&wait).await?;

    let (hub_writes, api_writes) = (world.writes().await?, own_writes(&world).await?);
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
    ensure!(own_writes(&world).await? == api_writes, "the API server was written at rest");
    world.stop().await
}

/// The operator's writes to this test's objects, from the audit log.
pub async fn own_writes(world: &World) -> Result<usize> {
    let operator = format!("system:serviceaccount:{NAMESPACE}:certferry");
    let events = shared().await?.plane.audit_events()?;
    let writes = events.iter().filter(|it| {
        it.user == operator
            && it.namespace == world.namespace
            && !matches!(it.verb.as_str(), "get" | "list" | "watch")
    });
    Ok(writes.count())
}
