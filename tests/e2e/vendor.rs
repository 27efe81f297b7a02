//! The vendors' own clients, unchanged: they drive the emulator, and they read back what the operator made.

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::programs;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::instance::{INSTANCE_ID, OTHER_TEMPLATE, TEMPLATE, all_settings};
use crate::service::{SERVICE, from_secret};
use crate::signatures;
use crate::vault::{VAULT, merge, policy};
use crate::world::{World, thumbprint};

/// What a script of the emulator's prints, run by a Python that has the clients.
async fn run(script: &str, arguments: &[&str]) -> Result<String> {
    let python = programs::vendor_clients().await?;
    let script = format!("{}/emulator/tests/vendor/{script}", env!("CARGO_MANIFEST_DIR"));
    let done = Command::new(python).arg(&script).args(arguments).output().await?;
    ensure!(done.status.success(), "{script}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?)
}

/// The same of what the operator made.
async fn reads(world: &World, script: &str, arguments: &[&str]) -> Result<String> {
    let ca = world.emulator.urls.ca.to_str().context("an odd path")?;
    let arguments: Vec<_> = arguments.iter().map(|it| if *it == "CA" { ca } else { it }).collect();
    run(script, &arguments).await
}

#[tokio::test(flavor = "multi_thread")]
async fn they_drive_the_emulator() -> Result<()> {
    let binary = programs::build("emulator", "emulator").await?;
    let binary = binary.to_str().context("an odd path")?;
    for (script, proves) in [
        ("azure_mgmt_iothub.py", "2018-04-01"),
        ("azure_key_vault.py", "7.0"),
        ("huawei_iotda.py", "V11-HMAC-SHA256, SDK-HMAC-SHA256"),
    ] {
        let told = run(script, &[binary]).await?;
        ensure!(told.contains("passed: ") && told.contains(proves), "{script}: {told}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn they_read_back_what_was_made_in_a_hub() -> Result<()> {
    let world = World::start("vendor-hub").await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;
    let urls = &world.emulator.urls;
    let read =
        reads(&world, "azure_mgmt_iothub.py", &["--made", &urls.arm, &urls.login, "CA", "factory-root"])
            .await?;
    ensure!(read == format!("factory-root {} verified\n", thumbprint(&root)), "{read}");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn they_read_back_what_was_made_in_a_service() -> Result<()> {
    let world = World::of_services("vendor").await?;
    let pair = ca("client")?;
    world.tls_secret("client", &pair).await?;
    world.apply(&world.in_service("client", from_secret())).await?;
    world.ready("client").await?;
    let urls = &world.emulator.urls;
    let read =
        reads(&world, "azure_mgmt_apimanagement.py", &[&urls.arm, &urls.login, "CA", SERVICE, "client"])
            .await?;
    ensure!(read.starts_with(&format!("client {} ", thumbprint(&pair))), "{read}");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn they_read_back_what_was_made_in_a_vault() -> Result<()> {
    let world = World::of_vaults("vendor").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let in_pem = json!({ "policy": { "secretProperties": { "contentType": "application/x-pem-file" } } });
    let mut made = json!({ "policy": policy("Self") });
    merge(&mut made, &in_pem);
    let secret = json!({ "name": "factory-ca" });
    let signed = json!({ "policy": policy("Unknown"), "signedBy": { "caSecretRef": secret } });
    let imported = json!({ "import": { "secretRef": secret } });
    let all = [("made", made), ("signed", signed), ("imported", imported)];
    for (name, members) in &all {
        world.apply(&world.in_vault(name, members.clone())).await?;
        world.ready(name).await?;
    }
    let urls = &world.emulator.urls;
    let vault = urls.vault(VAULT);
    let mut arguments = vec!["--made", &vault, &urls.login, "CA"];
    arguments.extend(all.iter().map(|(name, _)| *name));
    let read = reads(&world, "azure_key_vault.py", &arguments).await?;
    for ((name, _), chain) in all.iter().zip([1, 2, 1]) {
        let thumbprint = world.field(name, ".status.certificate.sha1Thumbprint").await?;
        ensure!(read.contains(&format!("{name} {thumbprint} {chain} 1\n")), "{name} {thumbprint}: {read}");
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn they_read_back_what_was_made_in_an_instance_with_both_signatures() -> Result<()> {
    let world = World::of_instances("vendor").await?;
    let root = ca("devices")?;
    world.uploaded(&root, all_settings()).await?;
    let id = world.field("devices", ".status.remote.id").await?;
    let endpoint = world.emulator.urls.iotda.replace("{instance}", "iotda-1");
    let ours = signatures::all_signed(&world.emulator).await?.len();
    let read = reads(&world, "huawei_iotda.py", &["--made", &endpoint, INSTANCE_ID, "CA", &id]).await?;
    let signed = signatures::all_signed(&world.emulator).await?.split_off(ours);
    for scheme in ["SDK-HMAC-SHA256", "V11-HMAC-SHA256"] {
        let by_it = |it: &Value| signatures::authorization(it).is_ok_and(|it| it.starts_with(scheme));
        ensure!(signed.iter().any(by_it), "the client did not use {scheme}");
    }
    let expected =
        format!("{id} {} verified True {TEMPLATE} True True {OTHER_TEMPLATE}\n", thumbprint(&root));
    ensure!(read == expected, "{read}");
    world.signs("Basic").await?;
    world.switch(json!({ "localSigning": "basic" })).await?;
    world.delete("devices").await?;
    world.switch(json!({ "localSigning": "either" })).await?;
    let gone = reads(&world, "huawei_iotda.py", &["--made", &endpoint, INSTANCE_ID, "CA", &id]).await;
    ensure!(gone.is_err_and(|it| it.to_string().contains("IOTDA.014306")), "the client still sees it");
    world.stop().await
}
