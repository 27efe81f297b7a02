//! Certificates in vaults whose request somebody else signs: a CA of a Secret, cert-manager, a person.

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::vault::policy;
use crate::world::{SOON, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_vaults_request_is_signed_by_a_ca_and_merged() -> Result<()> {
    let world = World::of_vaults("merge").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let signed_by = json!({ "caSecretRef": { "name": "factory-ca" } });
    world
        .apply(&world.in_vault("web", json!({ "policy": policy("Unknown"), "signedBy": signed_by })))
        .await?;
    world.ready("web").await?;
    let chain = world.held("web").await?["versions"][0]["chain"].as_array().map(Vec::len);
    ensure!(chain == Some(2), "the issuer is missing: {chain:?}");
    ensure!(world.count("keyVaultCertificates.create").await? == 1, "created more than once");
    ensure!(world.count("keyVaultCertificates.merge").await? == 1, "merged more than once");
    world.quiet("web").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_merge_is_tried_again_once_the_ca_is_another() -> Result<()> {
    let world = World::of_vaults("merge-refused").await?;
    let refusal = json!({
        "operation": "keyVaultCertificates.merge", "times": null,
        "action": { "answer": { "status": 400, "json": { "error": { "code": "BadParameter", "message": "no" } } } },
    });
    world.emulator.control_post("faults", &refusal).await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let signed_by = json!({ "caSecretRef": { "name": "factory-ca" } });
    world
        .apply(&world.in_vault("web", json!({ "policy": policy("Unknown"), "signedBy": signed_by })))
        .await?;
    world.says("web", "IssuanceFailed", "BadParameter").await?;
    world.emulator.control(Method::DELETE, "faults", None).await?;
    world.quiet("web").await?;
    ensure!(world.count("keyVaultCertificates.merge").await? == 1, "what was refused is repeated");
    world.tls_secret("factory-ca", &ca("Factory root 2")?).await?;
    world.ready("web").await?;
    ensure!(world.count("keyVaultCertificates.merge").await? == 2);
    ensure!(world.count("keyVaultCertificates.create").await? == 1, "created more than once");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_offline_signature_is_waited_for_with_the_request_in_the_status() -> Result<()> {
    let world = World::of_vaults("external").await?;
    let members = json!({ "policy": policy("Unknown"), "signedBy": { "external": {} } });
    world.apply(&world.in_vault("web", members)).await?;
    world.reason("web", "AwaitingSignature").await?;
    let request = world.field("web", ".status.signingRequest").await?;
    ensure!(request.starts_with("-----BEGIN CERTIFICATE REQUEST-----"), "{request}");
    ensure!(world.count("keyVaultCertificates.create").await? == 1, "created more than once");
    // Deleted while it is only being made, it goes for good.
    world.delete("web").await?;
    ensure!(world.held("web").await?["deleted"].is_object(), "it is not deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn cert_manager_is_asked_to_sign() -> Result<()> {
    let world = World::of_vaults("cert-manager").await?;
    let path = format!("{}/tests/data/cert_manager/certificaterequests.yaml", env!("CARGO_MANIFEST_DIR"));
    world.kubectl(&["apply", "--server-side", "-f", &path]).await?;
    world.cluster.grant(&world.namespace, "certferry-outputs").await?;
    let signed_by = json!({ "certManagerIssuerRef": { "name": "internal", "kind": "ClusterIssuer" } });
    world
        .apply(&world.in_vault("web", json!({ "policy": policy("Unknown"), "signedBy": signed_by })))
        .await?;
    let get = ["get", "certificaterequests.cert-manager.io", "web-key-vault", "-o", "json"];
    eventually(SOON, "the question", async || world.kubectl(&get).await.map(drop)).await?;
    let question: Value = serde_json::from_str(&world.kubectl(&get).await?)?;
    ensure!(question["spec"]["issuerRef"]["kind"] == "ClusterIssuer", "{question}");
    let request = question["spec"]["request"].as_str().context("no request")?;
    let certificate = sign(request)?;
    let status = json!({ "status": {
        "certificate": certificate, "conditions": [{ "type": "Ready", "status": "True", "reason": "Issued" }],
    } });
    let patch = status.to_string();
    let resource = "certificaterequests.cert-manager.io";
    let patch =
        ["patch", resource, "web-key-vault", "--subresource=status", "--type=merge", "-p", patch.as_str()];
    world.kubectl(&patch).await?;
    world.ready("web").await?;
    world.quiet("web").await?;
    world.stop().await
}

/// What an issuer of cert-manager would answer, by OpenSSL: base64 of PEM, as it was asked.
pub fn sign(request: &str) -> Result<String> {
    use std::process::Command;

    let folder = std::env::temp_dir().join(format!("certferry-sign-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let script = "echo \"$REQUEST\" | base64 -d > r.csr && \
        openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem \
            -subj /CN=Internal -days 30 2>/dev/null && \
        openssl x509 -req -in r.csr -CA ca.pem -CAkey ca.key -days 20 -copy_extensions copyall -out leaf.pem \
            2>/dev/null && cat leaf.pem ca.pem | base64 -w0";
    let done =
        Command::new("sh").args(["-c", script]).env("REQUEST", request).current_dir(&folder).output()?;
    std::fs::remove_dir_all(&folder)?;
    ensure!(done.status.success(), "openssl: {}", String::from_utf8_lossy(&done.stderr));
    Ok(String::from_utf8(done.stdout)?)
}
