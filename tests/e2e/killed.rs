//! The operator killed at each of its calls, started again, and looked at when all is at rest.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::operator::Operator;
use certferry_rig::wait::eventually;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::json;

use crate::failover::Stage;
use crate::instance::{INSTANCE, all_settings, as_set};
use crate::service::from_vault;
use crate::vault::{VAULT, policy};
use crate::world::{SOON, World, thumbprint};

/// A call that is held: its answer once the service has done it, or the call itself before.
pub struct HeldCall {
    operation: String,
    seen: usize,
    call: usize,
}

pub async fn hold(world: &World, operation: &str, call: usize) -> Result<HeldCall> {
    hold_at(world, operation, call, "after").await
}

async fn hold_at(world: &World, operation: &str, call: usize, when: &str) -> Result<HeldCall> {
    let seen = made(world, operation).await?;
    let held = json!({
        "operation": operation, "times": 1, "skip": call,
        "action": { "delay": { "ms": 20_000, "when": when } },
    });
    world.emulator.control_post("faults", &held).await?;
    Ok(HeldCall { operation: operation.to_owned(), seen, call })
}

/// How many such calls were made.
async fn made(world: &World, operation: &str) -> Result<usize> {
    let journal = world.emulator.control_get(&format!("requests?operation={operation}")).await?;
    Ok(journal["requests"].as_array().context("no requests")?.len())
}

