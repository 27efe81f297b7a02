//! The rights that certificates in a hub need, each taken away by itself: what is missing is told, and when
//! it is granted again the work goes on, without a restart.

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::Options;
use certferry_rig::installation::{NAMESPACE, ca};
use certferry_rig::operator::Operator;
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::failover::Stage;
use crate::world::{SOON, World};

/// A right, and what uses it.
struct Right {
    /// The role that gives it, as kubectl names it.
    role: &'static str,
    resource: &'static str,
    verb: &'static str,
    used: Used,
    told: Told,
}

#[derive(PartialEq)]
enum Used {
    /// By a new account and a new certificate.
    AtWork,
    /// When the operator starts.
    AtStart,
}

enum Told {
    /// By a line of the log, in the API server's words.
    InLog,
    /// By the certificate's Ready condition, with this reason.
    InStatus(&'static str),
}

const RESOURCES: &str = "clusterrole/certferry-resources";
const CLUSTER: &str = "clusterrole/certferry";
const SOURCES: &str = "clusterrole/certferry-sources";
const LEADER: &str = "role/certferry-leader";

fn rights() -> Vec<Right> {
    let right = |role, resource, verb, used, told| Right { role, resource, verb, used, told };
    let at_work = |role, resource, verb| right(role, resource, verb, Used::AtWork, Told::InLog);
    let at_start = |role, resource, verb| right(role, resource, verb, Used::AtStart, Told::InLog);
    vec![
        at_work(RESOURCES, "iothubcertificates", "get"),
        at_work(RESOURCES, "iothubcertificates", "patch"),
        at_work(RESOURCES, "iothubcertificates/status", "patch"),
        at_work(RESOURCES, "events", "create"),
        at_work(CLUSTER, "clustercloudaccounts", "get"),
        at_work(CLUSTER, "clustercloudaccounts", "patch"),
        at_work(CLUSTER, "clustercloudaccounts/status", "patch"),
        at_work(CLUSTER, "namespaces", "get"),
        at_work(LEADER, "leases", "update"),
        right(SOURCES, "secrets", "get", Used::AtWork, Told::InStatus("SourcesNotGranted")),
        right(SOURCES, "configmaps", "get", Used::AtWork, Told::InStatus("SourcesNotGranted")),
        at_start(RESOURCES, "iothubcertificates", "list"),
        at_start(RESOURCES, "iothubcertificates", "watch"),
        at_start(RESOURCES, "cloudaccounts", "list"),
        at_start(RESOURCES, "cloudaccounts", "watch"),
        at_start(CLUSTER, "clustercloudaccounts", "list"),
        at_start(CLUSTER, "clustercloudaccounts", "watch"),
        at_start(CLUSTER, "namespaces", "list"),
        at_start(CLUSTER, "namespaces", "watch"),
        at_start(SOURCES, "secrets", "list"),
        at_start(SOURCES, "secrets", "watch"),
        at_start(SOURCES, "configmaps", "list"),
        at_start(SOURCES, "configmaps", "watch"),
        at_start(LEADER, "leases", "get"),
        at_start(LEADER, "leases", "create"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_is_missing_is_told_and_its_return_is_enough() -> Result<()> {
    let stage = Stage::bare(Options::default()).await?;
    stage.cluster.install().await?;
    let mut operator = stage.operator(&[]).await?;
    let world = stage.world("taken").await?;
    for (number, right) in rights().iter().enumerate() {
        let Right { role, resource, verb, .. } = right;
        missed(&world, &mut operator, right, &format!("root-{number}"))
            .await
            .with_context(|| format!("{verb} {resource} of {role}"))?;
    }
    operator.stop().await?;
    world.stop_without_rights().await
}

async fn missed(world: &World, operator: &mut Operator, right: &Right, name: &str) -> Result<()> {
    let role = role(world, right.role).await?;
    replace(world, &without(&role, right)?).await?;
    let before = operator.process.log()?.len();
    if right.used == Used::AtStart {
        world
            .cluster
            .kubectl(&["delete", "lease", "certferry", "-n", NAMESPACE, "--ignore-not-found"], None)
            .await?;
        operator.restart().await?;
    }
    uses(world, right.resource, name).await?;
    eventually(SOON, "a word of what is missing", async || {
        match right.told {
            Told::InStatus(reason) => {
                let ready = world.condition(name, "Ready").await?;
                ensure!(ready["reason"] == reason, "{ready}");
            }
            Told::InLog => {
                let log = operator.process.log()?.split_off(before);
                let words = format!("cannot {} resource \"{}\"", right.verb, right.resource);
                let told = log.lines().any(|it| it.contains(&words));
                ensure!(told, "the log does not tell it");
            }
        }
        Ok(())
    })
    .await?;
    replace(world, &role).await?;
    world.ready(name).await
}

/// A new account, and a new certificate, for which the resource is looked at.
async fn uses(world: &World, resource: &str, name: &str) -> Result<()> {
    let account = format!("{}-{name}", world.namespace);
    world.cluster.emulated_account(&account, &world.namespace, &world.emulator.urls).await?;
    if resource == "namespaces" {
        let labels = json!({ "kubernetes.io/metadata.name": world.namespace });
        let labelled = json!({ "names": null, "selector": { "matchLabels": labels } });
        let patch = json!({ "spec": { "allowedNamespaces": labelled } }).to_string();
        let by_labels = ["patch", "clustercloudaccount", &account, "--type=merge", "-p", &patch];
        world.cluster.kubectl(&by_labels, None).await?;
    }
    let of_the_world = format!("kind: ClusterCloudAccount, name: {}", world.namespace);
    let mut certificate = world
        .certificate(name)
        .replace(&of_the_world, &format!("kind: ClusterCloudAccount, name: {account}"));
    if resource == "configmaps" {
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "factory-ca" },
            "data": { "ca.crt": ca("Factory root")?.certificate },
        });
        world.apply(&map.to_string()).await?;
        certificate = certificate
            .replace("{secretRef: {name: factory-ca}}", "{configMapRef: {name: factory-ca, key: ca.crt}}")
            .replace("  verification: {proofOfPossession: {}}\n", "");
    }
    world.apply(&certificate).await
}

async fn role(world: &World, role: &str) -> Result<Value> {
    let get = ["get", role, "-n", NAMESPACE, "-o", "json"];
    let mut role: Value = serde_json::from_str(&world.cluster.kubectl(&get, None).await?)?;
    let metadata = role["metadata"].as_object_mut().context("no metadata")?;
    metadata.retain(|member, _| ["name", "namespace", "labels"].contains(&member.as_str()));
    Ok(role)
}

async fn replace(world: &World, role: &Value) -> Result<()> {
    world.cluster.kubectl(&["replace", "-f", "-"], Some(&role.to_string())).await.map(drop)
}

/// The role without that one right.
fn without(role: &Value, right: &Right) -> Result<Value> {
    let mut rules = Vec::new();
    let mut found = false;
    for rule in role["rules"].as_array().context("no rules")? {
        let (mut others, mut less) = (rule.clone(), rule.clone());
        let has = |list: &Value, item: &str| list.as_array().is_some_and(|it| it.iter().any(|it| it == item));
        if !has(&rule["resources"], right.resource) || !has(&rule["verbs"], right.verb) {
            rules.push(rule.clone());
            continue;
        }
        found = true;
        retain(&mut others["resources"], |it| it != right.resource);
        less["resources"] = json!([right.resource]);
        retain(&mut less["verbs"], |it| it != right.verb);
        let grants = |it: &Value| ["resources", "verbs"].iter().all(|member| it[member] != json!([]));
        rules.extend([others, less].into_iter().filter(grants));
    }
    ensure!(found, "the role does not give it");
    let mut role = role.clone();
    role["rules"] = rules.into();
    Ok(role)
}

fn retain(list: &mut Value, keep: impl Fn(&Value) -> bool) {
    if let Some(list) = list.as_array_mut() {
        list.retain(keep);
    }
}
