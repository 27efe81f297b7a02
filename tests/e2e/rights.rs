//! The rights that the chart grants are those that the operator uses: no request is refused, and no right is idle in all
//! of the namespaces that its role is bound in. The operator runs as the chart's ServiceAccount, with the arguments of the
//! chart's Deployment.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::{AuditEvent, Options};
use certferry_rig::installation::{NAMESPACE, TENANT, ca};
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::accounts::{FEDERATED, trust};
use crate::failover::Stage;
use crate::key_vault_signed::sign;
use crate::service::from_secret;
use crate::shared::binary;
use crate::vault::policy;
use crate::world::{SOON, World};

/// What one rule of a role gives, one verb and resource at a time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Right {
    /// The role, by kind and name.
    role: [String; 2],
    group: String,
    /// With its subresource.
    resource: String,
    verb: String,
    /// The only names for which it counts; every one, where there are none.
    names: Vec<String>,
}

impl Right {
    /// Whether it lets the request through in these namespaces: in every one, and where there is none, if `""` is among
    /// them.
    fn covers(&self, namespaces: &BTreeSet<String>, it: &AuditEvent) -> bool {
        let resource = [&*it.resource, &*it.subresource].into_iter().filter(|it| !it.is_empty());
        (namespaces.contains("") || namespaces.contains(&it.namespace))
            && self.group == it.group
            && resource.collect::<Vec<_>>().join("/") == self.resource
            && self.verb == it.verb
            && (self.names.is_empty() || self.names.contains(&it.name))
    }
}

/// The ServiceAccount in the operator's namespace whose tokens an account exchanges.
const DEVICES: &str = "devices";

