//! What is rendered from which values.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::helm::{self, Helm, both, chart, find, folder, matrix, objects};

/// What `lint --strict` says beside its frame: nothing, as all that it recommends is there.
async fn lint(helm: &Helm, chart: &str, more: &[&str]) -> Result<()> {
    let chart = folder(chart);
    let args = ["lint", "--strict", chart.to_str().context("no UTF-8")?, "--kube-version", "1.36.3"];
    let told = helm.run(&[&args[..], more].concat()).await?;
    ensure!(!["[INFO]", "[WARNING]", "[ERROR]"].iter().any(|it| told.contains(it)), "{more:?}: {told}");
    Ok(())
}

#[tokio::test]
async fn lint_has_nothing_to_say() -> Result<()> {
    for helm in both(None).await? {
        for values in matrix()? {
            lint(&helm, "certferry", &["-f", values.to_str().context("no UTF-8")?]).await?;
        }
        for keep in ["keep=true", "keep=false"] {
            lint(&helm, "certferry-crds", &["--set", keep]).await?;
        }
    }
    Ok(())
}

/// The definitions that a chart renders as the release `certferry`, each as its text.
async fn definitions(helm: &Helm, chart: &str, set: &str) -> Result<Vec<String>> {
    let rendered = helm.template_of(chart, "certferry", &["--set", set]).await?;
    let documents = rendered.split("---\n").map(|it| {
        // Where it comes from: in a comment of Helm's, and in the label that is the chart's by convention.
        let lines = it.lines().filter(|it| !it.starts_with("# Source: "));
        let lines = lines.map(|it| it.replace("helm.sh/chart: certferry-crds-", "helm.sh/chart: certferry-"));
        lines.collect::<Vec<_>>().join("\n").trim().to_owned()
    });
    Ok(documents.filter(|it| it.contains("\nkind: CustomResourceDefinition\n")).collect())
}

#[tokio::test]
async fn both_charts_render_the_same_definitions() -> Result<()> {
    for helm in both(None).await? {
        for (all, alone) in [
            ("crds.keep=true", "keep=true"),
            ("crds.keep=false", "keep=false"),
            ("crds.annotations.a=b", "annotations.a=b"),
            ("crds.keep=false,crds.annotations.a=b", "keep=false,annotations.a=b"),
        ] {
            let of_all = definitions(&helm, "certferry", all).await?;
            ensure!(of_all.len() == 6, "{} definitions", of_all.len());
            ensure!(
                of_all == definitions(&helm, "certferry-crds", alone).await?,
                "Helm {}: {all}",
                helm.major
            );
        }
        let alone = objects(&helm.template_of("certferry-crds", "certferry", &[]).await?)?;
        ensure!(alone.iter().all(|it| it["kind"] == "CustomResourceDefinition"), "there is something else");
        ensure!(
            definitions(&helm, "certferry", "crds.enabled=false").await?.is_empty(),
            "definitions are left"
        );
    }
    Ok(())
}

/// Hooks, random values and look-ups make each rendering another, or need a cluster: GitOps would never come to rest.
#[tokio::test]
async fn the_same_values_give_the_same_bytes_and_no_hook() -> Result<()> {
    for values in matrix()? {
        let values = ["-f", values.to_str().context("no UTF-8")?];
        let mut seen = Vec::new();
        for helm in both(None).await? {
            let first = helm.template(&values).await?;
            ensure!(first == helm.template(&values).await?, "{values:?} with Helm {}", helm.major);
            ensure!(!first.contains("helm.sh/hook"), "{values:?}: a hook");
            seen.push(objects(&first)?);
        }
        ensure!(seen[0] == seen[1], "{values:?}: the two Helms do not agree");
    }
    Ok(())
}

