//! Certificates in vaults that are exported into Secrets.

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::vault::{merge, policy};
use crate::world::{SOON, World};

#[tokio::test(flavor = "multi_thread")]
async fn the_certificate_is_exported_where_that_is_granted() -> Result<()> {
    let world = World::of_vaults("export").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let members = json!({
        "policy": policy("Unknown"), "signedBy": { "caSecretRef": { "name": "factory-ca" } },
        "exportTo": { "secretName": "web-out" },
    });
    world.apply(&world.in_vault("web", members.clone())).await?;
    world.reason("web", "OutputsNotGranted").await?;
    ensure!(world.count("keyVaultSecrets.get").await? > 0);
    world.cluster.grant(&world.namespace, "certferry-outputs").await?;
    world.nudge("web").await?;
    world.ready("web").await?;
    let secret: Value =
        serde_json::from_str(&world.kubectl(&["get", "secret", "web-out", "-o", "json"]).await?)?;
    ensure!(secret["type"] == "kubernetes.io/tls", "{}", secret["type"]);
    ensure!(secret["metadata"]["ownerReferences"][0]["name"] == "web", "{}", secret["metadata"]);
    let reads = world.count("keyVaultSecrets.get").await?;
    world.quiet("web").await?;
    ensure!(world.count("keyVaultSecrets.get").await? == reads, "the key is read again though it is there");
    // Somebody spoils it: all of it, or no more than the chain.
    let only_the_leaf =
        secret["data"]["tls.crt"].as_str().map(first_certificate).context("no certificate")??;
    for spoilt in ["eA==".to_owned(), only_the_leaf] {
        let spoil = json!({ "data": { "tls.crt": spoilt } }).to_string();
        world.kubectl(&["patch", "secret", "web-out", "--type=merge", "-p", &spoil]).await?;
        eventually(SOON, "the exported certificate", async || {
            let again: Value =
                serde_json::from_str(&world.kubectl(&["get", "secret", "web-out", "-o", "json"]).await?)?;
            ensure!(again["data"] == secret["data"], "it is not repaired");
            Ok(())
        })
        .await?;
    }
    // What the API server does not take is told.
    world.ready("web").await?;
    let fixed = r#"{"immutable": true}"#;
    world.kubectl(&["patch", "secret", "web-out", "--type=merge", "-p", fixed]).await?;
    let other = json!({ "policy": { "x509Properties": { "subject": "CN=other.example" } } });
    let mut members = members;
    merge(&mut members, &other);
    world.apply(&world.in_vault("web", members)).await?;
    world.says("web", "SpecInvalid", "Secret `web-out` with status 422").await?;
    world.kubectl(&["delete", "secret", "web-out"]).await?;
    world.ready("web").await?;
    world.stop_without_rights().await
}

/// Of a Secret's value.
fn first_certificate(value: &str) -> Result<String> {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    let pem = String::from_utf8(STANDARD.decode(value)?)?;
    let end = pem.find("-----END CERTIFICATE-----\n").context("no certificate")? + 26;
    ensure!(end < pem.len(), "there is no chain");
    Ok(STANDARD.encode(&pem[..end]))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_others_is_not_overwritten_by_an_export() -> Result<()> {
    let world = World::of_vaults("export-foreign").await?;
    world.cluster.grant(&world.namespace, "certferry-outputs").await?;
    world.tls_secret("web-out", &ca("theirs")?).await?;
    let before = world.kubectl(&["get", "secret", "web-out", "-o", "jsonpath={.data}"]).await?;
    let members = json!({ "policy": policy("Self"), "exportTo": { "secretName": "web-out" } });
    world.apply(&world.in_vault("web", members)).await?;
    world.says("web", "NotOwned", "web-out").await?;
    ensure!(world.kubectl(&["get", "secret", "web-out", "-o", "jsonpath={.data}"]).await? == before);
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn who_only_observes_reads_no_key() -> Result<()> {
    let world = World::of_vaults("export-observe").await?;
    world.apply(&world.in_vault("web", json!({ "policy": policy("Self") }))).await?;
    world.ready("web").await?;
    let observing = json!({
        "policy": policy("Self"), "managementPolicy": "Observe", "exportTo": { "secretName": "web-out" },
    });
    world.apply(&world.in_vault("web", observing)).await?;
    world.reason("web", "Observed").await?;
    world.quiet("web").await?;
    ensure!(world.count("keyVaultSecrets.get").await? == 0, "the key was read");
    world.stop().await
}
