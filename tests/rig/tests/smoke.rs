//! Ten seconds that show the plane to be what all other end-to-end tests take it for.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::{ControlPlane, Options, client};
use certferry_rig::wait::{becomes, eventually};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Api, Client, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const SOON: Duration = Duration::from_secs(30);

/// One test, as the steps share one plane that is stopped at the end.
#[tokio::test]
async fn the_plane_is_a_real_cluster() -> Result<()> {
    let plane = ControlPlane::start(Options { audit: true, ..Options::default() }).await?;
    let admin = plane.admin();

    let ready = admin.request_text(http::Request::get("/readyz").body(Vec::new())?).await?;
    ensure!(ready == "ok", "/readyz says {ready}");
    kubectl_knows_the_version(&plane).await?;
    a_status_is_written_by_server_side_apply(&admin).await?;
    a_token_is_bound_to_the_rights_of_its_account(&plane).await?;
    an_owned_secret_is_collected(&admin).await?;
    a_deleted_namespace_goes(&admin).await?;

    let pids = plane.pids();
    let folder = plane.folder().to_owned();
    ensure!(pids.into_iter().all(is_running), "one of {pids:?} does not run");
    plane.stop().await?;
    ensure!(!pids.into_iter().any(is_running), "one of {pids:?} still runs");
    ensure!(!folder.exists(), "{} is still there", folder.display());
    Ok(())
}

#[tokio::test]
async fn the_plane_survives_restarts_of_its_servers() -> Result<()> {
    let mut plane = ControlPlane::start(Options::default()).await?;
    let maps = Api::<ConfigMap>::namespaced(plane.admin(), "default");
    create(&maps, json!({"metadata": {"name": "kept"}})).await?;
    plane.restart_etcd().await?;
    plane.restart_apiserver().await?;
    // With a client of its own: the API server ended the connections of the first.
    Api::<ConfigMap>::namespaced(plane.admin(), "default").get("kept").await?;
    Ok(())
}

async fn kubectl_knows_the_version(plane: &ControlPlane) -> Result<()> {
    let output = plane.kubectl(&["version", "--output=json"], None).await?;
    let version: Value = serde_json::from_slice(&output.stdout).with_context(|| format!("{output:?}"))?;
    for side in ["serverVersion", "clientVersion"] {
        ensure!(version[side]["gitVersion"] == "v1.36.3", "{version}");
    }

    let manifest = r#"{"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "from-stdin"}}"#;
    let applied = plane.kubectl(&["apply", "--filename=-"], Some(manifest)).await?;
    ensure!(applied.status.success(), "{applied:?}");
    let missing = plane.kubectl(&["get", "configmap", "missing"], None).await?;
    ensure!(missing.status.code() == Some(1), "{missing:?}");
    Ok(())
}

async fn a_status_is_written_by_server_side_apply(admin: &Client) -> Result<()> {
    let crds = Api::<CustomResourceDefinition>::all(admin.clone());
    let open = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    let schema = json!({"openAPIV3Schema": {"type": "object", "properties": {"spec": open, "status": open}}});
    create(
        &crds,
        json!({
            "metadata": {"name": "boats.smoke.certferry.dev"},
            "spec": {
                "group": "smoke.certferry.dev",
                "scope": "Namespaced",
                "names": {"kind": "Boat", "plural": "boats", "singular": "boat"},
                "versions": [{
                    "name": "v1", "served": true, "storage": true, "schema": schema, "subresources": {"status": {}},
                }],
            },
        }),
    )
    .await?;
    let kind = ApiResource::from_gvk_with_plural(
        &GroupVersionKind::gvk("smoke.certferry.dev", "v1", "Boat"),
        "boats",
    );
    let boats = Api::<DynamicObject>::namespaced_with(admin.clone(), "default", &kind);
    eventually(SOON, "the CRD is served", async || Ok(boats.list(&ListParams::default()).await?)).await?;

    let head = json!({"apiVersion": "smoke.certferry.dev/v1", "kind": "Boat", "metadata": {"name": "one"}});
    create(&boats, head.clone()).await?;
    let mut wish = head;
    wish["status"] = json!({"afloat": true});
    let apply = PatchParams::apply("smoke");
    let written = boats.patch_status("one", &apply, &Patch::Apply(&wish)).await?;
    ensure!(written.data["status"]["afloat"] == true, "{written:?}");
    let again = boats.patch_status("one", &apply, &Patch::Apply(&wish)).await?;
    ensure!(again.resource_version() == written.resource_version(), "the same status was written twice");
    Ok(())
}

async fn a_token_is_bound_to_the_rights_of_its_account(plane: &ControlPlane) -> Result<()> {
    let accounts = Api::<ServiceAccount>::namespaced(plane.admin(), "default");
    create(&accounts, json!({"metadata": {"name": "nobody"}})).await?;
    let nobody = client(&plane.kubeconfig_for("nobody", "default").await?).await?;
    let refused = Api::<Secret>::namespaced(nobody, "default").list(&ListParams::default()).await;
    ensure!(matches!(&refused, Err(kube::Error::Api(status)) if status.code == 403), "{refused:?}");

    let user = "system:serviceaccount:default:nobody";
    becomes(
        SOON,
        "the refusal is in the audit log",
        async || plane.audit_events(),
        |events| {
            events.iter().any(|event| {
                (event.user.as_str(), event.verb.as_str(), event.resource.as_str())
                    == (user, "list", "secrets")
                    && event.namespace == "default"
                    && event.code == 403
            })
        },
    )
    .await?;
    Ok(())
}

async fn an_owned_secret_is_collected(admin: &Client) -> Result<()> {
    let maps = Api::<ConfigMap>::namespaced(admin.clone(), "default");
    let owner = create(&maps, json!({"metadata": {"name": "owner"}})).await?;
    let uid = owner.uid().context("the server gives a uid")?;
    let reference = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid});
    let secrets = Api::<Secret>::namespaced(admin.clone(), "default");
    create(&secrets, json!({"metadata": {"name": "owned", "ownerReferences": [reference]}})).await?;

    maps.delete("owner", &DeleteParams::default()).await?;
    becomes(SOON, "the owned Secret is gone", async || Ok(secrets.get_opt("owned").await?), Option::is_none)
        .await?;
    Ok(())
}

async fn a_deleted_namespace_goes(admin: &Client) -> Result<()> {
    let namespaces = Api::<Namespace>::all(admin.clone());
    create(&namespaces, json!({"metadata": {"name": "brief"}})).await?;
    let secrets = Api::<Secret>::namespaced(admin.clone(), "brief");
    create(&secrets, json!({"metadata": {"name": "inside"}})).await?;

    namespaces.delete("brief", &DeleteParams::default()).await?;
    becomes(SOON, "the namespace is gone", async || Ok(namespaces.get_opt("brief").await?), Option::is_none)
        .await?;
    ensure!(secrets.get_opt("inside").await?.is_none(), "the namespace went without its Secret");
    Ok(())
}

async fn create<K>(api: &Api<K>, object: Value) -> Result<K>
where
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let object: K = serde_json::from_value(object)?;
    Ok(api.create(&PostParams::default(), &object).await?)
}

fn is_running(pid: u32) -> bool {
    Path::new("/proc").join(pid.to_string()).exists()
}