/// `helm template` has no cluster to look anything up in: what is rendered there does not tell.
#[test]
fn no_template_looks_anything_up_or_goes_by_chance_or_time() -> Result<()> {
    const FUNCTIONS: [&str; 9] = [
        "lookup",
        "randAlphaNum",
        "randAlpha",
        "randBytes",
        "uuidv4",
        "genCA",
        "genSelfSignedCert",
        "now",
        "htpasswd",
    ];
    let mut seen = 0;
    for (path, text) in templates()? {
        for action in text.split("{{").skip(1).filter_map(|it| it.split("}}").next()) {
            let mut words = action.split(|it: char| !it.is_alphanumeric() && it != '.');
            let found = words.find(|it| FUNCTIONS.contains(it));
            ensure!(found.is_none(), "{}: {found:?} in {action}", path.display());
            seen += 1;
        }
    }
    ensure!(seen > 100, "only {seen} actions were found");
    Ok(())
}

/// All templates of both charts.
fn templates() -> Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let mut folders = ["certferry", "certferry-crds"].map(|it| folder(it).join("templates")).to_vec();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((path.clone(), std::fs::read_to_string(path)?)),
            }
        }
    }
    Ok(found)
}

/// But for the definitions, which `crds/` has.
#[tokio::test]
async fn what_is_rendered_is_as_committed() -> Result<()> {
    let [_, helm] = both(None).await?;
    for values in matrix()? {
        let path = values.with_extension("rendered");
        let given = ["-f", values.to_str().context("no UTF-8")?, "--set", "crds.enabled=false"];
        let rendered = helm.template(&given).await?;
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &rendered)?;
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        ensure!(committed == rendered, "{}: look at the difference after UPDATE=1", path.display());
    }
    Ok(())
}

