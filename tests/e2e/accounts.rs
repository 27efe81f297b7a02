//! Every way to sign in, and that each way to fail is told apart.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use certferry_rig::installation::{CLIENT, EXCHANGE_AUDIENCE, NAMESPACE, TENANT, ca, emulated_azure};
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::failover::Stage;
use crate::world::{SOON, World};

/// The emulator's client that trusts other issuers.
pub const FEDERATED: &str = "22222222-2222-4222-8222-000000000002";
const MANAGED: &str = "22222222-2222-4222-8222-000000000003";

/// What the federated client trusts: the cluster's ServiceAccount of that name in the operator's namespace, with changes.
pub async fn trust(world: &World, service_account: &str, changes: Value) -> Result<()> {
    let keys: Value =
        serde_json::from_str(&world.cluster.kubectl(&["get", "--raw", "/openid/v1/jwks"], None).await?)?;
    let mut credential = json!({
        "issuer": "https://kubernetes.default.svc",
        "subject": format!("system:serviceaccount:{NAMESPACE}:{service_account}"),
        "audiences": [EXCHANGE_AUDIENCE],
        "keys": keys,
    });
    for (member, value) in changes.as_object().into_iter().flatten() {
        credential[member] = value.clone();
    }
    let path = format!("clients/{FEDERATED}/federated-credentials");
    world.emulator.control(reqwest::Method::PUT, &path, Some(&json!([credential]))).await.map(drop)
}

