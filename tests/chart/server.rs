//! What a real API server says of what is rendered.

use std::ffi::OsStr;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane;
use certferry_rig::installation::Cluster;
use certferry_rig::programs;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::helm::{NAMESPACE, both, chart, find, matrix, objects};

/// The definitions of kinds that the chart, or a manifest beside it, makes objects of.
const FOREIGN: [(&str, &str); 7] = [
    ("prometheus-operator", "monitoring.coreos.com_podmonitors.yaml"),
    ("prometheus-operator", "monitoring.coreos.com_servicemonitors.yaml"),
    ("prometheus-operator", "monitoring.coreos.com_prometheusrules.yaml"),
    ("argo-cd", "application-crd.yaml"),
    ("helm-controller", "helm.toolkit.fluxcd.io_helmreleases.yaml"),
    ("source-controller", "source.toolkit.fluxcd.io_ocirepositories.yaml"),
    ("kustomize-controller", "kustomize.toolkit.fluxcd.io_kustomizations.yaml"),
];

/// The namespaces that values and manifests name.
pub const NAMESPACES: [&str; 7] =
    [NAMESPACE, "team-a", "team-b", "certificates", "monitoring", "argocd", "flux-system"];

/// A cluster for all tests, as its administrator, with all that values name.
pub async fn shared() -> Result<&'static Cluster> {
    static SHARED: OnceCell<Cluster> = OnceCell::const_new();
    SHARED
        .get_or_try_init(|| async {
            let cluster = Cluster::of(control_plane::shared().await?)?;
            for namespace in
                [NAMESPACE, "team-a", "team-b", "certificates", "monitoring", "argocd", "flux-system"]
            {
                cluster.kubectl(&["create", "namespace", namespace], None).await?;
            }
            furnish(&cluster).await?;
            Ok(cluster)
        })
        .await
}

/// Brings these definitions, and the RuntimeClass.
pub async fn furnish(cluster: &Cluster) -> Result<()> {
    let class = json!({
        "apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass",
        "metadata": { "name": "sandboxed" }, "handler": "sandboxed",
    });
    cluster.apply("default", &class.to_string()).await?;
    for (project, file) in FOREIGN {
        let path = programs::definitions(project).await?.join(file);
        let path = path.to_str().context("no UTF-8")?;
        cluster.kubectl(&["apply", "--server-side", "-f", path], None).await?;
    }
    let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    cluster.kubectl(&established, None).await.map(drop)
}

/// A server knows more than a schema: unknown fields, CEL that does not compile, names that are too long.
#[tokio::test(flavor = "multi_thread")]
async fn every_object_of_every_rendering_is_taken() -> Result<()> {
    let cluster = shared().await?;
    let [_, helm] = both(None).await?;
    for values in matrix()? {
        // Each as a release of its own: it must not be merged with the one that other tests install.
        let release = values.file_stem().and_then(OsStr::to_str).context("no UTF-8")?;
        let rendered = helm.template_as(release, &["-f", values.to_str().context("no UTF-8")?]).await?;
        let args = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-f", "-"];
        let told = cluster.kubectl(&args, Some(&rendered)).await;
        let told = told.with_context(|| values.display().to_string())?;
        let taken = told.lines().filter(|it| it.contains("serverside-applied")).count();
        ensure!(taken == objects(&rendered)?.len(), "{}: {told}", values.display());
    }
    Ok(())
}

