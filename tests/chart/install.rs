//! A release's life with each Helm: installed, upgraded, rolled back, uninstalled.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::{ControlPlane, Options};
use certferry_rig::installation::Cluster;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::helm::{Helm, NAMESPACE, both, chart, copied, folder};

/// Stands in for scheduler and kubelet: every pod is bound, and ready; one that is deleted goes at once.
async fn stand_in_for_kubelet(client: Client) -> Result<()> {
    let pods = Api::<Pod>::all(client.clone());
    let ready = ["PodScheduled", "Initialized", "ContainersReady", "Ready"];
    let ready: Vec<_> = ready.iter().map(|it| json!({ "type": it, "status": "True" })).collect();
    loop {
        for pod in pods.list(&ListParams::default()).await? {
            let (name, own) = (pod.name_any(), Api::<Pod>::namespaced(client.clone(), NAMESPACE));
            if pod.metadata.deletion_timestamp.is_some() {
                let _ = own.delete(&name, &DeleteParams::default().grace_period(0)).await; // somebody else did
            } else if pod.spec.is_some_and(|it| it.node_name.is_none()) {
                let binding = json!({
                    "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name },
                    "target": { "apiVersion": "v1", "kind": "Node", "name": "node" },
                });
                let made = PostParams::default();
                own.create_subresource::<Value, Value>("binding", &name, &made, &binding).await?;
                let status = json!({ "status": { "phase": "Running", "conditions": ready } });
                own.patch_status(&name, &PatchParams::default(), &Patch::Merge(&status)).await?;
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

const CERTIFICATE: &str = r#"
apiVersion: certferry.dev/v1alpha1
kind: IotHubCertificate
metadata: {name: factory-root, namespace: default}
spec:
  accountRef: {kind: CloudAccount, name: azure}
  iotHub: {subscriptionId: 44444444-4444-4444-8444-444444444444, resourceGroup: rg, name: hub-1}
  source: {secretRef: {name: factory-ca}}
"#;

/// The definition of that certificate's kind, in place of all.
const DEFINITION: &str = "crd/iothubcertificates.certferry.dev";

/// Whether an object is there; by its uid, so that one made anew is another.
async fn uid(cluster: &Cluster, object: &str) -> Result<Option<String>> {
    let args = ["get", object, "-n", "default", "--ignore-not-found", "-o", "jsonpath={.metadata.uid}"];
    Ok(Some(cluster.kubectl(&args, None).await?).filter(|it| !it.is_empty()))
}

async fn replicas(cluster: &Cluster) -> Result<String> {
    let path = "jsonpath={.spec.replicas}/{.status.readyReplicas}";
    cluster.kubectl(&["get", "deployment", "certferry", "-n", NAMESPACE, "-o", path], None).await
}

/// A field of that definition, which stands for one that a release brings.
const NEW_FIELD: &str = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties/retiring";

/// A chart as it was before that field.
fn older_chart() -> Result<TempDir> {
    let older = tempfile::tempdir()?;
    copied(&chart(), older.path())?;
    for file in std::fs::read_dir(older.path().join("certferry/crd"))? {
        let path = file?.path();
        let mut definition: Value = serde_saphyr::from_str(&std::fs::read_to_string(&path)?)?;
        if definition["metadata"]["name"] == "iothubcertificates.certferry.dev" {
            let (properties, field) = NEW_FIELD.rsplit_once('/').context("no path")?;
            let properties = definition.pointer_mut(properties).and_then(Value::as_object_mut);
            properties.and_then(|it| it.remove(field)).context("the definition has no such field")?;
            std::fs::write(path, definition.to_string())?; // JSON is YAML
        }
    }
    Ok(older)
}

/// Whether the server knows the field.
async fn knows_the_field(cluster: &Cluster) -> Result<bool> {
    let definition = cluster.kubectl(&["get", DEFINITION, "-o", "json"], None).await?;
    Ok(serde_json::from_str::<Value>(&definition)?.pointer(NEW_FIELD).is_some())
}

async fn live(helm: &Helm, cluster: &Cluster) -> Result<()> {
    let folder = older_chart()?;
    let (older, chart) = (folder.path().join("certferry"), chart());
    let (older, chart) = (older.to_str().context("no UTF-8")?, chart.to_str().context("no UTF-8")?);
    let common = ["-n", NAMESPACE, "--wait", "--timeout", "90s"];
    let with =
        |verb: &'static str, more: &[&'static str]| [&[verb, "certferry", chart], &common[..], more].concat();
    let first = ["install", "certferry", older, "--create-namespace"];
    let told = helm.run(&[&first[..], &common].concat()).await?;
    ensure!(
        told.contains("create rolebinding certferry-sources"),
        "the notes do not tell the next step: {told}"
    );
    ensure!(replicas(cluster).await? == "2/2", "the Deployment is not as the chart says");
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], Some(CERTIFICATE)).await?;

    let kept = [DEFINITION, "iothubcertificate/factory-root"];
    let mut before = Vec::new();
    for object in kept {
        before.push(uid(cluster, object).await?.with_context(|| format!("no {object}"))?);
    }
    ensure!(!knows_the_field(cluster).await?, "the older definition has the new field");
    helm.run(&with("upgrade", &["--set", "replicas=3"])).await?;
    ensure!(replicas(cluster).await? == "3/3", "the upgrade did not take");
    ensure!(knows_the_field(cluster).await?, "the upgrade did not bring the new field");
    helm.run(&with("upgrade", &["--set", "replicas=3"])).await?;
    helm.run(&["rollback", "certferry", "1", "-n", NAMESPACE, "--wait", "--timeout", "90s"]).await?;
    ensure!(replicas(cluster).await? == "2/2", "the rollback did not take");
    ensure!(!knows_the_field(cluster).await?, "the rollback did not bring back the older definition");
    helm.run(&with("upgrade", &["--reuse-values"])).await?;

    // What somebody else changed by hand, Helm 4 takes back only when told to.
    let scale = ["scale", "deployment/certferry", "-n", NAMESPACE, "--replicas=4"];
    cluster.kubectl(&scale, None).await?;
    let upgraded = helm.run(&with("upgrade", &["--set", "replicas=3"])).await;
    if helm.major == 4 {
        let refused = upgraded.err().context("Helm 4 overwrote a change by hand")?.to_string();
        ensure!(refused.contains("conflict"), "{refused}");
        helm.run(&with("upgrade", &["--set", "replicas=3", "--force-conflicts"])).await?;
    } else {
        upgraded?;
    }
    ensure!(replicas(cluster).await? == "3/3", "the change by hand stayed");

    uninstall(helm, cluster, "certferry").await?;
    for (object, uid_before) in kept.iter().zip(&before) {
        ensure!(uid(cluster, object).await?.as_ref() == Some(uid_before), "{object} did not survive");
    }
    for gone in ["clusterrole/certferry", "clusterrole/certferry-edit", "clusterrolebinding/certferry"] {
        ensure!(uid(cluster, gone).await?.is_none(), "{gone} is left");
    }
    Ok(())
}

/// Two duties: one release brings the definitions, another the operator.
async fn apart(helm: &Helm, cluster: &Cluster) -> Result<()> {
    install(helm, "certferry-crds", &[]).await?;
    install(helm, "certferry", &["--set", "crds.enabled=false", "--wait", "--timeout", "90s"]).await?;
    ensure!(replicas(cluster).await? == "2/2", "the Deployment is not as the chart says");
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], Some(CERTIFICATE)).await?;
    let certificate = uid(cluster, "iothubcertificate/factory-root").await?;
    for release in ["certferry", "certferry-crds"] {
        uninstall(helm, cluster, release).await?;
        let left = uid(cluster, "iothubcertificate/factory-root").await?;
        ensure!(left.is_some() && left == certificate, "{release} took a certificate with it");
    }
    Ok(())
}