impl HeldCall {
    /// Waits until the call is made, and kills the operator.
    pub async fn kill(self, world: &World, operator: &mut Operator) -> Result<()> {
        eventually(SOON, "the call at which it is killed", async || {
            let made = made(world, &self.operation).await? - self.seen;
            ensure!(made > self.call, "{made} calls");
            Ok(())
        })
        .await?;
        operator.process.signal(Signal::KILL)?;
        operator.process.wait_exit(Duration::from_secs(10)).await?;
        world.emulator.control(Method::DELETE, "faults", None).await.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_call_it_goes_on_as_if_nothing_had_been() -> Result<()> {
    let stage = Stage::set().await?;
    let alone = ["--leader-elect=false"];
    let world = stage.world("killed").await?;
    let second = ca("Factory root 2")?;
    let mut killed = 0;
    // A clean run makes six calls for each of the first two, and three for the deletion.
    for (work, calls) in [("create", 6), ("rotate", 6), ("delete", 3)] {
        for call in 0..calls {
            let name = format!("{work}-{call}");
            let secret = format!("ca-{name}");
            let mut operator = stage.operator(&alone).await?;
            let expected = ca(&name)?;
            world.tls_secret(&secret, if work == "create" { &expected } else { &second }).await?;
            let manifest = world.certificate(&name).replace("factory-ca", &secret);
            if work != "create" {
                world.apply(&manifest).await?;
                world.ready(&name).await?;
            }
            let held = hold(&world, "iotHubCertificates.*", call).await?;
            match work {
                "create" => world.apply(&manifest).await?,
                "rotate" => world.tls_secret(&secret, &expected).await?,
                _ => {
                    world.kubectl(&["delete", "iothubcertificate", &name, "--wait=false"]).await.map(drop)?
                }
            }
            held.kill(&world, &mut operator).await.with_context(|| name.clone())?;
            killed += 1;
            let operator = stage.operator(&alone).await?;
            if work == "delete" {
                world
                    .kubectl(&["wait", "--for=delete", "--timeout=60s", &format!("iothubcertificate/{name}")])
                    .await?;
                ensure!(world.in_hub(&name).await.is_err(), "{name} is still in the hub");
            } else {
                world.hub_becomes(&name, &thumbprint(&expected)).await.with_context(|| name.clone())?;
                world.ready(&name).await.with_context(|| name.clone())?;
                let origin = world.field(&name, ".status.remote.origin").await?;
                ensure!(origin == "Created", "{name} is {origin}");
                world.delete(&name).await?;
            }
            operator.stop().await?;
        }
    }
    println!("killed {killed} times");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_call_to_a_vault_it_leaves_one_version_and_no_orphan() -> Result<()> {
    let stage = Stage::set().await?;
    let alone = ["--leader-elect=false"];
    let world = stage.world("vault-killed").await?.about("keyvaultcertificate");
    let mut killed = 0;
    // A clean run makes so many calls: the reads, the writes between them, and the read of the operation.
    for (work, calls) in [("create", 5), ("import", 4), ("merge", 8), ("purge", 6)] {
        for call in 0..calls {
            let name = format!("{work}-{call}");
            let mut operator = stage.operator(&alone).await?;
            let signed_by = json!({ "caSecretRef": { "name": "factory-ca" } });
            let members = match work {
                "import" => json!({ "import": { "secretRef": { "name": "factory-ca" } } }),
                "merge" => json!({ "policy": policy("Unknown"), "signedBy": signed_by }),
                _ => json!({ "policy": policy("Self"), "deletionPolicy": "Purge" }),
            };
            let manifest = world.in_vault(&name, members);
            if work == "purge" {
                world.apply(&manifest).await?;
                world.ready(&name).await?;
            }
            let held = hold(&world, "keyVault*", call).await?;
            match work {
                "purge" => world
                    .kubectl(&["delete", "keyvaultcertificate", &name, "--wait=false"])
                    .await
                    .map(drop)?,
                _ => world.apply(&manifest).await?,
            }
            held.kill(&world, &mut operator).await.with_context(|| name.clone())?;
            killed += 1;
            let operator = stage.operator(&alone).await?;
            if work == "purge" {
                world
                    .kubectl(&[
                        "wait",
                        "--for=delete",
                        "--timeout=90s",
                        &format!("keyvaultcertificate/{name}"),
                    ])
                    .await?;
                ensure!(!world.knows(&name).await, "{name} is still in the vault");
            } else {
                world.ready(&name).await.with_context(|| name.clone())?;
                world.only_version(&name).await.with_context(|| name.clone())?;
                let origin = world.field(&name, ".status.remote.origin").await?;
                ensure!(origin == "Created", "{name} is {origin}");
            }
            operator.stop().await?;
        }
    }
    println!("killed {killed} times");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_call_of_a_renewal_it_makes_one_new_version() -> Result<()> {
    let stage = Stage::set().await?;
    let alone = ["--leader-elect=false"];
    let world = stage.world("vault-renewal-killed").await?.about("keyvaultcertificate");
    let slow = json!({ "delays": { "issue": 3 } });
    world.emulator.control(Method::PUT, &format!("vaults/{VAULT}"), Some(&slow)).await?;
    let clock = async |seconds: i64| {
        let offset = json!({ "offsetSeconds": seconds });
        world.emulator.control(Method::PUT, "clock", Some(&offset)).await.map(drop)
    };
    // The certificate and its operation, the create, both again while the vault is at work, and when it is done.
    let calls = 7;
    for call in 0..calls {
        let name = format!("renewal-{call}");
        let mut operator = stage.operator(&alone).await?;
        // Made 300 days ago: 65 days are left.
        clock(-300 * 86_400).await?;
        world.apply(&world.in_vault(&name, json!({ "policy": policy("Self") }))).await?;
        world.ready(&name).await.with_context(|| name.clone())?;
        let first = world.only_version(&name).await?;
        clock(0).await?;
        world.quiet(&name).await?; // with a token of this time
        let held = hold(&world, "keyVault*", call).await?;
        let due = world.in_vault(&name, json!({ "policy": policy("Self"), "renewBefore": "2000h" }));
        world.apply(&due).await?;
        held.kill(&world, &mut operator).await.with_context(|| name.clone())?;
        let operator = stage.operator(&alone).await?;
        eventually(SOON, "one new version", async || {
            let versions = world.versions(&name).await?;
            ensure!(versions.len() == 2 && versions[0].id == first.id, "{name}: {versions:?}");
            Ok(())
        })
        .await?;
        world.says(&name, "Ready", "").await.with_context(|| name.clone())?;
        world.quiet(&name).await.with_context(|| name.clone())?;
        let versions = world.versions(&name).await?;
        ensure!(versions.len() == 2, "{name}: {versions:?}");
        ensure!(world.field(&name, ".status.remote.version").await? == versions[1].id, "{name}");
        world.delete(&name).await?;
        operator.stop().await?;
    }
    println!("killed {calls} times");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_after_any_call_to_a_service_it_loses_no_rotation_and_takes_nothing_over() -> Result<()> {
    let stage = Stage::set().await?;
    let alone = ["--leader-elect=false"];
    let world = stage.world("service-killed").await?.about("apimanagementcertificate");
    world
        .tamper_service(Method::PUT, "theirs", Some(&json!({ "certificate": ca("theirs")?.certificate })))
        .await?;
    let operator = stage.operator(&alone).await?;
    let vault = world.about("keyvaultcertificate");
    vault.apply(&vault.in_vault("web", json!({ "policy": policy("Self") }))).await?;
    vault.ready("web").await?;
    let world = vault.about("apimanagementcertificate");
    let read = world.only_version("web").await?.thumbprint;
    operator.stop().await?;
    let theirs = world.stored("theirs").await?;
    let mut killed = 0;
    // A clean run makes so many calls.
    for (work, calls) in [("create", 3), ("rotate", 3), ("vault", 3), ("delete", 3)] {
        for call in 0..calls {
            let name = format!("{work}-{call}");
            let secret = format!("tls-{name}");
            let mut operator = stage.operator(&alone).await?;
            let (first, second) = (ca("first")?, ca("second")?);
            world.tls_secret(&secret, &first).await?;
            let manifest = match work {
                "vault" => world.in_service(&name, from_vault("web")),
                _ => world.in_service(&name, json!({ "source": { "secretRef": { "name": secret } } })),
            };
            if matches!(work, "rotate" | "delete") {
                world.apply(&manifest).await?;
                world.ready(&name).await?;
            }
            let held = hold(&world, "apiManagementCertificates.*", call).await?;
            match work {
                "rotate" => world.tls_secret(&secret, &second).await?,
                "delete" => world.kubectl(&["delete", world.kind, &name, "--wait=false"]).await.map(drop)?,
                _ => world.apply(&manifest).await?,
            }
            held.kill(&world, &mut operator).await.with_context(|| name.clone())?;
            killed += 1;
            let operator = stage.operator(&alone).await?;
            if work == "delete" {
                let object = format!("{}/{name}", world.kind);
                world.kubectl(&["wait", "--for=delete", "--timeout=90s", &object]).await?;
                ensure!(world.stored(&name).await.is_err(), "{name} is still in the service");
            } else {
                let expected = match work {
                    "rotate" => thumbprint(&second),
                    "vault" => read.clone(),
                    _ => thumbprint(&first),
                };
                world.service_becomes(&name, &expected).await.with_context(|| name.clone())?;
                world.ready(&name).await.with_context(|| name.clone())?;
                let origin = world.field(&name, ".status.remote.origin").await?;
                ensure!(origin == "Created", "{name} is {origin}");
            }
            operator.stop().await?;
        }
    }
    ensure!(world.stored("theirs").await? == theirs, "what is others' was touched");
    println!("killed {killed} times");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_call_to_an_instance_it_leaves_one_certificate_and_never_none() -> Result<()> {
    let stage = Stage::set().await?;
    let alone = ["--leader-elect=false"];
    let world = stage.world("instance-killed").await?.about("iotdacertificate");
    world.signs("Derived").await?;
    let mut killed = 0;
    // A clean run makes so many calls: the reads, and the writes between them. Two rotations: the old one goes at once,
    // or stays for an hour.
    let after = [("create", 10), ("rotate", 20), ("keep", 12), ("delete", 5)];
    let after = after.iter().flat_map(|(work, calls)| (0..*calls).map(|it| (*work, "*", it, "after")));
    // And before a write is done. What comes of an upload then is waited for longer than a test may take.
    let before = [
        ("create", ["verify", "update"].as_slice()),
        ("rotate", &["verify", "update", "delete"]),
        ("delete", &["update", "delete"]),
    ];
    let before = before.iter().flat_map(|(work, writes)| writes.iter().map(|it| (*work, *it, 0, "before")));
    for (work, write, call, when) in after.chain(before) {
        let name = format!("{work}-{when}-{}-{call}", write.replace('*', "any"));
        let mut operator = stage.operator(&alone).await?;
        let (first, second) = (ca("first")?, ca("second")?);
        world.tls_secret("ca", &first).await?;
        let mut members = all_settings();
        members["adoptionPolicy"] = "Never".into();
        let grace = if work == "keep" { "1h" } else { "0s" };
        members["rotation"] = json!({ "gracePeriod": grace });
        let manifest = world.in_instance(&name, members);
        if work != "create" {
            world.apply(&manifest).await?;
            world.ready(&name).await?;
        }
        let writes = world.written().await?.len();
        let held = hold_at(&world, &format!("iotdaCertificates.{write}"), call, when).await?;
        match work {
            "create" => world.apply(&manifest).await?,
            "delete" => world.kubectl(&["delete", world.kind, &name, "--wait=false"]).await.map(drop)?,
            _ => world.tls_secret("ca", &second).await?,
        }
        held.kill(&world, &mut operator).await.with_context(|| name.clone())?;
        killed += 1;
        let operator = stage.operator(&alone).await?;
        let kept: &[_] = match work {
            "create" => &[&first],
            "rotate" => &[&second],
            "keep" => &[&first, &second],
            _ => &[],
        };
        world.holds(kept).await.with_context(|| name.clone())?;
        if let [_] = kept {
            world.settings_become(&as_set()).await.with_context(|| name.clone())?;
        }
        if !kept.is_empty() {
            world.ready(&name).await.with_context(|| name.clone())?;
            let origin = world.field(&name, ".status.remote.origin").await?;
            ensure!(origin == "Created", "{name} is {origin}");
            let mut uploads = world.written().await?.split_off(writes);
            uploads.retain(|it| it == "upload");
            ensure!(uploads.len() == 1, "{name}: {} uploads", uploads.len());
        }
        let written = world.written_to().await?.split_off(writes);
        let gone = written.iter().position(|(call, _)| call == "delete");
        if work == "rotate" {
            let id = world.only_in(INSTANCE).await?.id;
            // One that was held may not have been done.
            let last = |call: &str| written.iter().rposition(|it| it.0 == call && it.1 == id);
            let (proven, set) = (last("verify"), last("update"));
            ensure!(proven.is_some() && proven < set && set < gone, "{name}: {written:?}");
        }
        ensure!(work != "keep" || gone.is_none(), "{name}: {written:?}");
        world.kubectl(&["delete", world.kind, &name, "--ignore-not-found", "--timeout=60s"]).await?;
        ensure!(world.all_in(INSTANCE).await?.is_empty(), "{name}: something is left");
        operator.stop().await?;
    }
    println!("killed {killed} times");
    world.stop().await
}
