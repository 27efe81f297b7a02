//! `kubectl certferry check` and `certferry check`: what an account cannot do is told, for every kind. That nothing is
//! written to find out is the plugin's own: it has no way to write.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use certferry_rig::installation::{CLIENT, CLIENT_SECRET, NAMESPACE, ca};
use reqwest::Method;
use serde_json::json;

use crate::plugin::{PLUGIN, run};
use crate::scope;
use crate::service::from_secret;
use crate::shared::{binary, shared};
use crate::vault::{VAULT, policy};
use crate::world::World;

impl World {
    /// The account's application may do everything but this.
    async fn may_not(&self, actions: &[&str]) -> Result<()> {
        let roles = json!([{ "scope": "/", "actions": ["*"], "notActions": actions }]);
        self.emulator.control(Method::PUT, &format!("clients/{CLIENT}/roles"), Some(&roles)).await.map(drop)
    }

    /// The account's application may do that to certificates in the vault.
    async fn vault_lets(&self, words: &[&str]) -> Result<()> {
        let access = json!({ "access": [{ "clientId": CLIENT, "certificates": words, "secrets": ["get"] }] });
        self.emulator.control(Method::PUT, &format!("vaults/{VAULT}"), Some(&access)).await.map(drop)
    }

    /// The user of Huawei Cloud may do that.
    async fn user_may(&self, actions: &[&str]) -> Result<()> {
        let actions = json!({ "actions": actions });
        self.emulator.control(Method::PUT, "users/certferry", Some(&actions)).await.map(drop)
    }

    async fn check(&self, account: &str, code: i32, parts: &[&str]) -> Result<()> {
        self.plugin(&["check", &format!("clustercloudaccount/{account}")]).await?.says(code, parts)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_secret_and_a_missing_permission_are_told() -> Result<()> {
    let world = World::start("plugin-check").await?;
    world.settled("factory-root").await?;
    let account = format!("clustercloudaccount/{}", world.namespace);
    let told = world.plugin(&["check", &account, "-o", "json"]).await?;
    told.says(0, &[])?;
    let report = told.json()?;
    ensure!(report["isWell"] == true && report["clock"]["isWell"] == true, "{report}");
    let [checked] = report["accounts"].as_array().map_or(&[][..], Vec::as_slice) else {
        anyhow::bail!("not one account: {report}")
    };
    ensure!(checked["certificates"][0]["read"]["isWell"] == true, "{checked}");

    ensure!(checked["certificates"][0]["permissions"] == json!({ "missing": [] }), "{checked}");

    // As in the operator's pod: its own rights are enough, where it serves all namespaces.
    if !scope::is_named()? {
        let own = shared().await?.plane.kubeconfig_for("certferry", NAMESPACE).await?;
        run(&binary(), &own, &["check", &account], "").await?.says(0, &["sign-in: ok", "permissions: ok"])?;
    }

    world.may_not(&["Microsoft.Devices/*"]).await?;
    let told = world.plugin(&["check", &account]).await?;
    told.says(1, &["AccessDenied", "lacks Microsoft.Devices/iotHubs/certificates/Read", "sign-in: ok"])?;
    world.may_not(&["*/verify/Action", "*/certificates/write"]).await?;
    let told = world.plugin(&["check", &account]).await?;
    let hub = "Microsoft.Devices/iotHubs/certificates";
    told.says(1, &["read: ok", &format!("missing {hub}/Write, {hub}/verify/Action\n")])?;
    world.may_not(&["Microsoft.Authorization/*"]).await?;
    let told = world.plugin(&["check", &account]).await?;
    told.says(
        0,
        &["not known", "lacks Microsoft.Authorization/permissions/read", &format!("needed:\n    {hub}/Read")],
    )?;
    world.may_not(&[]).await?;

    world.client_secret("wrong").await?;
    for program in [PathBuf::from(PLUGIN), binary()] {
        let kubeconfig = shared().await?.plane.admin_kubeconfig();
        let told = run(Path::new(&program), &kubeconfig, &["check", &account], "").await?;
        told.says(1, &["AuthenticationFailed", "AADSTS7000215"])?;
    }
    world.client_secret(CLIENT_SECRET).await?;
    world.kubectl(&["annotate", "iothubcertificate", "factory-root", "certferry-test/nudge=end"]).await?;
    world.ready("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_identity_lacks_in_a_service_is_told_before_it_is_needed() -> Result<()> {
    let world = World::of_services("check").await?;
    world.tls_secret("client", &ca("client")?).await?;
    world.apply(&world.in_service("client", from_secret())).await?;
    world.ready("client").await?;
    let account = world.namespace.clone();
    world.check(&account, 0, &["permissions: ok"]).await?;
    world.may_not(&["Microsoft.ApiManagement/*/delete", "*/refreshSecret/action"]).await?;
    // The refresh is for certificates of vaults alone.
    let missing = "missing Microsoft.ApiManagement/service/certificates/delete\n";
    world.check(&account, 1, &["read: ok", missing]).await?;
    world.may_not(&[]).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_vault_refuses_is_told_by_the_object() -> Result<()> {
    let world = World::of_vaults("check").await?;
    world.vault_lets(&["get", "list"]).await?;
    world.apply(&world.in_vault("web", json!({ "policy": policy("Self") }))).await?;
    world.says("web", "AccessDenied", "certificates/create").await?;
    let account = world.namespace.clone();
    let needed = "needed:\n    certificates/get\n    certificates/list\n    certificates/create\n";
    world.check(&account, 1, &["read: ok", "not known", needed, "denied a call, since 20"]).await?;
    world.vault_lets(&["all"]).await?;
    world.nudge("web").await?;
    world.ready("web").await?;
    world.check(&account, 0, &["read: ok", "not known"]).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_refuses_is_told_by_the_object() -> Result<()> {
    let world = World::of_instances("check").await?;
    world.user_may(&["iotda:certificate:query", "iotda:certificates:queryList"]).await?;
    world.tls_secret("ca", &ca("Devices")?).await?;
    world.apply(&world.in_instance("devices", json!({}))).await?;
    world.says("devices", "AccessDenied", "iotda:certificates:upload").await?;
    let account = world.huawei();
    let denied = ["read: ok", "not known", "iotda:certificates:delete", "denied a call, since 20"];
    world.check(&account, 1, &denied).await?;
    world.user_may(&["*"]).await?;
    world.nudge("devices").await?;
    world.ready("devices").await?;
    world.check(&account, 0, &["read: ok"]).await?;
    world.stop().await
}