/// The definitions go from the release of all into one of their own, and with that one when it is told to.
async fn moved_apart(helm: &Helm, cluster: &Cluster) -> Result<()> {
    let before = uid(cluster, DEFINITION).await?;
    install(helm, "certferry", &["--take-ownership"]).await?;
    let chart = chart();
    let chart = chart.to_str().context("no UTF-8")?;
    helm.run(&["upgrade", "certferry", chart, "-n", NAMESPACE, "--set", "crds.enabled=false"]).await?;
    install(helm, "certferry-crds", &["--take-ownership", "--set", "keep=false"]).await?;
    ensure!(before.is_some() && uid(cluster, DEFINITION).await? == before, "the definitions did not stay");
    uninstall(helm, cluster, "certferry").await?;
    uninstall(helm, cluster, "certferry-crds").await?;
    ensure!(uid(cluster, DEFINITION).await?.is_none(), "a definition is left");
    Ok(())
}

/// Installs the chart of that name as the release of that name.
async fn install(helm: &Helm, chart: &str, more: &[&str]) -> Result<()> {
    let folder = folder(chart);
    let folder = folder.to_str().context("no UTF-8")?;
    let args = ["install", chart, folder, "-n", NAMESPACE];
    helm.run(&[&args[..], more].concat()).await.map(drop)
}

/// Uninstalls the release, and waits until its objects are gone.
///
/// Every kind is listed before, as a running operator does. The server makes a kind's storage when it is first asked
/// for; where that is to delete the definition, it may find the storage not ready and try again minutes later only.
async fn uninstall(helm: &Helm, cluster: &Cluster, release: &str) -> Result<()> {
    cluster.kubectl(&["get", "certferry", "--all-namespaces", "--chunk-size=0"], None).await?;
    helm.run(&["uninstall", release, "-n", NAMESPACE, "--wait", "--timeout", "90s"]).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn definitions_and_resources_survive_what_a_release_goes_through() -> Result<()> {
    let plane = ControlPlane::start(Options::default()).await?;
    let cluster = Cluster::of(&plane)?;
    let kubelet = tokio::spawn(stand_in_for_kubelet(plane.admin()));
    let [three, four] = both(Some(&plane.admin_kubeconfig())).await?;
    live(&three, &cluster).await.context("with Helm 3")?;
    live(&four, &cluster).await.context("with Helm 4")?;

    // Asked for, everything goes.
    install(&four, "certferry", &["--set", "crds.keep=false"]).await?;
    uninstall(&four, &cluster, "certferry").await?;
    ensure!(uid(&cluster, DEFINITION).await?.is_none(), "a definition is left");

    apart(&three, &cluster).await.context("apart, with Helm 3")?;
    moved_apart(&four, &cluster).await?;
    apart(&four, &cluster).await.context("apart, with Helm 4")?;
    ensure!(!kubelet.is_finished(), "the kubelet's stand-in ended: {:?}", kubelet.await?);
    kubelet.abort();
    plane.stop().await
}
