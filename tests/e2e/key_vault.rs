//! Certificates in vaults: made by a policy, imported, renewed, taken over, deleted.

use anyhow::{Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::json;

use crate::vault::{VAULT, policy};
use crate::world::{SOON, World, thumbprint};

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_made_by_the_vault_and_deleted() -> Result<()> {
    let world = World::of_vaults("self").await?;
    let manifest = world.in_vault("web", json!({ "policy": policy("Self"), "tags": { "team": "web" } }));
    world.apply(&manifest).await?;
    world.ready("web").await?;
    let version = world.only_version("web").await?;
    ensure!(world.field("web", ".status.remote.version").await? == version.id);
    ensure!(world.field("web", ".status.certificate.sha1Thumbprint").await? == version.thumbprint);
    let tags = &world.held("web").await?["versions"][0]["tags"];
    ensure!(tags["team"] == "web" && tags["managed-by"] == "certferry", "{tags}");
    let actions = &world.held("web").await?["policy"]["lifetime_actions"];
    ensure!(actions[0]["action"]["action_type"] == "EmailContacts", "two would renew: {actions}");
    let columns = world.kubectl(&["get", "keyvaultcertificate", "web"]).await?;
    ensure!(columns.contains("VERSION") && columns.contains(&version.id), "{columns}");
    // Disabled where nobody wrote that it is enabled, it is left so, and told as what waiting does not mend.
    world.tamper_vault(Method::PATCH, "web", json!({ "enabled": false })).await?;
    world.nudge("web").await?;
    world.reason("web", "Disabled").await?;
    ensure!(world.condition("web", "Stalled").await?["status"] == "True");
    world.delete("web").await?;
    ensure!(world.held("web").await?["deleted"].is_object(), "it is not deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_takes_its_time_is_waited_for_and_asked_once() -> Result<()> {
    let world = World::of_vaults("slow").await?;
    let slow = json!({ "delays": { "issue": 5 } });
    world.emulator.control(Method::PUT, &format!("vaults/{VAULT}"), Some(&slow)).await?;
    for words in ["camel", "capital", "old"] {
        let switches = json!({ "keyVault": { "statusWords": words } });
        world.emulator.control(Method::PATCH, "switches", Some(&switches)).await?;
        world.apply(&world.in_vault(words, json!({ "policy": policy("Self") }))).await?;
        world.reason(words, "OperationInProgress").await?;
        world.ready(words).await?;
        let version = world.only_version(words).await?;
        ensure!(world.field(words, ".status.remote.version").await? == version.id);
        ensure!(world.field(words, ".status.operation").await?.is_empty(), "the operation is still told");
    }
    ensure!(world.count("keyVaultCertificates.create").await? == 3, "asked more than once");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_certificate_follows_its_secret() -> Result<()> {
    let world = World::of_vaults("import").await?;
    let first = ca("first")?;
    world.tls_secret("web-tls", &first).await?;
    world.apply(&world.in_vault("web", json!({ "import": { "secretRef": { "name": "web-tls" } } }))).await?;
    world.ready("web").await?;
    ensure!(world.only_version("web").await?.thumbprint == thumbprint(&first));
    let policy = &world.held("web").await?["policy"];
    ensure!(policy["issuer"]["name"] == "Unknown", "{policy}");
    ensure!(policy["lifetime_actions"][0]["action"]["action_type"] == "EmailContacts", "{policy}");

    let second = ca("second")?;
    world.tls_secret("web-tls", &second).await?;
    eventually(SOON, "the second version", async || {
        let versions = world.versions("web").await?;
        ensure!(versions.len() == 2 && versions[1].thumbprint == thumbprint(&second), "{versions:?}");
        Ok(())
    })
    .await?;
    world.ready("web").await?;
    world.quiet("web").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pkcs12_secret_is_imported_too() -> Result<()> {
    let world = World::of_vaults("pkcs12").await?;
    let pair = ca("packed")?;
    world.pkcs12_secret("packed", &pair).await?;
    let reference = json!({ "name": "packed", "key": "bundle.p12", "passwordKey": "password" });
    world.apply(&world.in_vault("web", json!({ "import": { "pkcs12SecretRef": reference } }))).await?;
    world.ready("web").await?;
    ensure!(world.only_version("web").await?.thumbprint == thumbprint(&pair));
    world.quiet("web").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pem_import_is_one_too() -> Result<()> {
    let world = World::of_vaults("pem").await?;
    world.tls_secret("web-tls", &ca("web")?).await?;
    let import = json!({ "secretRef": { "name": "web-tls" }, "contentType": "application/x-pem-file" });
    world.apply(&world.in_vault("web", json!({ "import": import, "apiVersion": "7.4" }))).await?;
    world.ready("web").await?;
    ensure!(world.held("web").await?["versions"][0]["contentType"] == "application/x-pem-file");
    world.quiet("web").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_renews_in_time_and_once() -> Result<()> {
    renews(World::of_vaults("renew").await?).await
}

#[tokio::test(flavor = "multi_thread")]
async fn it_renews_once_where_the_vault_shows_the_version_that_is_being_made() -> Result<()> {
    let world = World::of_vaults("renew-empty").await?;
    let switches = json!({ "keyVault": { "latestWhileRenewing": "emptyNew" } });
    world.emulator.control(Method::PATCH, "switches", Some(&switches)).await?;
    renews(world).await
}

async fn renews(world: World) -> Result<()> {
    // The vault's certificate was made 300 days ago: 65 days are left.
    world.emulator.control(Method::PUT, "clock", Some(&json!({ "offsetSeconds": -300 * 86_400 }))).await?;
    world.apply(&world.in_vault("web", json!({ "policy": policy("Self") }))).await?;
    world.ready("web").await?;
    let first = world.only_version("web").await?;
    world.emulator.control(Method::PUT, "clock", Some(&json!({ "offsetSeconds": 0 }))).await?;
    let slow = json!({ "delays": { "issue": 8 } });
    world.emulator.control(Method::PUT, &format!("vaults/{VAULT}"), Some(&slow)).await?;
    world.quiet("web").await?;
    let due = world.in_vault("web", json!({ "policy": policy("Self"), "renewBefore": "2000h" }));
    world.apply(&due).await?;
    // While the vault is at work the one before serves.
    world.says("web", "OperationInProgress", "").await?;
    let ready = world.condition("web", "Ready").await?;
    ensure!(ready["status"] == "True", "{ready}");
    eventually(SOON, "a second version", async || {
        let versions = world.versions("web").await?;
        ensure!(versions.len() == 2 && versions[0].id == first.id, "{versions:?}");
        Ok(())
    })
    .await?;
    world.says("web", "Ready", "").await?;
    world.quiet("web").await?;
    ensure!(world.versions("web").await?.len() == 2, "renewed more than once");
    // What is due from its first day is not made again and again.
    world.apply(&world.in_vault("web", json!({ "policy": policy("Self"), "renewBefore": "8760h" }))).await?;
    world.reason("web", "Expiring").await?;
    world.quiet("web").await?;
    ensure!(world.versions("web").await?.len() == 2, "renewed without end");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_issuer_is_waited_for_and_its_refusal_is_told_once() -> Result<()> {
    let world = World::of_vaults("issuer").await?;
    world.apply(&world.in_vault("good", json!({ "policy": policy("TestCA") }))).await?;
    world.ready("good").await?;
    world.apply(&world.in_vault("bad", json!({ "policy": policy("RefusingCA") }))).await?;
    world.says("bad", "IssuanceFailed", "IssuerRefused").await?;
    world.nudge("bad").await?;
    world.nudge("bad").await?;
    world.reason("bad", "IssuanceFailed").await?;
    ensure!(world.count("keyVaultCertificates.create").await? == 2, "asked again for what was refused");
    world.apply(&world.in_vault("bad", json!({ "policy": policy("TestCA") }))).await?;
    world.ready("bad").await?;
    world.apply(&world.in_vault("slow", json!({ "policy": policy("SilentCA") }))).await?;
    world.reason("slow", "OperationInProgress").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_certificate_is_left_alone_or_adopted() -> Result<()> {
    let world = World::of_vaults("foreign").await?;
    world.tamper_vault(Method::PUT, "web", json!({})).await?;
    let members = |adoption: &str| json!({ "policy": policy("Self"), "adoptionPolicy": adoption });
    world.apply(&world.in_vault("web", members("IfIdentical"))).await?;
    world.reason("web", "NotOwned").await?;
    ensure!(world.writes().await? == 0, "the vault was written");
    world.apply(&world.in_vault("web", members("Always"))).await?;
    world.ready("web").await?;
    ensure!(world.versions("web").await?.len() == 2, "its content was not replaced");
    ensure!(world.field("web", ".status.remote.origin").await? == "Adopted");
    world.delete("web").await?;
    ensure!(world.held("web").await?["deleted"].is_null(), "what was adopted was deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_name_is_recovered_or_told() -> Result<()> {
    let world = World::of_vaults("soft-deleted").await?;
    world.tamper_vault(Method::PUT, "web", json!({ "deleted": true })).await?;
    let members = |on: &str, adoption: &str| json!({ "policy": policy("Self"), "onSoftDeleted": on, "adoptionPolicy": adoption });
    world.apply(&world.in_vault("web", members("Fail", "Always"))).await?;
    world.reason("web", "RemoteSoftDeleted").await?;
    world.apply(&world.in_vault("web", members("Recover", "Never"))).await?;
    world.reason("web", "RemoteSoftDeleted").await?;
    ensure!(world.writes().await? == 0, "the vault was written");
    let lag = json!({ "delays": { "recover": 3 } });
    world.emulator.control(Method::PUT, &format!("vaults/{VAULT}"), Some(&lag)).await?;
    world.apply(&world.in_vault("web", members("Recover", "Always"))).await?;
    world.ready("web").await?;
    ensure!(world.count("keyVaultCertificates.recover").await? == 1);
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_purge_waits_for_the_deletion_to_show_and_a_forbidden_one_ends() -> Result<()> {
    let world = World::of_vaults("purge").await?;
    let lag = json!({ "delays": { "deletedVisible": 8 } });
    world.emulator.control(Method::PUT, &format!("vaults/{VAULT}"), Some(&lag)).await?;
    let members = json!({ "policy": policy("Self"), "deletionPolicy": "Purge" });
    world.apply(&world.in_vault("web", members.clone())).await?;
    world.ready("web").await?;
    world.delete("web").await?;
    ensure!(!world.knows("web").await, "it was not purged");

    world
        .emulator
        .control(Method::PUT, &format!("vaults/{VAULT}"), Some(&json!({ "purgeProtection": true })))
        .await?;
    world.apply(&world.in_vault("kept", members)).await?;
    world.ready("kept").await?;
    world.delete("kept").await?;
    ensure!(world.held("kept").await?["deleted"].is_object());
    let events = world.kubectl(&["get", "events", "--field-selector=type=Warning"]).await?;
    ensure!(events.contains("AccessDenied"), "nobody was warned: {events}");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_without_an_address_is_told_as_not_there() -> Result<()> {
    let world = World::of_vaults("nowhere").await?;
    let account: serde_json::Value = serde_json::from_str(
        &world.cluster.kubectl(&["get", "clustercloudaccount", &world.namespace, "-o", "json"], None).await?,
    )?;
    let mut spec = account["spec"].clone();
    // RFC 6761 §6.4: no such name has an address.
    spec["azure"]["endpoints"]["keyVault"] = json!("https://{vault}.vault.invalid");
    world.cluster.cluster_account(&world.namespace, &spec).await?;
    world.apply(&world.in_vault("web", json!({ "policy": policy("Self") }))).await?;
    world.says("web", "TargetNotFound", "spec.vaultName").await?;
    ensure!(world.condition("web", "Stalled").await?["status"] == "True");
    world.stop().await
}