/// What one setting changes: arguments, the object's kind and name, where in it, and what is there.
fn rows() -> Vec<(&'static str, &'static str, &'static str, &'static str, Value)> {
    vec![
        ("replicas=2", "Deployment", "certferry", "/spec/replicas", json!(2)),
        ("hostUsers=false", "Deployment", "certferry", "/spec/template/spec/hostUsers", json!(false)),
        (
            "image.tag=v9",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!("ghcr.io/certferry/certferry:v9"),
        ),
        (
            "image.registry=r.example.com:5000/a,image.tag=v9",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!("r.example.com:5000/a/certferry/certferry:v9"),
        ),
        (
            "image.tag=v9,image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!(
                "ghcr.io/certferry/certferry@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
            ),
        ),
        (
            "global.imageRegistry=r.example.com,image.tag=v9",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!("r.example.com/certferry/certferry:v9"),
        ),
        (
            "global.imagePullSecrets[0].name=a,global.imagePullSecrets[1]=b,imagePullSecrets[0].name=b",
            "Deployment",
            "certferry",
            "/spec/template/spec/imagePullSecrets",
            json!([{ "name": "b" }, { "name": "a" }]),
        ),
        (
            "global=null",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/image",
            json!(concat!("ghcr.io/certferry/certferry:", env!("CARGO_PKG_VERSION"))),
        ),
        (
            "networkPolicy.enabled=true,networkPolicy.instanceMetadata=true",
            "NetworkPolicy",
            "certferry",
            "/spec/egress/2",
            json!({
                "to": [{ "ipBlock": { "cidr": "169.254.169.254/32" } }], "ports": [{ "port": 80, "protocol": "TCP" }],
            }),
        ),
        (
            "metrics.prometheusRule.enabled=true,metrics.prometheusRule.disabled={CertferryRenewalOverdue}",
            "PrometheusRule",
            "certferry",
            "/spec/groups/0/rules/0/alert",
            json!("CertferryCertExpirySoon"),
        ),
        (
            "metrics.prometheusRule.enabled=true,metrics.prometheusRule.ruleLabels.team=a",
            "PrometheusRule",
            "certferry",
            "/spec/groups/0/rules/0/labels",
            json!({ "severity": "critical", "team": "a" }),
        ),
        ("namespaceOverride=x", "ServiceAccount", "certferry", "/metadata/namespace", json!("x")),
        ("namespaceOverride=x", "ClusterRoleBinding", "certferry", "/subjects/0/namespace", json!("x")),
        ("namespaceOverride=x", "RoleBinding", "certferry-sources", "/metadata/namespace", json!("x")),
        (
            "startupProbe.failureThreshold=9",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/startupProbe",
            json!({ "httpGet": { "path": "/healthz", "port": "health" }, "failureThreshold": 9 }),
        ),
        (
            "metrics.podMonitor.enabled=true,metrics.podMonitor.namespace=monitoring",
            "PodMonitor",
            "certferry",
            "/spec/namespaceSelector",
            json!({ "matchNames": [helm::NAMESPACE] }),
        ),
        (
            "metrics.serviceMonitor.enabled=true,metrics.serviceMonitor.namespace=monitoring",
            "ServiceMonitor",
            "certferry",
            "/metadata/namespace",
            json!("monitoring"),
        ),
        (
            "metrics.service.enabled=true,metrics.service.ipFamilies={IPv6}",
            "Service",
            "certferry-metrics",
            "/spec/ipFamilies",
            json!(["IPv6"]),
        ),
        ("commonLabels.a=b", "ClusterRole", "certferry-view", "/metadata/labels/a", json!("b")),
        (
            "commonLabels.a=b",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/labels/a",
            json!("b"),
        ),
        ("commonAnnotations.a=b", "ServiceAccount", "certferry", "/metadata/annotations/a", json!("b")),
        (
            "crds.keep=true",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/annotations",
            json!({
                "helm.sh/resource-policy": "keep",
                "argocd.argoproj.io/sync-options": "Prune=false,Delete=false",
            }),
        ),
        (
            r"crds.annotations.argocd\.argoproj\.io/sync-options=ServerSideApply=true",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/annotations/argocd.argoproj.io~1sync-options",
            json!("ServerSideApply=true,Prune=false,Delete=false"),
        ),
        (
            r"commonAnnotations.argocd\.argoproj\.io/sync-options=Prune=true",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/annotations/argocd.argoproj.io~1sync-options",
            json!("Prune=true,Delete=false"),
        ),
        (
            "crds.keep=false",
            "CustomResourceDefinition",
            "cloudaccounts.certferry.dev",
            "/metadata/annotations",
            Value::Null,
        ),
        (
            "serviceAccount.name=other",
            "Deployment",
            "certferry",
            "/spec/template/spec/serviceAccountName",
            json!("other"),
        ),
        ("serviceAccount.name=other", "ClusterRoleBinding", "certferry", "/subjects/0/name", json!("other")),
        (
            "rbac.aggregate=true",
            "ClusterRole",
            "certferry-view",
            "/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view",
            json!("true"),
        ),
        (
            "rbac.aggregate=true",
            "ClusterRole",
            "certferry-edit",
            "/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view",
            Value::Null,
        ),
        (
            "rbac.aggregate=false",
            "ClusterRole",
            "certferry-view",
            "/metadata/labels/rbac.authorization.k8s.io~1aggregate-to-view",
            Value::Null,
        ),
        (
            "workloadIdentity.enabled=true",
            "Deployment",
            "certferry",
            "/spec/template/metadata/labels/azure.workload.identity~1use",
            json!("true"),
        ),
        (
            "topologySpreadConstraints=null",
            "Deployment",
            "certferry",
            "/spec/template/spec/topologySpreadConstraints",
            Value::Null,
        ),
        (
            "priorityClassName=p",
            "Deployment",
            "certferry",
            "/spec/template/spec/priorityClassName",
            json!("p"),
        ),
        (
            "runtimeClassName=gvisor",
            "Deployment",
            "certferry",
            "/spec/template/spec/runtimeClassName",
            json!("gvisor"),
        ),
        (
            "podDisruptionBudget.minAvailable=1",
            "PodDisruptionBudget",
            "certferry",
            "/spec",
            json!({ "minAvailable": 1, "selector": { "matchLabels": {
                "app.kubernetes.io/instance": "certferry", "app.kubernetes.io/name": "certferry",
            } } }),
        ),
        (
            "podDisruptionBudget.minAvailable=50%",
            "PodDisruptionBudget",
            "certferry",
            "/spec/minAvailable",
            json!("50%"),
        ),
        ("replicas=2", "PodDisruptionBudget", "certferry", "/spec/maxUnavailable", json!(1)),
        (
            "caBundle.configMap=trust",
            "Deployment",
            "certferry",
            "/spec/template/spec/volumes",
            json!([{ "name": "ca-bundle", "configMap": {
                "name": "trust", "items": [{ "key": "ca.crt", "path": "ca.crt" }],
            } }]),
        ),
        (
            "caBundle.secret=trust,caBundle.key=all.pem",
            "Deployment",
            "certferry",
            "/spec/template/spec/volumes",
            json!([{ "name": "ca-bundle", "secret": {
                "secretName": "trust", "items": [{ "key": "all.pem", "path": "all.pem" }],
            } }]),
        ),
        (
            "caBundle.secret=trust,caBundle.key=all.pem",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/volumeMounts",
            json!([{ "name": "ca-bundle", "mountPath": "/etc/certferry/ca", "readOnly": true }]),
        ),
        (
            "caBundle.secret=trust,caBundle.key=all.pem",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/env/3",
            json!({ "name": "SSL_CERT_FILE", "value": "/etc/certferry/ca/all.pem" }),
        ),
        ("replicas=2", "Deployment", "certferry", "/spec/template/spec/volumes", Value::Null),
        (
            "metrics.serviceMonitor.enabled=true",
            "Service",
            "certferry-metrics",
            "/spec/ports/0/port",
            json!(8080),
        ),
        (
            "metrics.serviceMonitor.enabled=true",
            "ServiceMonitor",
            "certferry",
            "/spec/endpoints/0/honorLabels",
            json!(true),
        ),
        (
            "metrics.objectConditions=true",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/args/4",
            json!("--object-conditions"),
        ),
        (
            "metrics.podMonitor.enabled=true",
            "PodMonitor",
            "certferry",
            "/spec/podMetricsEndpoints/0/honorLabels",
            json!(true),
        ),
        (
            "metrics.prometheusRule.enabled=true,metrics.prometheusRule.runbooks=https://x/alerts",
            "PrometheusRule",
            "certferry",
            "/spec/groups/0/rules/0/annotations/runbook_url",
            json!("https://x/alerts#certferryrenewaloverdue"),
        ),
        (
            "otlp.endpoint=http://c:4318",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/env/3",
            json!({ "name": "OTEL_EXPORTER_OTLP_ENDPOINT", "value": "http://c:4318" }),
        ),
        (
            "suspend=true",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/args/4",
            json!("--suspend"),
        ),
        (
            "proxy.url=http://proxy:3128",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/env/3",
            json!({ "name": "CERTFERRY_PROXY", "value": "http://proxy:3128" }),
        ),
        (
            "proxy.except={10.0.0.0/8,example.com}",
            "Deployment",
            "certferry",
            "/spec/template/spec/containers/0/env/3",
            json!({ "name": "CERTFERRY_NO_PROXY", "value": "10.0.0.0/8,example.com" }),
        ),
    ]
}

