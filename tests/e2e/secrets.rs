//! No secret leaves: not into the log at its most talkative level, not into an object, not to the wrong host.

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use certferry_rig::installation::{CLIENT_SECRET, ca};
use serde_json::json;

use crate::shared::shared;
use crate::world::World;

/// The forms in which a secret text may show up.
fn forms(secret: &str) -> Vec<String> {
    // Base64 of a longer text holds the secret at one of three offsets; the edges, which depend on its neighbours, are
    // cut off.
    let base64 = (0..3).flat_map(|offset| {
        let padded = format!("{}{secret}", &"xxx"[..offset]);
        let inner = |text: String| text[4..text.len() - 4].trim_matches('=').to_owned();
        [inner(STANDARD.encode(&padded)), inner(URL_SAFE_NO_PAD.encode(&padded))]
    });
    let hex = secret.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    [secret.to_owned(), hex].into_iter().chain(base64).collect()
}

fn leaks(text: &str, secret: &str) -> bool {
    forms(secret).iter().any(|form| text.contains(form.as_str()))
}

#[test]
fn the_search_finds_what_is_planted() {
    let secret = "a-secret-of-some-length-0123456789";
    for planted in [
        format!("x {secret} y"),
        format!("x {} y", STANDARD.encode(format!("ab{secret}cd"))),
        format!("x {} y", STANDARD.encode(secret)),
    ] {
        assert!(leaks(&planted, secret), "{planted}");
    }
    assert!(!leaks("nothing of the kind", secret));
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_show_up_nowhere_whatever_goes_wrong() -> Result<()> {
    let world = World::start("secrets").await?;
    let wrong = "wrong-client-secret-f2c1b7d09e5a4837";
    let pair = ca("Factory root")?;
    let refused = json!({ "answer": { "status": 400, "json": {
        "code": 400_053, "message": "echo: very-private-provider-text errorcode: IH400053.",
    } } });
    let fault = json!({ "operation": "iotHubCertificates.verify", "times": null, "action": refused });
    world.emulator.control_post("faults", &fault).await?;
    world.tls_secret("factory-ca", &pair).await?;
    world.client_secret(wrong).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "AuthenticationFailed").await?;
    world.client_secret(CLIENT_SECRET).await?;
    world.reason("factory-root", "ProofRejected").await?;

    let key = pair.key.lines().nth(1).context("the key has no second line")?;
    stand_nowhere(&world, &[wrong, CLIENT_SECRET, key, "very-private-provider-text"]).await?;
    let bearer = shared().await?.operator.process.log()?.contains("Bearer ey");
    ensure!(!bearer, "the log holds a token");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_of_the_other_cloud_show_up_nowhere_either() -> Result<()> {
    let world = World::of_instances("secrets").await?;
    let refused = json!({ "answer": { "status": 400, "json": {
        "error_code": "IOTDA.014301", "error_msg": "echo: very-private-provider-text",
    } } });
    let fault = json!({ "operation": "iotdaCertificates.verify", "times": null, "action": refused });
    world.emulator.control_post("faults", &fault).await?;
    let pair = ca("devices")?;
    world.tls_secret("ca", &pair).await?;
    let [id, secret, token] = world.temporary_key().await?;
    world.cluster.temporary_key(&world.huawei(), &id, &secret, &token).await?;
    world.apply(&world.in_instance("devices", json!({}))).await?;
    world.reason("devices", "ProofRejected").await?;

    // It is shown where somebody has to sign it offline, and only there.
    let stored = world.emulator.control_get("instances/iotda-1/certificates").await?;
    let code = stored[0]["verifyCode"].as_str().context("there is no code")?;
    let key = pair.key.lines().nth(1).context("the key has no second line")?;
    stand_nowhere(&world, &[&secret, &token, code, key, "very-private-provider-text"]).await?;
    world.delete("devices").await?;
    world.stop().await
}

/// Neither in the log nor in any object.
async fn stand_nowhere(world: &World, secrets: &[&str]) -> Result<()> {
    let log = shared().await?.operator.process.log()?;
    ensure!(log.contains("TRACE"), "the log is not at its most talkative");
    let objects = world.kubectl(&["get", "certferry,events", "-o", "json"]).await?
        + &world.kubectl(&["get", "clustercloudaccounts", "-o", "json"]).await?;
    for secret in secrets {
        ensure!(!leaks(&log, secret), "the log holds a secret: {}", around(&log, secret));
        ensure!(!leaks(&objects, secret), "an object holds a secret: {}", around(&objects, secret));
    }
    Ok(())
}

/// Where it stands, for the one who has to find it.
fn around(text: &str, secret: &str) -> String {
    let line = text.lines().find(|line| leaks(line, secret)).unwrap_or_default();
    line.chars().take(200).collect()
}