/// The pod of a Deployment, to be made by itself.
fn pod(deployment: &Value, name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": { "name": name },
        "spec": deployment["spec"]["template"]["spec"],
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_admitted_where_pod_security_is_restricted() -> Result<()> {
    let cluster = shared().await?;
    let [_, helm] = both(None).await?;
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": { "name": "restricted", "labels": { "pod-security.kubernetes.io/enforce": "restricted" } },
    });
    cluster.apply("default", &namespace.to_string()).await?;
    for account in ["certferry", "my-own", "ferry"] {
        cluster.kubectl(&["-n", "restricted", "create", "serviceaccount", account], None).await?;
    }
    let admitted = async |pod: &Value| {
        let args = ["create", "--dry-run=server", "-n", "restricted", "-f", "-"];
        cluster.kubectl(&args, Some(&pod.to_string())).await
    };
    for file in ["defaults", "everything", "nothing-optional", "openshift"] {
        let path = format!("tests/data/chart/{file}.yaml");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
        let rendered = objects(&helm.template(&["-f", path.to_str().context("no UTF-8")?]).await?)?;
        let name = if file == "openshift" { "ferry" } else { "certferry" };
        let deployment = find(&rendered, "Deployment", name).context("no Deployment")?;
        let pod = pod(deployment, "certferry");
        admitted(&pod).await.with_context(|| file.to_owned())?;
        for (pointer, bad) in [
            ("/spec/containers/0/securityContext/allowPrivilegeEscalation", json!(true)),
            ("/spec/containers/0/securityContext/capabilities", json!({})),
            ("/spec/securityContext/runAsNonRoot", json!(false)),
            ("/spec/securityContext/seccompProfile", json!({ "type": "Unconfined" })),
        ] {
            let mut worse = pod.clone();
            *worse.pointer_mut(pointer).with_context(|| pointer.to_owned())? = bad;
            let refused =
                admitted(&worse).await.err().with_context(|| format!("{file}: {pointer} is let pass"))?;
            ensure!(refused.to_string().contains("violates PodSecurity \"restricted"), "{refused}");
        }
    }
    Ok(())
}

/// A NetworkPolicy that keeps traces from their collector is told of, and only that.
#[tokio::test(flavor = "multi_thread")]
async fn the_notes_tell_when_traces_cannot_get_out() -> Result<()> {
    let plane = control_plane::shared().await?;
    let chart = chart();
    let chart = chart.to_str().context("no UTF-8")?;
    for helm in both(Some(&plane.admin_kubeconfig())).await? {
        for (set, kept) in [
            ("networkPolicy.enabled=true,otlp.endpoint=http://collector:4318", Some("4318")),
            ("networkPolicy.enabled=true,otlp.endpoint=http://collector:4318/base", Some("4318")),
            ("networkPolicy.enabled=true,otlp.endpoint=http://[fd00::443]:4318", Some("4318")),
            ("networkPolicy.enabled=true,otlp.endpoint=http://[fd00::443]", Some("80")),
            ("networkPolicy.enabled=true,otlp.endpoint=http://collector", Some("80")),
            ("networkPolicy.enabled=true,otlp.endpoint=https://collector/v1:4318", None),
            ("networkPolicy.enabled=true,otlp.endpoint=https://collector:6443", None),
            (
                "networkPolicy.enabled=true,networkPolicy.egressPorts={443,4318},otlp.endpoint=http://collector:4318",
                None,
            ),
            (
                "networkPolicy.enabled=true,networkPolicy.extraEgress[0].to[0].podSelector.a=b,otlp.endpoint=http://collector:4318",
                None,
            ),
            ("networkPolicy.enabled=true", None),
            ("otlp.endpoint=http://collector:4318", None),
        ] {
            // Under a name of its own: what other tests installed is not in its way.
            let args = ["install", "noted", chart, "-n", NAMESPACE, "--dry-run=client", "--set"];
            let told = helm.run(&[&args[..], &[&format!("crds.enabled=false,{set}")]].concat()).await?;
            let (_, notes) = told.split_once("\nNOTES:\n").context("no notes")?;
            let port =
                notes.split_once("lets no traffic to port ").and_then(|(_, it)| it.split_once(". Add it to"));
            ensure!(port.map(|it| it.0) == kept, "Helm {}, {set}: {notes}", helm.major);
            ensure!(
                kept.is_none() || notes.contains("networkPolicy.egressPorts"),
                "no value to set: {notes}"
            );
        }
    }
    Ok(())
}