#[tokio::test]
async fn a_setting_does_what_it_says() -> Result<()> {
    let [_, helm] = both(None).await?;
    for (set, kind, name, pointer, expected) in rows() {
        let objects = objects(&helm.template(&["--set", set]).await?)?;
        let object = find(&objects, kind, name).with_context(|| format!("{set}: no {kind} {name}"))?;
        let found = object.pointer(pointer).unwrap_or(&Value::Null);
        ensure!(*found == expected, "{set}: {kind} {name} has {found} at {pointer}");
    }
    Ok(())
}

#[tokio::test]
async fn names_follow_the_release_and_are_never_too_long() -> Result<()> {
    let [_, helm] = both(None).await?;
    let longest = "r".repeat(53);
    for (release, set, name) in [
        ("certferry", "replicas=2", "certferry"),
        ("my-certferry", "replicas=2", "my-certferry"),
        ("east", "replicas=2", "east-certferry"),
        ("east", "nameOverride=ferry", "east-ferry"),
        ("east", "fullnameOverride=ferry", "ferry"),
        (longest.as_str(), "replicas=2", &longest[..50]),
    ] {
        let objects = objects(&helm.template_as(release, &["--set", set]).await?)?;
        let deployment = find(&objects, "Deployment", name).with_context(|| format!("{release} {set}"))?;
        let args = &deployment["spec"]["template"]["spec"]["containers"][0]["args"];
        let told = args.as_array().is_some_and(|it| it.contains(&json!(format!("--installation={name}"))));
        ensure!(told, "{release}: the operator does not know its name: {args}");
        for object in &objects {
            let name = object["metadata"]["name"].as_str().unwrap_or_default();
            ensure!(name.len() <= 63, "{} {name}", object["kind"]);
        }
    }
    Ok(())
}