const OPERATOR: &str = "system:serviceaccount:certferry:certferry";

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_what_is_used_over_all_namespaces() -> Result<()> {
    equal_sets("everywhere", &[]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_granted_is_what_is_used_in_named_namespaces() -> Result<()> {
    equal_sets("named", &["watchNamespaces={e2e-named,e2e-another}"]).await
}

async fn equal_sets(name: &str, scope: &[&str]) -> Result<()> {
    let stage = Stage::bare(Options::default()).await?;
    let namespace = format!("e2e-{name}");
    for namespace in [&namespace, "e2e-another"] {
        stage.cluster.kubectl(&["create", "namespace", namespace], None).await?;
    }
    let grants = [
        &format!("sources.namespaces={{{namespace},e2e-another}}"),
        &format!("outputs.namespaces={{{namespace}}}"),
        "workloadIdentity.enabled=true",
        &format!("workloadIdentity.serviceAccounts[0].name={DEVICES}"),
        &format!("workloadIdentity.serviceAccounts[0].namespace={NAMESPACE}"),
    ];
    stage.cluster.install_with(&[&grants[..], scope].concat()).await?;
    let operator = stage.cluster.deployed_operator(binary()).await?;
    let world = World::on(stage.cluster.clone(), name).await?;
    world.signs("Derived").await?;

    uploads(&world).await?;
    signs_in_with_tokens(&world).await?;
    asks_and_exports(&world).await?;
    others_are_served(&world, !scope.is_empty()).await?;
    deletes(&world).await?;
    operator.stop().await?;

    let events = stage.plane.audit_events()?;
    let ours: Vec<_> = events.iter().filter(|it| it.user == OPERATOR).collect();
    let refused: BTreeSet<_> =
        ours.iter().filter(|it| it.code == 403).map(|it| (&it.verb, &it.uri)).collect();
    ensure!(refused.is_empty(), "refused: {refused:#?}");
    let requests: Vec<_> = ours.into_iter().filter(|it| !it.resource.is_empty()).collect();
    let granted = granted(&world).await?;
    let idle: Vec<_> = granted
        .iter()
        .filter(|(it, namespaces)| !requests.iter().any(|other| it.covers(namespaces, other)))
        .collect();
    ensure!(idle.is_empty(), "granted and not used: {idle:#?}");
    let is_covered =
        |it: &&&AuditEvent| granted.iter().any(|(right, namespaces)| right.covers(namespaces, it));
    let others: BTreeSet<_> =
        requests.iter().filter(|it| !is_covered(it)).map(|it| (&it.verb, &it.uri)).collect();
    ensure!(others.is_empty(), "used and not granted by the chart: {others:#?}");
    // What counts everywhere is not used in the operator's own namespace alone.
    let elsewhere: Vec<_> = requests.iter().filter(|it| it.namespace != NAMESPACE).collect();
    let too_wide: Vec<_> = granted
        .iter()
        .filter(|(it, namespaces)| {
            namespaces.contains("") && !elsewhere.iter().any(|other| it.covers(namespaces, other))
        })
        .collect();
    ensure!(too_wide.is_empty(), "granted everywhere and used in {NAMESPACE} alone: {too_wide:#?}");
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_namespace_that_is_gone_holds_up_no_other() -> Result<()> {
    let stage = Stage::bare(Options::default()).await?;
    for namespace in ["e2e-here", "e2e-gone"] {
        stage.cluster.kubectl(&["create", "namespace", namespace], None).await?;
    }
    stage.cluster.install_with(&["watchNamespaces={e2e-gone,e2e-here}"]).await?;
    // Its RoleBinding goes with it.
    stage.cluster.kubectl(&["delete", "namespace", "e2e-gone"], None).await?;
    let operator = stage.cluster.deployed_operator(binary()).await?;
    let world = World::on(stage.cluster.clone(), "here").await?;
    world.settled("factory-root").await?;
    operator.stop().await?;
    world.stop().await
}

/// All that any binding gives to the operator, and in which namespaces; `""` where it counts everywhere.
async fn granted(world: &World) -> Result<BTreeMap<Right, BTreeSet<String>>> {
    let all = ["get", "clusterroles,roles,clusterrolebindings,rolebindings", "-A", "-o", "json"];
    let all: Value = serde_json::from_str(&world.cluster.kubectl(&all, None).await?)?;
    let all = all["items"].as_array().context("no items")?;
    let operator = json!({ "kind": "ServiceAccount", "name": "certferry", "namespace": NAMESPACE });
    let bound = all.iter().filter(|it| it["subjects"].as_array().is_some_and(|it| it.contains(&operator)));
    let mut rights = BTreeMap::<_, BTreeSet<_>>::new();
    for binding in bound {
        let (kind, name) = (&binding["roleRef"]["kind"], &binding["roleRef"]["name"]);
        let role = all.iter().find(|it| {
            let here =
                *kind == "ClusterRole" || it["metadata"]["namespace"] == binding["metadata"]["namespace"];
            it["kind"] == *kind && it["metadata"]["name"] == *name && here
        });
        let role = role.with_context(|| format!("{kind} {name} does not exist"))?;
        for rule in role["rules"].as_array().into_iter().flatten() {
            let of = |field: &str| -> Vec<String> {
                let values = rule[field].as_array().into_iter().flatten();
                values.filter_map(Value::as_str).map(str::to_owned).collect()
            };
            let namespace = binding["metadata"]["namespace"].as_str().unwrap_or_default();
            let role = [kind, name].map(|it| it.as_str().unwrap_or_default().to_owned());
            for ((group, resource), verb) in
                product(&product(&of("apiGroups"), &of("resources")), &of("verbs"))
            {
                let right = Right { role: role.clone(), group, resource, verb, names: of("resourceNames") };
                rights.entry(right).or_default().insert(namespace.to_owned());
            }
        }
    }
    Ok(rights)
}

fn product<A: Clone, B: Clone>(first: &[A], second: &[B]) -> Vec<(A, B)> {
    first.iter().flat_map(|it| second.iter().map(move |other| (it.clone(), other.clone()))).collect()
}

/// All kinds of sources and of clouds; the account serves namespaces by their labels.
async fn uploads(world: &World) -> Result<()> {
    let selector = json!({ "allowedNamespaces": { "selector": { "matchLabels": { "team": "a" } } } });
    world.account_of(TENANT, &world.by_secret(), selector).await?;
    world.cluster.kubectl(&["label", "namespace", &world.namespace, "team=a"], None).await?;
    world.settled("factory-root").await?;
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "map" },
        "data": { "ca.crt": ca("Of a map")?.certificate },
    });
    world.apply(&map.to_string()).await?;
    let of_map = world
        .certificate("map-root")
        .replace("{secretRef: {name: factory-ca}}", "{configMapRef: {name: map, key: ca.crt}}")
        .replace("  verification: {proofOfPossession: {}}\n", "");
    world.apply(&of_map).await?;
    world.ready("map-root").await?;
    world.tls_secret("client", &ca("client")?).await?;
    world.apply(&world.in_service("client", from_secret())).await?;
    is_ready(world, "apimanagementcertificate", "client").await?;
    world.tls_secret("ca", &ca("devices")?).await?;
    world.apply(&world.in_instance("devices", json!({ "deletionPolicy": "Delete" }))).await?;
    is_ready(world, "iotdacertificate", "devices").await
}

