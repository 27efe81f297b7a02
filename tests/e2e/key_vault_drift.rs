//! What of a policy, of tags and of attributes is repaired, what makes a new version, and that all else makes none.

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::rest::{nothing_written_since, own_writes};
use crate::vault::{merge, policy};
use crate::world::{SOON, World};

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
        is_put_back(&world, &settled, tampered).await?;
    }
    ensure!(world.only_version("web").await? == version, "a new version was made");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_for_another_key_form_or_issuer_is_put_back_without_a_new_version() -> Result<()> {
    let world = World::of_vaults("drift-key").await?;
    let mut members = json!({ "policy": policy("TestCA") });
    let more = json!({ "policy": {
        "secretProperties": { "contentType": "application/x-pkcs12" },
        "issuer": { "certificateType": "OV-SSL", "certificateTransparency": true },
    } });
    merge(&mut members, &more);
    world.apply(&world.in_vault("web", members)).await?;
    world.ready("web").await?;
    let version = world.only_version("web").await?;
    world.quiet("web").await?;
    let settled = world.held("web").await?;
    let key = |changed: Value| json!({ "policy": { "key_props": changed } });
    let issuer = |changed: Value| json!({ "policy": { "issuer": changed } });
    for tampered in [
        key(json!({ "exportable": false })),
        key(json!({ "kty": "RSA", "key_size": 2048, "crv": null })),
        key(json!({ "crv": "P-384", "key_size": 384 })),
        json!({ "policy": { "secret_props": { "contentType": "application/x-pem-file" } } }),
        issuer(json!({ "name": "Self" })),
        issuer(json!({ "cty": "DV-SSL" })),
        issuer(json!({ "cert_transparency": false })),
    ] {
        is_put_back(&world, &settled, tampered).await?;
    }
    ensure!(world.only_version("web").await? == version, "a new version was made");
    world.stop().await
}

/// Changed behind the operator's back, the certificate comes to be as it was.
async fn is_put_back(world: &World, settled: &Value, tampered: Value) -> Result<()> {
    world.tamper_vault(Method::PATCH, "web", tampered.clone()).await?;
    world.nudge("web").await?;
    eventually(SOON, "the policy as it was", async || {
        let held = world.held("web").await?;
        ensure!(held["policy"] == settled["policy"], "{tampered}: {}", held["policy"]);
        ensure!(held["versions"][0]["enabled"] == true, "{tampered}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_leaves_the_spec_leaves_the_vault_and_those_of_others_stay() -> Result<()> {
    let world = World::of_vaults("tags").await?;
    let with = |tags: Value| world.in_vault("web", json!({ "policy": policy("Self"), "tags": tags }));
    world.apply(&with(json!({ "team": "web", "stage": "test" }))).await?;
    world.ready("web").await?;
    let mut tags = world.held("web").await?["versions"][0]["tags"].clone();
    tags["theirs"] = json!("x");
    world.tamper_vault(Method::PATCH, "web", json!({ "tags": tags })).await?;
    world.apply(&with(json!({ "stage": "production" }))).await?;
    eventually(SOON, "the tags", async || {
        let tags = world.held("web").await?["versions"][0]["tags"].clone();
        ensure!(tags["team"].is_null() && tags["stage"] == "production" && tags["theirs"] == "x", "{tags}");
        Ok(())
    })
    .await?;
    world.quiet("web").await?;
    world.only_version("web").await.map(drop)?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_resyncs_write_nothing_and_make_no_version() -> Result<()> {
    let world = World::of_vaults("resyncs").await?;
    world.cluster.grant(&world.namespace, "certferry-outputs").await?;
    world.tls_secret("web-tls", &ca("web")?).await?;
    // The vault fills in all that is not written, and derives the policy of an import.
    let least =
        json!({ "x509Properties": { "subject": "CN=web.example,O=Example" }, "issuer": { "name": "Self" } });
    for (name, members) in [
        ("least", json!({ "policy": least, "exportTo": { "secretName": "out" } })),
        ("imported", json!({ "import": { "secretRef": { "name": "web-tls" } }, "tags": { "team": "web" } })),
    ] {
        world.apply(&world.in_vault(name, members)).await?;
        world.ready(name).await?;
        world.quiet(name).await?;
    }
    let (writes, own) = (world.writes().await?, own_writes(&world).await?.len());
    let keys = world.count("keyVaultSecrets.get").await?;
    for round in 0..100 {
        let reads = world.count("keyVaultCertificates.get").await?;
        let nudge = format!("certferry-test/round={round}");
        world.kubectl(&["annotate", "--overwrite", world.kind, "--all", &nudge]).await?;
        eventually(SOON, "both read again", async || {
            let made = world.count("keyVaultCertificates.get").await? - reads;
            ensure!(made >= 2, "round {round}: {made}");
            Ok(())
        })
        .await?;
    }
    ensure!(world.writes().await? == writes, "the vault was written at rest");
    nothing_written_since(&world, own).await?;
    ensure!(world.count("keyVaultSecrets.get").await? == keys, "the key was read at rest");
    for name in ["least", "imported"] {
        world.only_version(name).await.context(name)?;
    }
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