/// Which Secrets the operator may read by what is bound to it.
#[tokio::test]
async fn secrets_are_read_cluster_wide_only_when_asked_for() -> Result<()> {
    let [_, helm] = both(None).await?;
    let bound = async |args: &[&str], role: &str| -> Result<(usize, Vec<String>)> {
        let objects = objects(&helm.template(args).await?)?;
        let bindings = objects.iter().filter(|it| it["roleRef"]["name"] == role);
        let (cluster, single): (Vec<_>, Vec<_>) = bindings.partition(|it| it["kind"] == "ClusterRoleBinding");
        let places = single.iter().filter_map(|it| it["metadata"]["namespace"].as_str());
        Ok((cluster.len(), places.map(str::to_owned).collect()))
    };
    for (set, role, cluster, places) in [
        ("replicas=2", "certferry-sources", 0, &[helm::NAMESPACE][..]),
        ("sources.namespaces={a,b}", "certferry-sources", 0, &[helm::NAMESPACE, "a", "b"][..]),
        ("sources.allNamespaces=true", "certferry-sources", 1, &[][..]),
        ("replicas=2", "certferry-outputs", 0, &[][..]),
        ("outputs.namespaces={a}", "certferry-outputs", 0, &["a"][..]),
        ("replicas=2", "certferry-resources", 1, &[][..]),
        ("watchNamespaces={a,b}", "certferry-resources", 0, &["a", "b"][..]),
        ("rbac.create=false", "certferry-resources", 0, &[][..]),
    ] {
        let found = bound(&["--set", set], role).await?;
        ensure!(
            found == (cluster, places.iter().map(|it| (*it).to_owned()).collect()),
            "{set} {role}: {found:?}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn monitors_are_rendered_as_the_cluster_and_the_mode_say() -> Result<()> {
    let known = ["--api-versions", "monitoring.coreos.com/v1/PodMonitor"];
    for helm in both(None).await? {
        for (mode, there, rendered) in [
            ("Always", false, Some(true)),
            ("SkipIfMissing", false, Some(false)),
            ("SkipIfMissing", true, Some(true)),
            ("FailIfMissing", false, None),
            ("FailIfMissing", true, Some(true)),
        ] {
            let set = format!("metrics.podMonitor.enabled=true,metrics.renderMode={mode}");
            let mut args = vec!["--set", &set];
            args.extend(known.iter().filter(|_| there));
            let objects = helm.template(&args).await.and_then(|it| objects(&it));
            let found = objects.ok().map(|it| find(&it, "PodMonitor", "certferry").is_some());
            ensure!(found == rendered, "{mode}, {there}: {found:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_old_cluster_is_refused() -> Result<()> {
    let chart = chart();
    let chart = chart.to_str().context("no UTF-8")?;
    for helm in both(None).await? {
        let refused = helm.run(&["template", "certferry", chart, "--kube-version", "1.31.0"]).await;
        ensure!(refused.is_err_and(|it| it.to_string().contains("1.32")), "Helm {}", helm.major);
    }
    Ok(())
}
