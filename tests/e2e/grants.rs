//! Who may use which account for what, given and taken back; and that no reference reaches into another namespace.

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::{NAMESPACE, TENANT, ca};
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::shared::shared;
use crate::world::{SOON, World, thumbprint};

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_loses_the_account_neither_writes_nor_deletes() -> Result<()> {
    let world = World::start("taken-back").await?;
    world.settled("factory-root").await?;
    let nobody = json!({ "allowedNamespaces": { "names": ["somebody-else"] } });
    world.account_of(TENANT, &world.by_secret(), nobody).await?;
    world.says("factory-root", "AccountNotAllowed", "`spec.allowedNamespaces`").await?;
    let calls = world.calls().await?;
    world.tls_secret("factory-ca", &ca("Factory root 2")?).await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--wait=false"]).await?;
    world.says("factory-root", "DeletionBlocked", "AccountNotAllowed").await?;
    ensure!(world.calls().await? == calls, "the hub was called without a grant");
    world.account(&world.by_secret()).await?;
    world.is_removed("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_may_be_allowed_by_its_labels() -> Result<()> {
    let world = World::start("labels").await?;
    let labelled = json!({ "allowedNamespaces": { "selector": { "matchLabels": { "team": "a" } } } });
    world.account_of(TENANT, &world.by_secret(), labelled).await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "AccountNotAllowed").await?;
    let namespace = ["namespace", world.namespace.as_str()];
    world.cluster.kubectl(&[&["label"], &namespace[..], &["team=a"]].concat(), None).await?;
    world.ready("factory-root").await?;
    world.cluster.kubectl(&[&["label"], &namespace[..], &["team-"]].concat(), None).await?;
    world.reason("factory-root", "AccountNotAllowed").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_reaches_only_the_targets_that_it_allows() -> Result<()> {
    let world = World::start("targets").await?;
    let targets = |glob: &str| json!({ "allowedTargets": [glob, "iothub/*/rg-other/*/*"] });
    let account = async |glob: &str| world.account_of(TENANT, &world.by_secret(), targets(glob)).await;
    account("iothub/*/rg-devices/hub-1/team-a-*").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&world.certificate("team-b-root")).await?;
    world.says("team-b-root", "AccountNotAllowed", "rg-devices/hub-1/team-b-root").await?;
    ensure!(world.calls().await? == 0, "the hub was called for a target that is not allowed");
    world.apply(&world.certificate("team-a-root")).await?;
    world.ready("team-a-root").await?;

    account("iothub/*/rg-devices/hub-1/team-c-*").await?;
    world.reason("team-a-root", "AccountNotAllowed").await?;
    world.kubectl(&["delete", "iothubcertificate", "team-a-root", "--wait=false"]).await?;
    world.says("team-a-root", "DeletionBlocked", "'Retain'").await?;
    ensure!(world.in_hub("team-a-root").await.is_ok(), "it was deleted without a grant");
    account("iothub/*/rg-devices/hub-1/TEAM-A-*").await?;
    world.is_removed("team-a-root").await?;
    world.stop().await
}

