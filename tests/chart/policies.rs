//! The admission policies: who may use which account, and where remote certificates have to stay.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::Cluster;
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::helm::both;
use crate::server::shared;

const SOON: Duration = Duration::from_secs(60);

fn certificate(name: &str, account: (&str, &str), deletion: Option<&str>) -> Value {
    let mut certificate = json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": "IotHubCertificate", "metadata": { "name": name },
        "spec": {
            "accountRef": { "kind": account.0, "name": account.1 },
            "iotHub": {
                "subscriptionId": "44444444-4444-4444-8444-444444444444",
                "resourceGroup": "rg", "name": "hub-1",
            },
            "source": { "secretRef": { "name": "ca" } },
        },
    });
    if let Some(deletion) = deletion {
        certificate["spec"]["deletionPolicy"] = json!(deletion);
    }
    certificate
}

/// Puts the chart's objects there, with all policies, and a user who may edit in two namespaces.
async fn policed(cluster: &Cluster) -> Result<()> {
    let [_, helm] = both(None).await?;
    let set = "admissionPolicies.accountUse.enabled=true,admissionPolicies.retainOnly.enabled=true";
    let rendered = helm.template(&["--set", set]).await?;
    cluster.kubectl(&["apply", "--server-side", "-f", "-"], Some(&rendered)).await?;
    let established = ["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"];
    cluster.kubectl(&established, None).await?;
    for (name, label) in [("free", "x=y"), ("keeping", "certferry.dev/deletion-policy=Retain")] {
        cluster.kubectl(&["create", "namespace", name], None).await?;
        cluster.kubectl(&["label", "namespace", name, label], None).await?;
        let edit = ["create", "rolebinding", "edit", "--clusterrole=edit", "--user=dev", "-n", name];
        cluster.kubectl(&edit, None).await?;
    }
    Ok(())
}

/// What the API server says when the user applies that.
async fn by_user(cluster: &Cluster, namespace: &str, certificate: &Value) -> Result<String> {
    let args = ["apply", "--server-side", "--as=dev", "-n", namespace, "-f", "-"];
    cluster.kubectl(&args, Some(&certificate.to_string())).await
}

/// It comes to be refused, with this in the message. Policies work some moments after they are made.
async fn refused(cluster: &Cluster, namespace: &str, certificate: &Value, part: &str) -> Result<()> {
    eventually(SOON, "a refusal", async || {
        let told =
            by_user(cluster, namespace, certificate).await.err().context("it was let pass")?.to_string();
        ensure!(told.contains(part), "{told}");
        Ok(())
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_used_by_those_who_may_and_certificates_stay_where_they_must() -> Result<()> {
    let cluster = shared().await?;
    policed(cluster).await?;
    let shared_account = ("ClusterCloudAccount", "shared");
    let of_shared = certificate("of-shared", shared_account, None);
    let own = ("CloudAccount", "own");
    let of_own = certificate("of-own", own, None);
    refused(cluster, "free", &of_shared, "you may not use ClusterCloudAccount shared here").await?;
    refused(cluster, "free", &of_own, "you may not use CloudAccount own here").await?;

    // One account, in one namespace.
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "use-shared" },
        "rules": [{
            "apiGroups": ["certferry.dev"], "resources": ["clustercloudaccounts"],
            "resourceNames": ["shared"], "verbs": ["use"],
        }],
    });
    cluster.apply("free", &role.to_string()).await?;
    let bind = ["create", "rolebinding", "use-shared", "--role=use-shared", "--user=dev", "-n", "free"];
    cluster.kubectl(&bind, None).await?;
    eventually(SOON, "the account is used", async || by_user(cluster, "free", &of_shared).await.map(drop))
        .await?;
    refused(cluster, "free", &of_own, "you may not use CloudAccount own here").await?;
    refused(cluster, "keeping", &certificate("there", shared_account, Some("Retain")), "you may not use")
        .await?;

    // Without the right any more: the spec stays as it is, metadata may change.
    cluster.kubectl(&["delete", "rolebinding", "use-shared", "-n", "free"], None).await?;
    let mut changed = of_shared.clone();
    changed["spec"]["resyncInterval"] = json!("2h");
    refused(cluster, "free", &changed, "you may not use").await?;
    let label = ["label", "--as=dev", "-n", "free", "iothubcertificate", "of-shared", "a=b"];
    cluster.kubectl(&label, None).await?;

    // The chart's role covers every account.
    let bind = ["create", "rolebinding", "use", "--clusterrole=certferry-use", "--user=dev", "-n", "keeping"];
    cluster.kubectl(&bind, None).await?;
    for deletion in [None, Some("Delete")] {
        let deleted = certificate("kept", shared_account, deletion);
        refused(cluster, "keeping", &deleted, "this namespace keeps remote certificates").await?;
    }
    let kept = certificate("kept", shared_account, Some("Retain"));
    by_user(cluster, "keeping", &kept).await?;
    refused(cluster, "keeping", &certificate("kept", shared_account, Some("Delete")), "this namespace keeps")
        .await?;
    cluster.kubectl(&["delete", "--as=dev", "-n", "keeping", "iothubcertificate", "kept"], None).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_built_in_roles_cover_the_resources_and_no_more() -> Result<()> {
    let cluster = shared().await?;
    let [_, helm] = both(None).await?;
    let rendered = helm.template(&["--set", "crds.enabled=false"]).await?;
    cluster.kubectl(&["apply", "--server-side", "--force-conflicts", "-f", "-"], Some(&rendered)).await?;
    for role in ["view", "edit"] {
        let binding = format!("{role}-by-role");
        let args = ["create", "rolebinding", &binding, "-n", "team-a"];
        let whom = [format!("--clusterrole={role}"), format!("--user={role}er")];
        cluster.kubectl(&[&args[..], &[&whom[0], &whom[1]]].concat(), None).await?;
    }
    for (user, verb, resource, subresource, may) in [
        ("viewer", "get", "iothubcertificates.certferry.dev", "", true),
        ("viewer", "watch", "cloudaccounts.certferry.dev", "", true),
        ("viewer", "create", "iothubcertificates.certferry.dev", "", false),
        ("viewer", "get", "secrets", "", false),
        ("editer", "create", "keyvaultcertificates.certferry.dev", "", true),
        ("editer", "delete", "iotdacertificates.certferry.dev", "", true),
        ("editer", "patch", "iothubcertificates.certferry.dev", "status", false),
        ("editer", "use", "cloudaccounts.certferry.dev", "", false),
        ("editer", "create", "clustercloudaccounts.certferry.dev", "", false),
    ] {
        let (whom, part) = (format!("--as={user}"), format!("--subresource={subresource}"));
        let asked = ["auth", "can-i", verb, resource, &part, &whom, "-n", "team-a"];
        // It fails when the answer is no. Aggregation takes a moment.
        eventually(SOON, "the aggregated right", async || {
            let told = cluster.kubectl(&asked, None).await;
            ensure!(told.is_ok() == may, "{user} {verb} {resource} {subresource}: {told:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}
