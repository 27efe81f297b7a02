//! CA certificates in IoTDA: their lives, what is set on them, and whose they are.

mod refusals;
mod rotation;

use anyhow::{Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::wait::eventually;
use reqwest::Method;
use serde_json::{Value, json};

use crate::instance::{INSTANCE, INSTANCE_ID, OTHER_TEMPLATE, PROJECT, TEMPLATE, all_settings, as_set};
use crate::proof::signed;
use crate::signatures;
use crate::world::{SOON, World, thumbprint};

const UPLOAD: &str = "iotdaCertificates.upload";
const UPDATE: &str = "iotdaCertificates.update";

#[tokio::test(flavor = "multi_thread")]
async fn it_is_uploaded_verified_and_set_with_either_signature_and_deleted() -> Result<()> {
    let world = World::of_instances("life").await?;
    let shared = json!({ "region": "cn-north-4", "projectId": PROJECT, "instanceId": INSTANCE_ID });
    for (signing, scheme, iotda) in [("Derived", "derived", Value::Null), ("Basic", "basic", shared)] {
        world.signs(signing).await?;
        world.switch(json!({ "localSigning": scheme })).await?;
        let name = format!("with-{scheme}");
        let root = ca(&name)?;
        world.tls_secret("ca", &root).await?;
        let mut members = all_settings();
        if !iotda.is_null() {
            members["iotda"] = iotda;
        }
        world.apply(&world.in_instance(&name, members)).await?;
        world.ready(&name).await?;
        world.holds(&[&root]).await?;
        world.settings_become(&as_set()).await?;
        for condition in ["Synced", "Verified"] {
            let found = world.condition(&name, condition).await?;
            ensure!(found["status"] == "True", "{found}");
        }
        let stored = world.only_in(INSTANCE).await?;
        ensure!(world.field(&name, ".status.remote.id").await? == stored.id);
        ensure!(world.field(&name, ".status.certificate.sha1Thumbprint").await? == thumbprint(&root));
        ensure!(stored.writes == 3, "more than upload, proof and settings: {stored:?}");
        world.quiet(&name).await?;
        world.no_signature_was_refused().await?;
        world.delete(&name).await?;
        ensure!(world.all_in(INSTANCE).await?.is_empty(), "it is not deleted");
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_signature_is_what_others_compute_from_the_captured_request() -> Result<()> {
    let world = World::of_instances("signatures").await?;
    let account = world.huawei();
    for (signing, scheme) in [("Derived", "V11-HMAC-SHA256"), ("Basic", "SDK-HMAC-SHA256")] {
        for temporary in [false, true] {
            world.signs(signing).await?;
            world.switch(json!({ "localSigning": signing.to_lowercase() })).await?;
            if temporary {
                let [id, secret, token] = world.temporary_key().await?;
                world.cluster.temporary_key(&account, &id, &secret, &token).await?;
            }
            world.emulator.control(Method::DELETE, "requests", None).await?;
            let mut members = all_settings();
            members["iotda"] = json!({ "region": "cn-north-4", "host": world.host(INSTANCE) });
            world.uploaded(&ca(signing)?, members).await?;
            world.delete("devices").await?;
            each_is_signed(&world, scheme, temporary).await?;
        }
    }
    world.stop().await
}

/// Each kind of call was made and signed in this way; whatever of a request is another, its signature is too.
async fn each_is_signed(world: &World, scheme: &str, temporary: bool) -> Result<()> {
    let requests = signatures::all_signed(&world.emulator).await?;
    for operation in ["list", "upload", "verify", "get", "update", "delete"] {
        let name = format!("iotdaCertificates.{operation}");
        ensure!(requests.iter().any(|it| it["operation"] == name), "no {operation}");
    }
    for request in &requests {
        let signed = signatures::authorization(request)?;
        // IAM knows the one scheme only.
        let scheme = if request["operation"] == "iam.projects" { "SDK-HMAC-SHA256" } else { scheme };
        ensure!(signed.starts_with(scheme) && signed.contains("x-security-token") == temporary, "{signed}");
    }
    ensure!(requests.iter().any(|it| it["operation"] == "iam.projects"), "IAM was not asked");
    signatures::are_right(&world.emulator, &requests).await?;
    let altered: Vec<_> = requests.iter().map(signatures::altered).collect::<Result<Vec<_>>>()?.concat();
    let judged = signatures::judged(&world.emulator, &altered).await?;
    let passes = altered.iter().zip(&judged).find(|it| it.1 == "right");
    ensure!(altered.len() >= 8 * requests.len() && passes.is_none(), "{passes:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_project_that_is_not_named_is_the_one_of_the_region() -> Result<()> {
    let world = World::of_instances("project").await?;
    let root = ca("devices")?;
    world
        .uploaded(&root, json!({ "iotda": { "region": "cn-north-4", "host": world.host(INSTANCE) } }))
        .await?;
    world.holds(&[&root]).await?;
    ensure!(world.count("iam.projects").await? == 1, "IAM is asked once");
    world.quiet("devices").await?;
    ensure!(world.count("iam.projects").await? == 1, "IAM is asked again");
    world.delete("devices").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_basic_edition_takes_certificates_without_settings() -> Result<()> {
    let world = World::of_instances("basic").await?;
    world.signs("Basic").await?;
    let shared = json!({ "region": "cn-north-4", "projectId": PROJECT });
    world.uploaded(&ca("devices")?, json!({ "iotda": shared, "appId": "app-4" })).await?;
    ensure!(world.only_in("iotda-basic").await?.verified);
    let members = json!({
        "iotda": shared, "appId": "app-4", "provisioning": { "enabled": true, "templateId": TEMPLATE },
    });
    world.apply(&world.in_instance("devices", members)).await?;
    world.says("devices", "UpdateRefused", "edition").await?;
    world.delete("devices").await?;
    ensure!(world.all_in("iotda-basic").await?.is_empty(), "it is not deleted");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_is_repaired_and_what_is_not_managed_is_left() -> Result<()> {
    let world = World::of_instances("drift").await?;
    let root = ca("devices")?;
    world.uploaded(&root, all_settings()).await?;
    for drift in [
        json!({ "settings": { "provisionEnable": false, "templateId": null } }),
        json!({ "settings": { "templateId": OTHER_TEMPLATE } }),
        json!({ "settings": { "ocspEnable": false } }),
        json!({ "settings": { "ocspServerCaId": TEMPLATE } }),
        json!({ "status": false }),
    ] {
        world.tamper_instance(Method::PATCH, Some(&drift)).await?;
        world.nudge("devices").await?;
        world.settings_become(&as_set()).await?;
        world.holds(&[&root]).await?;
        world.ready("devices").await?;
    }
    let first = world.only_in(INSTANCE).await?;
    world.tamper_instance(Method::DELETE, None).await?;
    world.nudge("devices").await?;
    world.holds(&[&root]).await?;
    world.settings_become(&as_set()).await?;
    world.ready("devices").await?;
    let again = world.only_in(INSTANCE).await?;
    ensure!(again.id != first.id && world.field("devices", ".status.remote.id").await? == again.id);

    // OCSP is managed no more.
    let members = json!({ "provisioning": all_settings()["provisioning"] });
    world.apply(&world.in_instance("devices", members)).await?;
    world.ready("devices").await?;
    let off = json!({ "settings": { "ocspEnable": false } });
    world.tamper_instance(Method::PATCH, Some(&off)).await?;
    world.quiet("devices").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ocsp_servers_ca_may_be_another_certificate_of_ours() -> Result<()> {
    let world = World::of_instances("ocsp").await?;
    let (server_ca, second) = (ca("ocsp server")?, ca("ocsp server")?);
    world.tls_secret("ca", &ca("devices")?).await?;
    world.tls_secret("ocsp-ca", &server_ca).await?;
    let ocsp = json!({ "enabled": true, "ssl": { "serverCaRef": { "name": "ocsp-ca" } } });
    world.apply(&world.in_instance("devices", json!({ "ocsp": ocsp }))).await?;
    world.says("devices", "ReferenceNotFound", "ocsp-ca").await?;
    let of_server = json!({
        "source": { "secretRef": { "name": "ocsp-ca" } }, "rotation": { "gracePeriod": "1h" },
    });
    world.apply(&world.in_instance("ocsp-ca", of_server)).await?;
    // Its id is followed, also when it changes.
    for rotated in [None, Some(&second)] {
        if let Some(second) = rotated {
            world.tls_secret("ocsp-ca", second).await?;
        }
        eventually(SOON, "the id of the OCSP server's CA", async || {
            let expected = thumbprint(rotated.unwrap_or(&server_ca));
            ensure!(world.field("ocsp-ca", ".status.certificate.sha1Thumbprint").await? == expected);
            let id = world.field("ocsp-ca", ".status.remote.id").await?;
            let all = world.all_in(INSTANCE).await?;
            let set = all
                .iter()
                .filter(|it| it.settings["ocspServerCaId"] == *id && it.settings["ocspSslEnable"] == true);
            ensure!(set.count() == 1, "{all:?}");
            Ok(())
        })
        .await?;
        world.ready("devices").await?;
    }
    world.delete("devices").await?;
    world.delete("ocsp-ca").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_is_unbound_with_an_explicit_null() -> Result<()> {
    let world = World::of_instances("unbind").await?;
    world.uploaded(&ca("devices")?, all_settings()).await?;
    let updates = world.count(UPDATE).await?;
    let members = json!({ "provisioning": { "enabled": false }, "ocsp": { "enabled": false } });
    world.apply(&world.in_instance("devices", members)).await?;
    let unbound = json!({
        "provisionEnable": false, "templateId": null, "ocspEnable": false, "ocspSslEnable": false,
    });
    world.settings_become(&unbound).await?;
    world.ready("devices").await?;
    let requests = world.requests().await?;
    let last = requests.iter().rev().find(|it| it["operation"] == UPDATE);
    let body = last.and_then(|it| it["body"].as_str()).unwrap_or_default();
    let body: Value = serde_json::from_str(body)?;
    ensure!(body.get("template_id") == Some(&Value::Null), "{body}");
    ensure!(world.count(UPDATE).await? == updates + 1, "more than one call");
    world.quiet("devices").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unknown_of_the_service_does_not_matter() -> Result<()> {
    let world = World::of_instances("unknown").await?;
    for (number, switches) in [
        json!({ "update": "fullReplace", "ocspEnableEcho": "text", "lastMarker": "empty" }),
        json!({ "update": "partial", "contentEcho": "normalised", "lastMarker": "absent" }),
        json!({ "readOne": "notPublished", "lastMarker": "lastId", "codeAfterFailure": "new" }),
        json!({ "readOne": "forbidden", "nullOcspServerCa": "refused", "verifyAgain": "refused" }),
        json!({ "readOne": "present", "duplicate": "secondObject", "unbindWhileProvisioning": "refused" }),
    ]
    .into_iter()
    .enumerate()
    {
        world.switch(switches.clone()).await?;
        let (first, second) = (ca(&format!("first {number}"))?, ca(&format!("second {number}"))?);
        let mut members = all_settings();
        members["rotation"] = json!({ "gracePeriod": "0s" });
        world.uploaded(&first, members).await?;
        world.holds(&[&first]).await?;
        if switches["ocspEnableEcho"] != "text" {
            world.settings_become(&as_set()).await?;
        }
        world.quiet("devices").await?;
        world.tls_secret("ca", &second).await?;
        world.holds(&[&second]).await?;
        world.ready("devices").await?;
        world.delete("devices").await?;
        ensure!(world.all_in(INSTANCE).await?.is_empty(), "{switches}");
    }
    world.no_signature_was_refused().await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_may_be_kept_offline() -> Result<()> {
    let world = World::of_instances("offline").await?;
    let root = ca("devices")?;
    world.tls_secret("ca", &root).await?;
    let place = json!({ "signedCertificateSecretRef": { "name": "signed", "key": "tls.crt" } });
    let members = json!({ "verification": { "proofOfPossession": place } });
    world.apply(&world.in_instance("devices", members)).await?;
    world.says("devices", "SecretNotFound", "status.verificationCode.code").await?;
    let code = world.field("devices", ".status.verificationCode.code").await?;
    let stored = world.only_in(INSTANCE).await?;
    ensure!(
        !code.is_empty()
            && !stored.verified
            && world.condition("devices", "Verified").await?["status"] == "False"
    );

    let secret = |proof: String| {
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "signed" },
            "stringData": { "tls.crt": proof },
        })
        .to_string()
    };
    world.apply(&secret(signed("devices", &root, "another code")?)).await?;
    world.says("devices", "ProofRejected", "for another code").await?;
    ensure!(world.count("iotdaCertificates.verify").await? == 0, "a proof was sent that cannot be right");
    world.apply(&secret(signed("devices", &root, &code)?)).await?;
    world.ready("devices").await?;
    world.holds(&[&root]).await?;
    ensure!(world.field("devices", ".status.verificationCode").await?.is_empty(), "the code is still shown");
    ensure!(world.count(UPLOAD).await? == 1);
    world.delete("devices").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_already_is_taken_over_or_left_alone() -> Result<()> {
    let world = World::of_instances("adopt").await?;
    let root = ca("devices")?;
    let planted = world.plant(&root).await?;
    world.tls_secret("ca", &root).await?;
    world.apply(&world.in_instance("devices", json!({ "adoptionPolicy": "Never" }))).await?;
    world.says("devices", "NotOwned", &planted.id).await?;
    ensure!(world.writes().await? == 0, "what is another's was written");
    world.delete("devices").await?;
    ensure!(world.only_in(INSTANCE).await? == planted);

    // Without a space's name, a listing shows those of others too.
    world.apply(&world.in_instance("devices", json!({}))).await?;
    world.says("devices", "NotOwned", "spec.appId").await?;
    world.delete("devices").await?;

    world.uploaded(&root, json!({ "appId": "app-1" })).await?;
    let adopted = world.only_in(INSTANCE).await?;
    ensure!(adopted.id == planted.id && adopted.verified, "{adopted:?}");
    ensure!(world.field("devices", ".status.remote.origin").await? == "Adopted");
    world.quiet("devices").await?;
    world.delete("devices").await?;
    ensure!(world.only_in(INSTANCE).await? == adopted, "what was adopted is retained");
    ensure!(world.count(UPLOAD).await? == 0);
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_to_the_upload_is_settled_by_what_is_there() -> Result<()> {
    let world = World::of_instances("lost").await?;
    for (name, action) in [
        ("cut", json!({ "cut": { "when": "after" } })),
        ("garbled", json!({ "garble": { "text": "<html>" } })),
        ("late", json!({ "late": { "ms": 3000 } })),
    ] {
        let root = ca(name)?;
        world.tls_secret("ca", &root).await?;
        let uploads = world.count(UPLOAD).await?;
        let fault = json!({ "operation": UPLOAD, "action": action });
        world.emulator.control_post("faults", &fault).await?;
        world.apply(&world.in_instance(name, json!({ "adoptionPolicy": "Never" }))).await?;
        world.ready(name).await?;
        world.holds(&[&root]).await?;
        ensure!(world.count(UPLOAD).await? == uploads + 1, "{name}: uploaded again");
        ensure!(world.field(name, ".status.remote.origin").await? == "Created", "{name}");
        world.delete(name).await?;
        ensure!(world.all_in(INSTANCE).await?.is_empty(), "{name} is not deleted");
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn where_it_stands_cannot_be_changed() -> Result<()> {
    let world = World::of_instances("immutable").await?;
    world.uploaded(&ca("devices")?, json!({})).await?;
    let elsewhere = json!({ "region": "cn-north-4", "projectId": PROJECT });
    for (members, named) in [
        (json!({ "iotda": elsewhere }), "`iotda` must not change"),
        (json!({ "appId": "app-2" }), "`appId` must not change"),
    ] {
        let refused = world.apply(&world.in_instance("devices", members)).await.err();
        ensure!(refused.is_some_and(|it| format!("{it:#}").contains(named)), "{named}");
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn many_certificates_are_paged_through() -> Result<()> {
    let world = World::of_instances("pages").await?;
    let root = ca("devices")?;
    let planted = world.plant(&root).await?;
    let other = ca("devices")?; // of the same name and dates
    for _ in 0..60 {
        world.plant(&other).await?;
    }
    world.uploaded(&root, json!({ "appId": "app-1" })).await?;
    ensure!(world.field("devices", ".status.remote.id").await? == planted.id, "it was not found");
    eventually(SOON, "at rest", async || world.quiet("devices").await).await?;
    world.stop().await
}