/// A certificate of any kind.
async fn is_ready(world: &World, kind: &str, name: &str) -> Result<()> {
    let ready = ["wait", "--for=condition=Ready", "--timeout=90s", kind, name];
    world.kubectl(&ready).await.map(drop)
}

/// The operator's own token, and that of a ServiceAccount which it asks for; and an account of a namespace.
async fn signs_in_with_tokens(world: &World) -> Result<()> {
    let selector = || json!({ "allowedNamespaces": { "selector": { "matchLabels": { "team": "a" } } } });
    trust(world, "certferry", json!({})).await?;
    world.account_of(TENANT, &json!({ "workloadIdentity": { "clientId": FEDERATED } }), selector()).await?;
    account_is_ready(world).await?;
    world.cluster.kubectl(&["create", "serviceaccount", DEVICES, "-n", NAMESPACE], None).await?;
    trust(world, DEVICES, json!({})).await?;
    let named = json!({ "clientId": FEDERATED, "serviceAccountRef": { "name": DEVICES } });
    world.account_of(TENANT, &json!({ "workloadIdentity": named }), selector()).await?;
    account_is_ready(world).await?;

    // Its finalizer, which it got when it was in use, goes with it.
    world.tls_secret("keys", &ca("none")?).await?;
    let own = json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "CloudAccount",
        "metadata": { "name": "own", "finalizers": [finalizer(world).await?] },
        "spec": { "huaweiCloud": { "auth": { "accessKey": { "secretRef": {
            "name": "keys", "accessKeyIdKey": "tls.crt", "secretAccessKeyKey": "tls.key",
        } } } } },
    });
    world.apply(&own.to_string()).await?;
    let told = ["wait", "--for=jsonpath={.status.conditions}", "--timeout=90s", "cloudaccount", "own"];
    world.kubectl(&told).await?;
    world.kubectl(&["delete", "cloudaccount", "own", "--timeout=90s"]).await.map(drop)
}

/// The one that the cluster's account got.
async fn finalizer(world: &World) -> Result<String> {
    let path = "jsonpath={.metadata.finalizers[0]}";
    world.cluster.kubectl(&["get", "clustercloudaccount", &world.namespace, "-o", path], None).await
}

async fn account_is_ready(world: &World) -> Result<()> {
    let get = ["get", "clustercloudaccount", &world.namespace, "-o", "json"];
    eventually(SOON, "an account that signs in", async || {
        let account: Value = serde_json::from_str(&world.cluster.kubectl(&get, None).await?)?;
        let conditions = account["status"]["conditions"].as_array().context("no conditions")?;
        let ready = conditions.iter().find(|it| it["type"] == "Ready").context("not told")?;
        let current = ready["observedGeneration"] == account["metadata"]["generation"];
        ensure!(current && ready["status"] == "True", "{ready}");
        Ok(())
    })
    .await
}

