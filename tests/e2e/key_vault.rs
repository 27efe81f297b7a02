//! Certificates in vaults: made by a policy, imported, merged, renewed, exported, deleted.

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

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
    world.delete("web").await?;
    ensure!(world.held("web").await?["deleted"].is_object(), "it is not deleted");
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
async fn the_operator_renews_in_time_and_once() -> Result<()> {
    let world = World::of_vaults("renew").await?;
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
async fn the_certificate_is_exported_where_that_is_granted() -> Result<()> {
    let world = World::of_vaults("export").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let members = json!({
        "policy": policy("Unknown"), "signedBy": { "caSecretRef": { "name": "factory-ca" } },
        "exportTo": { "secretName": "web-out" },
    });
    world.apply(&world.in_vault("web", members)).await?;
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
    // Somebody spoils it.
    let spoil = r#"{"data": {"tls.crt": "eA=="}}"#;
    world.kubectl(&["patch", "secret", "web-out", "--type=merge", "-p", spoil]).await?;
    eventually(SOON, "the exported certificate", async || {
        let again: Value =
            serde_json::from_str(&world.kubectl(&["get", "secret", "web-out", "-o", "json"]).await?)?;
        ensure!(again["data"] == secret["data"], "it is not repaired");
        Ok(())
    })
    .await?;
    world.stop().await
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
fn sign(request: &str) -> Result<String> {
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
async fn what_concerns_the_next_version_is_repaired_without_making_one() -> Result<()> {
    let world = World::of_vaults("drift").await?;
    let manifest = world.in_vault("web", json!({
        "tags": { "team": "web" }, "attributes": { "enabled": true },
        "policy": {
            "keyProperties": { "keyType": "RSA", "keySize": 2048, "exportable": true, "reuseKey": false },
            "secretProperties": { "contentType": "application/x-pkcs12" },
            "x509Properties": {
                "subject": "CN=web, O=Example\\, Inc, ST=Bavaria, C=DE",
                "subjectAlternativeNames": { "dnsNames": ["b.example", "A.example"], "emails": ["a@example.com"], "upns": ["u@example.com"] },
                "ekus": ["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"],
                "keyUsage": ["keyEncipherment", "digitalSignature"],
                "validityMonths": 24,
            },
            "issuer": { "name": "self" },
            "lifetimeActions": [{ "action": "EmailContacts", "daysBeforeExpiry": 30 }],
        },
    }));
    world.apply(&manifest).await?;
    world.ready("web").await?;
    let version = world.only_version("web").await?;
    world.quiet("web").await?;
    let settled = world.held("web").await?;
    for tampered in [
        json!({ "policy": { "x509_props": { "subject": "CN=other" } } }),
        json!({ "policy": { "x509_props": { "sans": { "dns_names": ["other.example"] } } } }),
        json!({ "policy": { "x509_props": { "ekus": ["1.3.6.1.5.5.7.3.3"] } } }),
        json!({ "policy": { "x509_props": { "key_usage": ["digitalSignature"] } } }),
        json!({ "policy": { "x509_props": { "validity_months": 1 } } }),
        json!({ "policy": { "key_props": { "key_size": 4096 } } }),
        json!({ "policy": { "key_props": { "reuse_key": true } } }),
        json!({ "policy": { "lifetime_actions": [
            { "trigger": { "lifetime_percentage": 80 }, "action": { "action_type": "AutoRenew" } },
        ] } }),
        json!({ "enabled": false }),
    ] {
        world.tamper_vault(Method::PATCH, "web", tampered.clone()).await?;
        world.nudge("web").await?;
        eventually(SOON, "the policy as it was", async || {
            let held = world.held("web").await?;
            ensure!(held["policy"] == settled["policy"], "{tampered}: {}", held["policy"]);
            ensure!(held["versions"][0]["enabled"] == true, "{tampered}");
            Ok(())
        })
        .await?;
    }
    ensure!(world.only_version("web").await? == version, "a new version was made");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_new_version_makes_one_and_what_does_not_makes_none() -> Result<()> {
    let world = World::of_vaults("changes").await?;
    let with = |patch: Value| {
        let mut members = json!({ "policy": policy("Self") });
        merge(&mut members, &patch);
        world.in_vault("web", members)
    };
    world.apply(&with(json!({}))).await?;
    world.ready("web").await?;
    let mut made = 1;
    for (patch, makes) in [
        (json!({ "tags": { "a": "b" } }), false),
        (json!({ "attributes": { "enabled": false } }), false),
        (json!({ "attributes": { "enabled": true } }), false),
        (
            json!({ "policy": { "lifetimeActions": [{ "action": "EmailContacts", "lifetimePercentage": 50 }] } }),
            false,
        ),
        (json!({ "policy": { "x509Properties": { "subject": "CN=other.example" } } }), true),
        (
            json!({ "policy": { "x509Properties": { "subject": "CN=other.example", "validityMonths": 6 } } }),
            true,
        ),
        (
            json!({ "policy": { "secretProperties": { "contentType": "application/x-pem-file" }, "x509Properties": { "subject": "CN=other.example", "validityMonths": 6 } } }),
            true,
        ),
    ] {
        made += usize::from(makes);
        world.apply(&with(patch.clone())).await?;
        eventually(SOON, "as many versions", async || {
            let ready = world.condition("web", "Synced").await?;
            ensure!(ready["status"] == "True", "{patch}: {ready}");
            let versions = world.versions("web").await?;
            ensure!(versions.len() == made, "{patch}: {versions:?}");
            Ok(())
        })
        .await?;
    }
    world.stop().await
}

fn merge(target: &mut Value, patch: &Value) {
    match patch.as_object() {
        Some(members) => members.iter().for_each(|(name, value)| merge(&mut target[name.as_str()], value)),
        None => *target = patch.clone(),
    }
}
