//! Proof of possession in every way: wherever the key is, and of whatever kind.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::{Pair, ca};
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::json;

use crate::world::{SOON, World};

/// The whole of a Secret, as text.
async fn secret(world: &World, name: &str, data: serde_json::Value) -> Result<()> {
    let secret =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": data });
    world.apply(&secret.to_string()).await
}

async fn is_verified(world: &World, name: &str) -> Result<()> {
    world.ready(name).await?;
    let verified = world.condition(name, "Verified").await?;
    ensure!(verified["status"] == "True" && world.in_hub(name).await?.verified, "{verified}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_be_in_a_secret_of_its_own() -> Result<()> {
    let world = World::start("own-secret").await?;
    let root = ca("Factory root")?;
    let manifest = world
        .certificate("factory-root")
        .replace("{secretRef: {name: factory-ca}}", "{configMapRef: {name: factory-ca, key: ca.crt}}")
        .replace(
            "{proofOfPossession: {}}",
            "{proofOfPossession: {privateKeySecretRef: {name: vault, key: k}}}",
        );
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "factory-ca" },
        "data": { "ca.crt": root.certificate },
    });
    world.apply(&map.to_string()).await?;
    world.apply(&manifest).await?;
    world.says("factory-root", "SecretNotFound", "`vault`").await?;
    secret(&world, "vault", json!({ "other": root.key })).await?;
    world.says("factory-root", "SecretKeyMissing", "key `k`").await?;
    ensure!(world.calls().await? == 0, "the hub was called without a key");
    secret(&world, "vault", json!({ "k": root.key })).await?;
    is_verified(&world, "factory-root").await?;
    // Back to the source Secret's own key, by server-side apply: the empty member must not become null.
    world.tls_secret("factory-ca", &root).await?;
    world.apply(&world.certificate("factory-root")).await?;
    is_verified(&world, "factory-root").await?;
    world.stop().await
}

/// A certificate for that code, signed with the key of the CA of that name.
pub fn signed(name: &str, ca: &Pair, code: &str) -> Result<String> {
    let named = |name: &str| {
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params
    };
    let issuer = rcgen::Issuer::new(named(name), rcgen::KeyPair::from_pem(&ca.key)?);
    Ok(named(code).signed_by(&rcgen::KeyPair::generate()?, &issuer)?.pem())
}

/// The code that the status shows, other than that one.
async fn code(world: &World, before: &str) -> Result<String> {
    eventually(SOON, "a code", async || {
        let code = world.field("factory-root", ".status.verificationCode.code").await?;
        ensure!(!code.is_empty() && code != before, "{code:?}");
        Ok(code)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_be_kept_offline_and_bad_proofs_are_told_apart() -> Result<()> {
    let world = World::start("offline").await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    let manifest = world.certificate("factory-root").replace(
        "{proofOfPossession: {}}",
        "{proofOfPossession: {signedCertificateSecretRef: {name: signed, key: tls.crt}}}",
    );
    world.apply(&manifest).await?;
    world.says("factory-root", "SecretNotFound", "status.verificationCode.code").await?;
    let first = code(&world, "").await?;
    ensure!(world.condition("factory-root", "Verified").await?["status"] == "False", "verified already");

    secret(&world, "signed", json!({ "tls.crt": "no certificate" })).await?;
    world.says("factory-root", "CertificateMalformed", "`signed`").await?;
    secret(&world, "signed", json!({ "tls.crt": signed("Factory root", &ca("Factory root")?, &first)? }))
        .await?;
    world.says("factory-root", "ProofRejected", "not signed by the key").await?;
    let codes = world.count("iotHubCertificates.generateVerificationCode").await?;
    ensure!(codes == 1, "{codes} codes were asked for");
    ensure!(world.count("iotHubCertificates.verify").await? == 0, "a bad proof was sent");

    // Somebody else writes to the certificate: the code is void, and so is what was signed for it.
    world.tamper(Method::PATCH, "factory-root", Some(&json!({ "etag": "AAAAAAAAAAE=" }))).await?;
    secret(&world, "signed", json!({ "tls.crt": signed("Factory root", &root, &first)? })).await?;
    let second = code(&world, &first).await?;
    world.says("factory-root", "ProofRejected", "another code, perhaps an earlier one").await?;
    secret(&world, "signed", json!({ "tls.crt": signed("Factory root", &root, &second)? })).await?;
    is_verified(&world, "factory-root").await?;
    ensure!(world.field("factory-root", ".status.verificationCode").await?.is_empty(), "the code stays");
    ensure!(world.count("iotHubCertificates.verify").await? == 1, "not one proof");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_kind_and_form_prove_possession() -> Result<()> {
    let world = World::start("keys").await?;
    let keys = [
        ("rsa-2048", "pkcs8"),
        ("rsa-3072", "pkcs1"),
        ("rsa-4096", "pkcs8"),
        ("p-256", "sec1"),
        ("p-384", "pkcs8"),
        ("p-521", "sec1"),
    ];
    for (kind, form) in keys {
        let pair = Pair {
            certificate: read(&format!("{kind}.pem"))?,
            key: read(&format!("{kind}.{form}.pem"))?,
            der: Vec::new(),
        };
        world.tls_secret(kind, &pair).await?;
        world.apply(&world.certificate(kind).replace("factory-ca", kind)).await?;
    }
    for (kind, _) in keys {
        is_verified(&world, kind).await.with_context(|| kind)?;
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_encrypted_key_is_refused_before_any_call() -> Result<()> {
    let world = World::start("encrypted").await?;
    for (name, key) in [("pkcs8", "rsa-2048.encrypted.pem"), ("legacy", "rsa-2048.legacy-encrypted.pem")] {
        let pair = Pair { certificate: read("rsa-2048.pem")?, key: read(key)?, der: Vec::new() };
        world.tls_secret(name, &pair).await?;
        world.apply(&world.certificate(name).replace("factory-ca", name)).await?;
        world.says(name, "PrivateKeyUnusable", "encrypted").await?;
    }
    ensure!(world.calls().await? == 0, "the hub was called");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_chain_the_first_certificate_is_uploaded() -> Result<()> {
    let world = World::start("chain").await?;
    let (mut intermediate, root) = (ca("Factory intermediate")?, ca("Factory root")?);
    let expected = crate::world::thumbprint(&intermediate);
    intermediate.certificate.push_str(&root.certificate);
    world.tls_secret("factory-ca", &intermediate).await?;
    world.apply(&world.certificate("factory-root")).await?;
    is_verified(&world, "factory-root").await?;
    ensure!(world.in_hub("factory-root").await?.thumbprint == expected, "another one was uploaded");
    world.stop().await
}

fn read(file: &str) -> Result<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/pki").join(file);
    fs::read_to_string(path).with_context(|| file.to_owned())
}
