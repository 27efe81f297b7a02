//! Certificates in vaults that are exported into Secrets.

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::vault::{VAULT, merge, policy};
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

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_clients_read_back_what_the_operator_made() -> Result<()> {
    let Some(python) = std::env::var_os("CERTFERRY_VENDOR_PYTHON") else {
        println!("skipped: CERTFERRY_VENDOR_PYTHON names no Python that has the vendor's clients");
        return Ok(());
    };
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
    let script = format!("{}/emulator/tests/vendor/azure_key_vault.py", env!("CARGO_MANIFEST_DIR"));
    let mut reading = tokio::process::Command::new(python);
    reading.args([&script, "--made", &urls.vault(VAULT), &urls.login]).arg(&urls.ca);
    let done = reading.args(all.iter().map(|(name, _)| name)).output().await?;
    ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let read = String::from_utf8(done.stdout)?;
    for ((name, _), chain) in all.iter().zip([1, 2, 1]) {
        let thumbprint = world.field(name, ".status.certificate.sha1Thumbprint").await?;
        ensure!(read.contains(&format!("{name} {thumbprint} {chain} 1\n")), "{name} {thumbprint}: {read}");
    }
    world.stop().await
}