/// A certificate that refers to everything by the name `there`, but for the fields of `changes`.
fn referring(world: &World, name: &str, changes: &Value) -> Result<String> {
    let mut manifest: Value = serde_saphyr::from_str(&world.certificate(name))?;
    for (pointer, value) in changes.as_object().into_iter().flatten() {
        let (parent, member) = pointer.rsplit_once('/').context("no pointer")?;
        let parent = manifest.pointer_mut(parent).context("no such parent")?;
        parent[member] = value.clone();
    }
    Ok(manifest.to_string())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_reference_reaches_into_another_namespace() -> Result<()> {
    let world = World::start("grid").await?;
    let elsewhere = format!("{}-elsewhere", world.namespace);
    world.cluster.granting_namespace(&elsewhere).await?;
    let root = ca("Factory root")?;
    world.tls_secret("factory-ca", &root).await?;
    // In the other namespace everything is there, under the names that are asked for.
    world.cluster.tls_secret(&elsewhere, "there", &root).await?;
    world.cluster.tls_secret(NAMESPACE, "there", &root).await?;
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "there" }, "data": { "k": root.certificate },
    });
    let account = json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "CloudAccount", "metadata": { "name": "there" },
        "spec": { "azure": {
            "cloud": "Public", "tenantId": TENANT,
            "auth": { "workloadIdentity": { "clientId": TENANT, "serviceAccountRef": { "name": "there" } } },
        } },
    });
    for manifest in [map, account] {
        world.cluster.apply(&elsewhere, &manifest.to_string()).await?;
    }
    let key = |name: &str| json!({ "name": name, "key": "tls.key" });
    for (name, changes, reason) in [
        ("secret", json!({ "/spec/source": { "secretRef": { "name": "there" } } }), "SecretNotFound"),
        (
            "map",
            json!({
                "/spec/source": { "configMapRef": { "name": "there", "key": "k" } },
                "/spec/verification/proofOfPossession": { "privateKeySecretRef": key("factory-ca") },
            }),
            "ReferenceNotFound",
        ),
        (
            "key",
            json!({ "/spec/verification/proofOfPossession": { "privateKeySecretRef": key("there") } }),
            "SecretNotFound",
        ),
        (
            "signed",
            json!({ "/spec/verification/proofOfPossession": { "signedCertificateSecretRef": key("there") } }),
            "SecretNotFound",
        ),
        (
            "account",
            json!({ "/spec/accountRef": { "kind": "CloudAccount", "name": "there" } }),
            "AccountNotFound",
        ),
        (
            "cluster-account",
            json!({ "/spec/accountRef": { "kind": "ClusterCloudAccount", "name": "there" } }),
            "AccountNotFound",
        ),
    ] {
        world.apply(&referring(&world, name, &changes)?).await?;
        world.reason(name, reason).await.with_context(|| name.to_owned())?;
    }
    // Accounts too read where they stand, or where the operator does: not where their users are.
    let auth = |name: &str| json!({ "clientSecret": { "clientId": TENANT, "secretRef": { "name": name, "key": "tls.key" } } });
    let own = json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "CloudAccount", "metadata": { "name": "own" },
        "spec": { "azure": { "cloud": "Public", "tenantId": TENANT, "auth": auth("there") } },
    });
    world.apply(&own.to_string()).await?;
    world.account(&auth("factory-ca")).await?;
    for account in [
        format!("cloudaccount/own -n {}", world.namespace),
        format!("clustercloudaccount/{}", world.namespace),
    ] {
        let reason = ["-o", "jsonpath={.status.conditions[?(@.type=='Ready')].reason}"];
        let args: Vec<_> = ["get"].into_iter().chain(account.split(' ')).chain(reason).collect();
        eventually(SOON, "the account's reason", async || {
            let told = world.cluster.kubectl(&args, None).await?;
            ensure!(told == "SecretNotFound", "{account}: {told}");
            Ok(())
        })
        .await?;
    }
    // The account is looked at for its own sake; nothing else of the other namespace was read.
    let events = shared().await?.plane.audit_events()?;
    let operator = format!("system:serviceaccount:{NAMESPACE}:certferry");
    let reads =
        events.iter().filter(|it| it.user == operator && it.namespace == elsewhere && it.verb == "get");
    let objects: Vec<_> = reads.map(|it| it.resource.as_str()).filter(|it| *it != "cloudaccounts").collect();
    ensure!(objects.is_empty(), "read in the other namespace: {objects:?}");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_to_get_one_secret_is_enough_to_read_it_at_each_pass() -> Result<()> {
    let world = World::start("strict").await?;
    world.kubectl(&["delete", "rolebinding", "certferry-sources"]).await?;
    let secret = ["--verb=get", "--resource=secrets", "--resource-name=factory-ca"];
    world.kubectl(&[&["create", "role", "certferry-factory-ca"], &secret[..]].concat()).await?;
    let to = format!("--serviceaccount={NAMESPACE}:certferry");
    let bind = ["create", "rolebinding", "certferry-factory-ca", "--role=certferry-factory-ca", &to];
    world.kubectl(&bind).await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.ready("factory-root").await?;
    // Nobody tells the operator of a change that it may not watch, which it says; the next pass sees it.
    let unwatched = |it: &str| it.contains("changes are not noticed") && it.contains(&world.namespace);
    eventually(SOON, "a word of what is not watched", async || {
        ensure!(shared().await?.operator.process.log()?.lines().any(unwatched), "the log does not tell it");
        Ok(())
    })
    .await?;
    let second = ca("Factory root 2")?;
    world.tls_secret("factory-ca", &second).await?;
    world.nudge("factory-root").await?;
    world.hub_becomes("factory-root", &thumbprint(&second)).await?;
    world.ready("factory-root").await?;
    let refused = world.refusals()?;
    let is_watching = |it: &String| it.starts_with("list ") || it.starts_with("watch ");
    ensure!(!refused.is_empty() && refused.iter().all(is_watching), "refused: {refused:?}");
    world.stop_without_rights().await
}