/// cert-manager is asked, and asked otherwise; the certificate is exported, and repaired there.
async fn asks_and_exports(world: &World) -> Result<()> {
    let path = format!("{}/tests/data/cert_manager/certificaterequests.yaml", env!("CARGO_MANIFEST_DIR"));
    world.kubectl(&["apply", "--server-side", "-f", &path]).await?;
    let signed_by = |issuer: &str| {
        world.in_vault(
            "web",
            json!({
                "policy": policy("Unknown"), "exportTo": { "secretName": "web-out" },
                "signedBy": { "certManagerIssuerRef": { "name": issuer, "kind": "ClusterIssuer" } },
                "deletionPolicy": "Delete",
            }),
        )
    };
    let mut question = Value::Null;
    for issuer in ["first", "second"] {
        world.apply(&signed_by(issuer)).await?;
        let get = ["get", "certificaterequests.cert-manager.io", "web-key-vault", "-o", "json"];
        question = eventually(SOON, "the question", async || {
            let question: Value = serde_json::from_str(&world.kubectl(&get).await?)?;
            ensure!(question["spec"]["issuerRef"]["name"] == issuer, "{question}");
            Ok(question)
        })
        .await?;
    }
    let certificate = sign(question["spec"]["request"].as_str().context("no request")?)?;
    let status = json!({ "status": {
        "certificate": certificate, "conditions": [{ "type": "Ready", "status": "True", "reason": "Issued" }],
    } });
    let (patch, resource) = (status.to_string(), "certificaterequests.cert-manager.io");
    world
        .kubectl(&["patch", resource, "web-key-vault", "--subresource=status", "--type=merge", "-p", &patch])
        .await?;
    is_ready(world, "keyvaultcertificate", "web").await?;
    let spoil = ["patch", "secret", "web-out", "--type=merge", "-p", r#"{"data":{"tls.crt":"eA=="}}"#];
    world.kubectl(&spoil).await?;
    let exported = ["get", "secret", "web-out", "-o", r"jsonpath={.data.tls\.crt}"];
    eventually(SOON, "the exported certificate", async || {
        ensure!(world.kubectl(&exported).await? != "eA==", "it is not repaired");
        Ok(())
    })
    .await
}

/// Another namespace is served too, unless it is not among those that are named.
async fn others_are_served(world: &World, named: bool) -> Result<()> {
    let certificate = world.certificate("elsewhere");
    let told = async |namespace: &str| {
        let conditions = "jsonpath={.status.conditions}";
        let get = ["get", "iothubcertificate", "elsewhere", "-n", namespace, "-o", conditions];
        world.cluster.kubectl(&get, None).await
    };
    let mut namespaces = vec!["e2e-another"];
    if named {
        world.cluster.kubectl(&["create", "namespace", "e2e-unserved"], None).await?;
        namespaces.insert(0, "e2e-unserved");
    }
    for namespace in &namespaces {
        world.cluster.apply(namespace, &certificate).await?;
    }
    eventually(SOON, "a word in the other namespace", async || {
        let told = told("e2e-another").await?;
        ensure!(told.contains("SecretNotFound"), "{told}");
        Ok(())
    })
    .await?;
    if named {
        ensure!(told("e2e-unserved").await?.is_empty(), "a namespace is served that was not named");
    }
    for namespace in namespaces {
        let delete = ["delete", "iothubcertificate", "elsewhere", "-n", namespace, "--timeout=60s"];
        world.cluster.kubectl(&delete, None).await?;
    }
    Ok(())
}

/// Every certificate, and the accounts, which wait for them.
async fn deletes(world: &World) -> Result<()> {
    world.kubectl(&["delete", "certferry", "--all", "--timeout=90s"]).await.map(drop)
}

/// Peak of what the process holds in memory, in MiB.
fn peak(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).context("no peak")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_certificates_fit_into_the_memory_that_the_chart_gives() -> Result<()> {
    let stage = Stage::bare(Options::default()).await?;
    stage.cluster.install().await?;
    let limit = ["get", "deployment", "certferry", "-n", NAMESPACE, "-o"];
    let path = "jsonpath={.spec.template.spec.containers[0].resources.limits.memory}";
    let limit = stage.cluster.kubectl(&[&limit[..], &[path]].concat(), None).await?;
    let limit: u64 = limit.strip_suffix("Mi").context("not in Mi")?.parse()?;
    let operator = stage.cluster.deployed_operator(binary()).await?;
    let world = World::on(stage.cluster.clone(), "memory").await?;
    world.settled("first").await?;
    let one = peak(operator.process.pid())?;
    let more: Vec<_> = (1..150).map(|number| world.certificate(&format!("root-{number}"))).collect();
    world.apply(&more.join("---\n")).await?;
    world.kubectl(&["wait", "--for=condition=Ready", "--timeout=300s", "iothubcertificate", "--all"]).await?;
    let many = peak(operator.process.pid())?;
    println!("{one} MiB with one certificate, {many} MiB with 150; the limit is {limit} MiB");
    ensure!(many * 2 <= limit, "{many} MiB leave no room below {limit} MiB");
    operator.stop().await?;
    world.stop().await
}
