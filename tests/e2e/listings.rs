//! Listings of parents at rest: one of several pages is read to its end, and a restart reads each parent once.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Result, ensure};
use certferry_rig::control_plane::Options;
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::failover::Stage;
use crate::service::from_secret;
use crate::world::{SOON, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_service_of_several_pages_is_listed_to_its_end() -> Result<()> {
    let world = World::of_services("pages").await?;
    let two = json!({ "apiManagement": { "largestPage": 2 } });
    world.emulator.control(Method::PATCH, "switches", Some(&two)).await?;
    world.tls_secret("client", &ca("client")?).await?;
    let names = ["a", "b", "c", "d", "e"];
    for name in names {
        world.apply(&world.in_service(name, from_secret())).await?;
    }
    for name in names {
        world.ready(name).await?;
    }
    let settled = calls_when_calm(&world).await?;
    let listed = |requests: &[Value], skip: &str| {
        let query = |it: &&Value| it["query"].as_str().is_some_and(|it| it.contains(skip));
        requests.iter().filter(query).count()
    };
    eventually(SOON * 10, "a listing to the end", async || {
        let requests = world.requests().await?;
        ensure!(listed(&requests[settled..], "skip=4") >= 1, "not yet");
        Ok(())
    })
    .await?;
    let requests = world.requests().await?.split_off(settled);
    ensure!(only_lists(&requests), "a certificate was read by itself: {requests:#?}");
    ensure!(listed(&requests, "skip=2") >= 1 && listed(&requests, "skip=6") == 0);

    world.tamper_service(Method::DELETE, "e", None).await?;
    eventually(SOON * 10, "what was on the last page put back", async || world.stored("e").await.map(drop))
        .await?;
    world.stop().await
}

/// How many calls there were when none is made for a while: an account that has just signed in wakes those who use it.
async fn calls_when_calm(world: &World) -> Result<usize> {
    eventually(SOON, "a while without a call", async || {
        let before = world.calls().await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let calls = world.calls().await?;
        ensure!(calls == before, "{} calls", calls - before);
        Ok(calls)
    })
    .await
}

fn only_lists(requests: &[Value]) -> bool {
    requests.iter().all(|it| it["operation"].as_str().is_some_and(|it| it.ends_with(".list")))
}

/// The watches of what objects refer to begin together with the first passes.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_reads_each_hub_once() -> Result<()> {
    let stage = Stage::bare(Options::default()).await?;
    stage.cluster.install().await?;
    let mut operator = stage.operator(&[]).await?;
    let world = stage.world("restart").await?;
    let names: Vec<_> = (0..40).map(|number| format!("root-{number}")).collect();
    let hourly = |name: &String| world.certificate(name).replace("resyncInterval: 1m", "resyncInterval: 1h");
    world.apply(&names.iter().map(hourly).collect::<Vec<_>>().join("---\n")).await?;
    for name in &names {
        world.ready(name).await?;
    }

    let (settled, told) = (calls_when_calm(&world).await?, stage.plane.audit_events()?.len());
    operator.restart().await?;
    eventually(SOON, "a pass over each object", async || {
        let events = stage.plane.audit_events()?.split_off(told);
        let passed: BTreeSet<_> = events
            .into_iter()
            .filter(|it| it.verb == "get" && it.resource == "iothubcertificates")
            .map(|it| it.name)
            .collect();
        ensure!(names.iter().all(|it| passed.contains(it)), "{} of {}", passed.len(), names.len());
        Ok(())
    })
    .await?;
    // An account has no turn for them all at once: those that had none come back within five seconds.
    tokio::time::sleep(Duration::from_secs(7)).await;
    let requests = world.requests().await?.split_off(settled);
    ensure!(requests.len() == 1 && only_lists(&requests), "{requests:#?}");
    operator.stop().await?;
    world.stop().await
}
