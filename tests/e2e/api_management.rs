//! Client certificates in API Management: uploaded as files, and read by the service from a vault.

use std::process::Command;

use anyhow::{Context, Result, anyhow, ensure};
use certferry::pki::pkcs12::{self, Encryption};
use certferry::pki::{self, Identity, PrivateKey};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::service::{SERVICE, from_secret, from_vault};
use crate::vault::policy;
use crate::world::{SOON, World, thumbprint};

const PUT: &str = "apiManagementCertificates.createOrUpdate";
const REFRESH: &str = "apiManagementCertificates.refreshSecret";

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_uploaded_once_replaced_when_it_changes_and_deleted() -> Result<()> {
    let world = World::of_services("file").await?;
    let first = ca("client 1")?;
    world.tls_secret("client", &first).await?;
    world.apply(&world.in_service("client", from_secret())).await?;
    world.ready("client").await?;
    let stored = world.stored("client").await?;
    ensure!(stored["thumbprint"] == thumbprint(&first) && stored["writes"] == 1, "{stored}");
    ensure!(world.field("client", ".status.certificate.sha1Thumbprint").await? == thumbprint(&first));
    world.quiet("client").await?;

    let second = ca("client 2")?;
    world.tls_secret("client", &second).await?;
    world.service_becomes("client", &thumbprint(&second)).await?;
    world.ready("client").await?;
    ensure!(world.count(PUT).await? == 2, "put more than twice");

    // Replaced by somebody in the portal.
    let theirs = json!({ "certificate": ca("theirs")?.certificate });
    world.tamper_service(Method::PUT, "client", Some(&theirs)).await?;
    world.nudge("client").await?;
    world.service_becomes("client", &thumbprint(&second)).await?;
    world.ready("client").await?;
    world.delete("client").await?;
    ensure!(world.stored("client").await.is_err(), "it is not deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pkcs12_secret_is_a_source_too_and_the_files_encryption_is_a_choice() -> Result<()> {
    let world = World::of_services("pkcs12").await?;
    world.pkcs12_secret("packed", &ca("packed")?).await?;
    let source = json!({ "pkcs12SecretRef": {
        "name": "packed", "key": "bundle.p12", "passwordKey": "password",
    } });
    let members = json!({ "source": source, "pkcs12": { "encryption": "Aes256" } });
    world.apply(&world.in_service("client", members)).await?;
    world.ready("client").await?;
    world.quiet("client").await?;

    let refuses = json!({ "apiManagement": { "pbes2": "refused" } });
    world.emulator.control(Method::PATCH, "switches", Some(&refuses)).await?;
    world.tls_secret("client", &ca("client")?).await?;
    let aes = json!({ "source": from_secret()["source"], "pkcs12": { "encryption": "Aes256" } });
    world.apply(&world.in_service("other", aes)).await?;
    world.says("other", "UploadRefused", "spec.pkcs12.encryption").await?;
    let puts = world.count(PUT).await?;
    world.nudge("other").await?;
    world.nudge("other").await?;
    world
        .apply(&world.in_service(
            "other",
            json!({ "source": from_secret()["source"], "pkcs12": { "encryption": "TripleDes" } }),
        ))
        .await?;
    world.ready("other").await?;
    ensure!(world.count(PUT).await? == puts + 1, "what was refused was sent again");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_service_reads_what_the_vault_makes_and_each_newer_version() -> Result<()> {
    let world = World::of_services("vault").await?;
    world.apply(&world.in_service("client", from_vault("web"))).await?;
    world.says("client", "ReferenceNotFound", "KeyVaultCertificate `web`").await?;
    world.apply(&world.in_vault("web", json!({ "policy": policy("Self") }))).await?;
    world.ready("client").await?;
    let first = world.only_version("web").await?;
    let stored = world.stored("client").await?;
    ensure!(stored["thumbprint"] == first.thumbprint, "{stored}");
    let identifier = stored["keyVault"]["secretIdentifier"].as_str().unwrap_or_default();
    ensure!(identifier.ends_with("/secrets/web"), "it names a version: {identifier}");
    world.quiet("client").await?;

    // A new version in the vault reaches the service long before the service looks by itself.
    let longer = json!({ "policy": {
        "keyProperties": policy("Self")["keyProperties"], "issuer": { "name": "Self" },
        "x509Properties": { "subject": "CN=renewed.example" },
    } });
    world.apply(&world.in_vault("web", longer)).await?;
    eventually(SOON, "the second version in the service", async || {
        let versions = world.versions("web").await?;
        ensure!(versions.len() == 2, "{versions:?}");
        ensure!(world.stored("client").await?["thumbprint"] == versions[1].thumbprint);
        Ok(())
    })
    .await?;
    world.ready("client").await?;
    ensure!(world.count(PUT).await? == 1 && world.count(REFRESH).await? >= 1);
    world.delete("client").await?;
    ensure!(world.stored("client").await.is_err(), "it is not deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_version_is_told_and_a_failing_vault_too() -> Result<()> {
    let world = World::of_services("pinned").await?;
    world.apply(&world.in_vault("web", json!({ "policy": policy("Self") }))).await?;
    world.apply(&world.in_service("newest", from_vault("web"))).await?;
    world.ready("newest").await?;
    let version = world.only_version("web").await?;
    let newest = world.stored("newest").await?;
    let identifier = newest["keyVault"]["secretIdentifier"].as_str().unwrap_or_default();
    let pinned = json!({ "keyVault": { "secretIdentifier": format!("{identifier}/{}", version.id) } });
    world.apply(&world.in_service("pinned", pinned)).await?;
    world.says("pinned", "Ready", "at the version that the spec names").await?;
    world.quiet("pinned").await?;

    world.tamper_service(Method::PATCH, "newest", Some(&json!({ "vaultStatus": "Forbidden" }))).await?;
    world.nudge("newest").await?;
    eventually(SOON, "another look at the vault", async || {
        ensure!(world.stored("newest").await?["keyVault"]["status"] == "Success");
        Ok(())
    })
    .await?;
    world.ready("newest").await?;
    // The vault does not let the service's identity in any more.
    world.emulator.control(Method::PUT, "vaults/vault-1", Some(&json!({ "access": [] }))).await?;
    world.tamper_service(Method::PATCH, "newest", Some(&json!({ "vaultStatus": "Forbidden" }))).await?;
    world.nudge("newest").await?;
    world.says("newest", "KeyVaultRefreshFailed", "vault").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_without_an_identity_is_told() -> Result<()> {
    let world = World::of_services("identity").await?;
    world.apply(&world.in_vault("web", json!({ "policy": policy("Self") }))).await?;
    let none = json!({ "systemIdentity": null, "userIdentities": [] });
    world.emulator.control(Method::PUT, &format!("services/{SERVICE}"), Some(&none)).await?;
    world.apply(&world.in_service("client", from_vault("web"))).await?;
    world.reason("client", "ServiceIdentityMissing").await?;
    let unknown = json!({ "keyVault": {
        "keyVaultCertificateRef": { "name": "web" }, "identityClientId": "99999999-9999-4999-8999-999999999999",
    } });
    world.apply(&world.in_service("client", unknown)).await?;
    world.reason("client", "ServiceIdentityMissing").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_others_is_left_alone_and_a_file_becomes_a_reference_in_place() -> Result<()> {
    let world = World::of_services("foreign").await?;
    world.tls_secret("client", &ca("client")?).await?;
    let theirs = json!({ "certificate": ca("theirs")?.certificate });
    world.tamper_service(Method::PUT, "client", Some(&theirs)).await?;
    world.apply(&world.in_service("client", from_secret())).await?;
    world.reason("client", "NotOwned").await?;
    ensure!(world.writes().await? == 0, "the service was written");
    let mut members = from_secret();
    members["adoptionPolicy"] = "Always".into();
    members["deletionPolicy"] = "Delete".into();
    world.apply(&world.in_service("client", members)).await?;
    world.ready("client").await?;

    world.apply(&world.in_vault("web", json!({ "policy": policy("Self") }))).await?;
    let mut members = from_vault("web");
    members["deletionPolicy"] = "Delete".into();
    world.apply(&world.in_service("client", members)).await?;
    eventually(SOON, "the reference", async || {
        ensure!(world.stored("client").await?["keyVault"].is_object());
        Ok(())
    })
    .await?;
    world.ready("client").await?;
    world.delete("client").await?;
    ensure!(world.stored("client").await.is_err(), "it is not deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_is_not_deleted_and_a_busy_service_is_asked_again() -> Result<()> {
    let world = World::of_services("in-use").await?;
    world.tls_secret("client", &ca("client")?).await?;
    let busy = json!({ "busyWrites": 2 });
    world.emulator.control(Method::PUT, &format!("services/{SERVICE}"), Some(&busy)).await?;
    world.apply(&world.in_service("client", from_secret())).await?;
    world.ready("client").await?;
    world.tamper_service(Method::PATCH, "client", Some(&json!({ "inUse": true }))).await?;
    world.kubectl(&["delete", world.kind, "client", "--wait=false"]).await?;
    world.says("client", "DeletionBlocked", "may still use it").await?;
    world.tamper_service(Method::PATCH, "client", Some(&json!({ "inUse": false }))).await?;
    world.nudge("client").await?;
    world.kubectl(&["wait", "--for=delete", "--timeout=60s", "apimanagementcertificate/client"]).await?;
    ensure!(world.stored("client").await.is_err(), "it is not deleted");
    world.stop().await
}

/// What is uploaded, as other programs read it: with keytool where there is one.
#[test]
fn the_file_opens_with_openssl_and_with_javas_keytool() -> Result<()> {
    let pair = ca("client")?;
    let key = PrivateKey::parse(pair.key.as_bytes()).map_err(|why| anyhow!("{why}"))?;
    let certificates = pki::certificates(pair.certificate.as_bytes()).map_err(|why| anyhow!("{why}"))?;
    let identity = Identity::assemble(key, certificates).context("they belong together")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("client.p12");
    let run = |program: &str, args: &[&str]| Command::new(program).args(args).arg(&file).output();
    for encryption in [Encryption::TripleDes, Encryption::Aes256] {
        let made = pkcs12::build(&identity, "one-time", encryption).map_err(|why| anyhow!("{why}"))?;
        std::fs::write(&file, &*made)?;
        let openssl = |password: &str| run("openssl", &["pkcs12", "-nodes", "-passin", password, "-in"]);
        let read = String::from_utf8(openssl("pass:one-time")?.stdout)?;
        ensure!(read.contains("BEGIN PRIVATE KEY") && read.contains("BEGIN CERTIFICATE"), "{read}");
        ensure!(!openssl("pass:another")?.status.success(), "a wrong password opens it");
        let Ok(listed) = run("keytool", &["-list", "-storepass", "one-time", "-keystore"]) else { continue };
        let listed = String::from_utf8(listed.stdout)?;
        ensure!(listed.contains("PrivateKeyEntry"), "{listed}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_file_nor_password_shows_anywhere() -> Result<()> {
    let world = World::of_services("secret").await?;
    let pair = ca("client")?;
    world.tls_secret("client", &pair).await?;
    world.apply(&world.in_service("client", from_secret())).await?;
    world.ready("client").await?;
    let object: Value =
        serde_json::from_str(&world.kubectl(&["get", world.kind, "client", "-o", "json"]).await?)?;
    let shown = object["status"].to_string();
    for word in ["password", "data", "PRIVATE", "MII"] {
        ensure!(!shown.contains(word), "the status has `{word}`: {shown}");
    }
    world.stop().await
}