async fn with_certificate(name: &str) -> Result<World> {
    let world = World::start(name).await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&world.certificate("factory-root")).await?;
    Ok(world)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_own_token_is_exchanged() -> Result<()> {
    let world = with_certificate("workload").await?;
    trust(&world, "certferry", json!({})).await?;
    world.account(&json!({ "workloadIdentity": { "clientId": FEDERATED } })).await?;
    world.ready("factory-root").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_service_accounts_token_is_asked_for_and_exchanged() -> Result<()> {
    let world = with_certificate("service-account").await?;
    let name = world.namespace.as_str();
    trust(&world, name, json!({})).await?;
    let auth =
        json!({ "workloadIdentity": { "clientId": FEDERATED, "serviceAccountRef": { "name": name } } });
    world.account(&auth).await?;
    world.says("factory-root", "SourcesNotGranted", "`serviceaccounts/token`").await?;
    let grant =
        ["--verb=create", "--resource=serviceaccounts/token", "--resource-name", name, "-n", NAMESPACE];
    world.cluster.kubectl(&[&["create", "role", name], &grant[..]].concat(), None).await?;
    let to = format!("--serviceaccount={NAMESPACE}:certferry");
    world
        .cluster
        .kubectl(&["create", "rolebinding", name, "--role", name, &to, "-n", NAMESPACE], None)
        .await?;
    world
        .kubectl(&["annotate", "iothubcertificate", "factory-root", "certferry.dev/sync-requested=now"])
        .await?;
    world.says("factory-root", "ReferenceNotFound", "create it").await?;
    world.cluster.kubectl(&["create", "serviceaccount", name, "-n", NAMESPACE], None).await?;
    world.ready("factory-root").await?;
    world.stop_without_rights().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_machines_identity_is_used() -> Result<()> {
    let world = with_certificate("managed").await?;
    for auth in [json!({ "clientId": MANAGED }), json!({})] {
        let tokens = world.count("managedIdentityToken").await?;
        world.account(&json!({ "managedIdentity": auth })).await?;
        world.ready("factory-root").await?;
        eventually(SOON, "a token of this identity", async || {
            ensure!(world.count("managedIdentityToken").await? == tokens + 1, "not one token call");
            Ok(())
        })
        .await?;
    }
    world.account(&json!({ "managedIdentity": { "clientId": CLIENT } })).await?;
    world.says("factory-root", "AuthenticationFailed", "managed identity").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_way_in_which_sign_in_fails_is_told_apart() -> Result<()> {
    let world = with_certificate("told-apart").await?;
    world.ready("factory-root").await?;
    let federated = json!({ "workloadIdentity": { "clientId": FEDERATED } });
    let unknown = json!({ "clientSecret": {
        "clientId": "22222222-2222-4222-8222-00000000dead",
        "secretRef": { "name": world.namespace, "key": "clientSecret" },
    } });
    let nowhere = "11111111-1111-4111-8111-00000000dead";
    for (round, (tenant, auth, trusted, number, hint)) in [
        (nowhere, world.by_secret(), json!({}), "AADSTS90002", "tenantId"),
        (TENANT, unknown, json!({}), "AADSTS700016", "clientId"),
        (TENANT, federated.clone(), json!({ "issuer": "https://else" }), "AADSTS700211", "issuer"),
        (TENANT, federated.clone(), json!({ "audiences": ["else"] }), "AADSTS700212", "audience"),
        (TENANT, federated.clone(), json!({ "subject": "else" }), "AADSTS700213", "subject"),
    ]
    .into_iter()
    .enumerate()
    {
        trust(&world, "certferry", trusted).await?;
        // A changed bundle is a changed account, so no pause of the one before holds.
        let mut azure = emulated_azure(tenant, &auth, &world.emulator.urls)?;
        let bundle = azure["caBundle"].as_str().unwrap_or_default().to_owned() + &"\n".repeat(round);
        azure["caBundle"] = bundle.into();
        world.account_of(tenant, &auth, json!({ "azure": azure })).await?;
        world.says("factory-root", "AuthenticationFailed", number).await?;
        world.says("factory-root", "AuthenticationFailed", hint).await?;
    }
    world.client_secret("wrong").await?;
    world.account(&world.by_secret()).await?;
    world.says("factory-root", "AuthenticationFailed", "AADSTS7000215").await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_credential_costs_one_token_call_per_step_whatever_uses_it() -> Result<()> {
    let world = World::start("one-step").await?;
    world.client_secret("wrong").await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    let begin = Instant::now();
    let names: Vec<_> = (0..20).map(|number| format!("root-{number}")).collect();
    let manifests: Vec<_> = names.iter().map(|name| world.certificate(name)).collect();
    world.apply(&manifests.join("---\n")).await?;
    eventually(SOON, "all to be told", async || {
        let path = "jsonpath={.items[*].status.conditions[?(@.type=='Ready')].reason}";
        let reasons = world.kubectl(&["get", "iothubcertificates", "-o", path]).await?;
        let refused = reasons.split_whitespace().filter(|it| *it == "AuthenticationFailed").count();
        ensure!(refused == names.len(), "{refused} of {}", names.len());
        Ok(())
    })
    .await?;
    // The account's own secret was right before it was wrong: one token call that succeeded is not counted here.
    let calls = world.count("token").await?;
    let allowed = 2 + steps(begin.elapsed());
    ensure!(calls <= allowed, "{calls} token calls where {allowed} are allowed");
    world.stop().await
}

/// How many steps of the backoff begin in that time: after 10 s, 20 s, 40 s, each a fifth shorter at most.
fn steps(time: Duration) -> u64 {
    let pauses = std::iter::successors(Some(8), |pause| Some(pause * 2));
    let begins = pauses.scan(0, |sum, pause| {
        *sum += pause;
        Some(*sum)
    });
    1 + begins.take_while(|begin| *begin <= time.as_secs()).count() as u64
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_operator_calls_nobody_until_it_is_so_no_more() -> Result<()> {
    let stage = Stage::set().await?;
    let operator = stage.operator(&["--suspend"]).await?;
    let world = stage.world("stopped").await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.says("factory-root", "Suspended", "`--suspend`").await?;
    ensure!(world.requests().await?.is_empty(), "something was called");
    operator.stop().await?;

    let operator = stage.operator(&[]).await?;
    world.ready("factory-root").await?;
    operator.stop().await?;
    let operator = stage.operator(&["--suspend"]).await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--wait=false"]).await?;
    world.says("factory-root", "DeletionBlocked", "`--suspend`").await?;
    ensure!(world.in_hub("factory-root").await.is_ok(), "it was deleted");
    operator.stop().await?;

    let operator = stage.operator(&[]).await?;
    world.is_removed("factory-root").await?;
    operator.stop().await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_account_makes_no_call_and_blocks_deletions() -> Result<()> {
    let world = with_certificate("suspended").await?;
    world.ready("factory-root").await?;
    world.account_of(TENANT, &world.by_secret(), json!({ "suspend": true })).await?;
    world.says("factory-root", "Suspended", "`spec.suspend`").await?;
    ensure!(world.condition("factory-root", "Ready").await?["status"] == "True", "Ready changed");
    let calls = world.calls().await?;
    world.tls_secret("factory-ca", &ca("Factory root 2")?).await?;
    world.kubectl(&["delete", "iothubcertificate", "factory-root", "--wait=false"]).await?;
    world.says("factory-root", "DeletionBlocked", "'Retain'").await?;
    ensure!(world.calls().await? == calls, "the hub was called");
    world.account(&world.by_secret()).await?;
    world.is_removed("factory-root").await?;
    world.stop().await
}
