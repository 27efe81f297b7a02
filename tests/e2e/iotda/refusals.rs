//! What the service and its gateway refuse, told so that a user can act; and that nothing is made or lost because of it.

use anyhow::{Result, ensure};
use certferry_rig::installation::{ACCESS_KEY, SECRET_KEY, ca};
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use super::UPLOAD;
use crate::instance::{INSTANCE, TEMPLATE, all_settings};
use crate::world::{SOON, World, thumbprint};

/// The gateway's own 404, for every call.
fn no_such_api() -> Value {
    json!({
        "operation": "iotdaCertificates.*", "times": null,
        "action": { "answer": { "status": 404, "json": {
            "error_code": "APIGW.0101", "error_msg": "The API does not exist or has not been published",
            "request_id": "1",
        } } },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_instance_is_told_and_has_room_later() -> Result<()> {
    let world = World::of_instances("full").await?;
    let quota = async |quota: u64| {
        let path = format!("instances/{INSTANCE}");
        world.emulator.control(Method::PUT, &path, Some(&json!({ "quota": quota }))).await.map(drop)
    };
    quota(0).await?;
    world.tls_secret("ca", &ca("devices")?).await?;
    world.apply(&world.in_instance("devices", json!({}))).await?;
    world.says("devices", "QuotaExceeded", "IOTDA.014300").await?;
    quota(1).await?;
    world.nudge("devices").await?;
    world.ready("devices").await?;

    let second = ca("devices")?;
    world.tls_secret("ca", &second).await?;
    world.says("devices", "QuotaExceeded", "beside the old one").await?;
    ensure!(world.only_in(INSTANCE).await?.verified, "the old one does not serve any more");
    quota(2).await?;
    world.nudge("devices").await?;
    world.ready("devices").await?;
    ensure!(world.all_in(INSTANCE).await?.iter().any(|it| it.thumbprint == thumbprint(&second)));
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateways_404_neither_uploads_nor_lets_an_object_go() -> Result<()> {
    let world = World::of_instances("gateway").await?;
    world.uploaded(&ca("devices")?, json!({})).await?;
    let writes = world.writes().await?;
    world.emulator.control_post("faults", &no_such_api()).await?;
    world.nudge("devices").await?;
    world.says("devices", "EndpointMisconfigured", "APIGW.0101").await?;
    world.kubectl(&["delete", world.kind, "devices", "--wait=false"]).await?;
    world.says("devices", "DeletionBlocked", "APIGW.0101").await?;
    ensure!(world.writes().await? == writes, "it was written");
    world.only_in(INSTANCE).await?;
    world.emulator.control(Method::DELETE, "faults", None).await?;
    world.nudge("devices").await?;
    world.kubectl(&["wait", "--for=delete", "--timeout=60s", "iotdacertificate/devices"]).await?;
    ensure!(world.all_in(INSTANCE).await?.is_empty(), "it is not deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_host_is_told() -> Result<()> {
    let world = World::of_instances("host").await?;
    world.tls_secret("ca", &ca("devices")?).await?;
    let at = |host: &str| {
        let mut manifest: Value = serde_json::from_str(&world.in_instance("devices", json!({})))?;
        manifest["spec"]["iotda"]["host"] = host.into();
        anyhow::Ok(manifest.to_string())
    };
    world.apply(&at(&world.host("iotda-9"))?).await?;
    world.says("devices", "EndpointMisconfigured", "APIGW.0101").await?;
    world.delete("devices").await?;
    world.apply(&at("iotda-1.elsewhere.example")?).await?;
    world.says("devices", "SpecInvalid", "endpoints.iotdaInstance").await?;
    ensure!(world.writes().await? == 0);
    world.delete("devices").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_key_is_told_and_heals_when_it_is_replaced() -> Result<()> {
    let world = World::of_instances("keys").await?;
    world.tls_secret("ca", &ca("devices")?).await?;
    let account = world.huawei();
    world.cluster.access_key(&account, ACCESS_KEY, "wrong").await?;
    world.apply(&world.in_instance("devices", json!({}))).await?;
    world.says("devices", "AuthenticationFailed", "the signature").await?;
    world.cluster.access_key(&account, "NOBODYSKEY", SECRET_KEY).await?;
    world.says("devices", "AuthenticationFailed", "the access key: it is unknown").await?;
    ensure!(world.all_in(INSTANCE).await?.is_empty());
    world.cluster.access_key(&account, ACCESS_KEY, SECRET_KEY).await?;
    world.ready("devices").await?;
    world.only_in(INSTANCE).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn temporary_keys_that_are_over_are_told_and_new_ones_heal() -> Result<()> {
    let world = World::of_instances("temporary").await?;
    let account = world.huawei();
    let clock = async |seconds: i64| {
        world.emulator.control(Method::PUT, "clock", Some(&json!({ "offsetSeconds": seconds }))).await
    };
    // A key lives for a quarter of an hour at least, as signatures do.
    clock(-300).await?;
    let [id, secret, token] = world.temporary_key().await?;
    world.cluster.temporary_key(&account, &id, &secret, &token).await?;
    world.uploaded(&ca("devices")?, json!({})).await?;
    clock(800).await?;
    world.nudge("devices").await?;
    world.says("devices", "AuthenticationFailed", "new temporary keys").await?;
    clock(0).await?;
    let [id, secret, new] = world.temporary_key().await?;
    world.cluster.temporary_key(&account, &id, &secret, &token).await?;
    world.says("devices", "AuthenticationFailed", "not that of the access key").await?;
    world.cluster.temporary_key(&account, &id, &secret, &new).await?;
    world.ready("devices").await?;
    world.only_in(INSTANCE).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_is_told_apart_from_wrong_keys() -> Result<()> {
    let world = World::of_instances("clock").await?;
    world.tls_secret("ca", &ca("devices")?).await?;
    let clock = async |seconds: i64| {
        world.emulator.control(Method::PUT, "clock", Some(&json!({ "offsetSeconds": seconds }))).await
    };
    clock(1200).await?;
    world.apply(&world.in_instance("devices", json!({}))).await?;
    world.says("devices", "AuthenticationFailed", "clock").await?;
    clock(0).await?;
    eventually(SOON, "ready", async || {
        let now = format!("certferry-test/now={}", jiff::Timestamp::now().as_millisecond());
        world.kubectl(&["annotate", "--overwrite", world.kind, "devices", &now]).await?;
        let ready = world.condition("devices", "Ready").await?;
        ensure!(ready["status"] == "True", "{ready}");
        Ok(())
    })
    .await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_rights_and_an_unknown_space_or_template_are_told() -> Result<()> {
    let world = World::of_instances("rights").await?;
    world.tls_secret("ca", &ca("devices")?).await?;
    let (account, secret) = (world.huawei(), "example-secret-key-without-rights");
    world.cluster.access_key(&account, "HPUAEXAMPLEOFNORIGHTS", secret).await?;
    world.apply(&world.in_instance("devices", json!({}))).await?;
    world.says("devices", "AccessDenied", "iotda:certificates:queryList").await?;
    world.cluster.access_key(&account, ACCESS_KEY, SECRET_KEY).await?;
    world.ready("devices").await?;

    world.apply(&world.in_instance("elsewhere", json!({ "appId": "app-9" }))).await?;
    world.says("elsewhere", "TargetNotFound", "spec.appId").await?;
    let members = json!({ "provisioning": { "enabled": true, "templateId": "ffffffffffffffffffffffff" } });
    world.apply(&world.in_instance("devices", members)).await?;
    world.says("devices", "UpdateRefused", "template").await?;
    let updates = world.writes().await?;
    world.nudge("devices").await?;
    world.nudge("devices").await?;
    ensure!(world.writes().await? == updates, "what was refused was sent again");
    world
        .apply(&world.in_instance("devices", json!({ "provisioning": all_settings()["provisioning"] })))
        .await?;
    world.ready("devices").await?;
    world.settings_become(&json!({ "templateId": TEMPLATE })).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_in_another_space_is_told_as_a_refused_upload() -> Result<()> {
    let world = World::of_instances("spaces").await?;
    let root = ca("devices")?;
    world.plant(&root).await?; // into app-1
    world.tls_secret("ca", &root).await?;
    world.apply(&world.in_instance("devices", json!({ "appId": "app-2" }))).await?;
    world.says("devices", "UploadRefused", "another resource space").await?;
    world.nudge("devices").await?;
    world.nudge("devices").await?;
    ensure!(world.count(UPLOAD).await? == 1, "what was refused was sent again");
    world.delete("devices").await?;
    world.only_in(INSTANCE).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_deleted_is_told_and_tried_again() -> Result<()> {
    let world = World::of_instances("kept").await?;
    world.uploaded(&ca("devices")?, all_settings()).await?;
    let in_use = json!({ "status": 400, "json": { "error_code": "IOTDA.014304", "error_msg": "in use" } });
    let fault =
        json!({ "operation": "iotdaCertificates.delete", "times": null, "action": { "answer": in_use } });
    world.emulator.control_post("faults", &fault).await?;
    world.kubectl(&["delete", world.kind, "devices", "--wait=false"]).await?;
    world.says("devices", "DeletionBlocked", "IOTDA.014304").await?;
    world.emulator.control(Method::DELETE, "faults", None).await?;
    world.nudge("devices").await?;
    world.kubectl(&["wait", "--for=delete", "--timeout=60s", "iotdacertificate/devices"]).await?;
    ensure!(world.all_in(INSTANCE).await?.is_empty(), "it is not deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_else_uploads_just_before_is_taken_over_and_not_removed() -> Result<()> {
    let world = World::of_instances("raced").await?;
    let root = ca("devices")?;
    world.tls_secret("ca", &root).await?;
    // The upload comes after somebody else's, which the listing before it did not show.
    let slow = json!({ "operation": UPLOAD, "action": { "delay": { "ms": 3000, "when": "before" } } });
    world.emulator.control_post("faults", &slow).await?;
    world.apply(&world.in_instance("devices", json!({ "appId": "app-1" }))).await?;
    eventually(SOON, "the upload is on its way", async || {
        ensure!(world.count(UPLOAD).await? == 1);
        Ok(())
    })
    .await?;
    let planted = world.plant(&root).await?;
    world.ready("devices").await?;
    ensure!(world.field("devices", ".status.remote.origin").await? == "Adopted");
    ensure!(world.field("devices", ".status.remote.id").await? == planted.id);
    world.delete("devices").await?;
    ensure!(world.only_in(INSTANCE).await?.id == planted.id, "what is another's was removed");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_throttled_caller_waits_half_a_minute() -> Result<()> {
    let world = World::of_instances("throttled").await?;
    world.tls_secret("ca", &ca("devices")?).await?;
    let throttled = json!({
        "operation": "iotdaCertificates.*",
        "action": { "answer": { "status": 429, "json": { "error_code": "APIGW.0308", "error_msg": "slow" } } },
    });
    world.emulator.control_post("faults", &throttled).await?;
    world.apply(&world.in_instance("devices", json!({}))).await?;
    world.reason("devices", "Throttled").await?;
    world.nudge("devices").await?; // asked in vain: the account holds its calls back
    world.ready("devices").await?;
    let requests = world.requests().await?;
    let times: Vec<_> = requests.iter().filter_map(|it| it["timeMs"].as_i64()).collect();
    ensure!(times[1] - times[0] >= 30_000, "{times:?}");
    world.stop().await
}
