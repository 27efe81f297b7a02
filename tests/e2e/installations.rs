//! Two installations on one cluster: each serves its own namespaces, and the cluster's accounts that are its own.

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::Options;
use certferry_rig::installation::CLIENT_SECRET;
use certferry_rig::wait::eventually;
use serde_json::{Value, json};

use crate::failover::Stage;
use crate::shared::binary;
use crate::world::{SOON, World};

/// The name and the namespace of the second.
const EAST: &str = "east";

#[tokio::test(flavor = "multi_thread")]
async fn each_serves_its_own_accounts_and_leaves_the_others_alone() -> Result<()> {
    let stage = Stage::bare(Options::default()).await?;
    for namespace in [EAST, "e2e-west", "e2e-east"] {
        stage.cluster.kubectl(&["create", "namespace", namespace], None).await?;
    }
    stage.cluster.install_with(&["watchNamespaces={e2e-west}"]).await?;
    let names = [format!("fullnameOverride={EAST}"), format!("namespaceOverride={EAST}")];
    let [name, home] = names.each_ref().map(String::as_str);
    let more = ["crds.enabled=false", "watchNamespaces={e2e-east}", "sources.namespaces={e2e-east}"];
    stage.cluster.install_with(&[&[name, home], &more[..]].concat()).await?;
    let operator = stage.cluster.deployed_operator(binary()).await?;
    let west = World::on(stage.cluster.clone(), "west").await?;
    west.is_served_by("certferry").await?;
    west.settled("factory-root").await?;
    let before = west.account_version().await?;

    let other = stage.cluster.deployed_operator_of(binary(), EAST, EAST).await?;
    let east = World::on(stage.cluster.clone(), "east").await?;
    east.is_served_by(EAST).await?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": east.namespace },
        "stringData": { "clientSecret": CLIENT_SECRET },
    });
    east.cluster.apply(EAST, &secret.to_string()).await?;
    east.settled("factory-root").await?;
    east.allows(&west.namespace).await?;
    let theirs_before = east.account_version().await?;

    // The other's account is none for the one, whatever namespaces it allows; and nobody touches what is not theirs.
    let own = format!("ClusterCloudAccount, name: {}", west.namespace);
    let theirs = format!("ClusterCloudAccount, name: {}", east.namespace);
    west.apply(&west.certificate("borrowed-root").replace(&own, &theirs)).await?;
    west.says("borrowed-root", "AccountNotAllowed", "served by the installation `east`").await?;
    west.delete("borrowed-root").await?;
    ensure!(west.account_version().await? == before, "the second wrote to the first one's account");
    ensure!(east.account_version().await? == theirs_before, "the first wrote to the second one's account");
    // It is nobody else's later on.
    let moved = west.is_served_by(EAST).await.err().context("an account was handed over")?;
    ensure!(moved.to_string().contains("must not change"), "{moved}");
    for world in [&west, &east] {
        world.is_removed("factory-root").await?;
        world
            .cluster
            .kubectl(&["delete", "clustercloudaccount", &world.namespace, "--timeout=60s"], None)
            .await?;
    }
    other.stop().await?;
    operator.stop().await?;
    west.stop().await?;
    east.stop().await
}

impl World {
    async fn is_served_by(&self, installation: &str) -> Result<()> {
        self.patch_account(json!({ "installation": installation })).await
    }

    /// The account allows that namespace too.
    async fn allows(&self, other: &str) -> Result<()> {
        self.patch_account(json!({ "allowedNamespaces": { "names": [self.namespace, other] } })).await
    }

    async fn patch_account(&self, spec: Value) -> Result<()> {
        let patch = json!({ "spec": spec }).to_string();
        let args = ["patch", "clustercloudaccount", &self.namespace, "--type=merge", "-p", &patch];
        self.cluster.kubectl(&args, None).await.map(drop)
    }

    /// The version of the account, once it is Ready as it is now.
    async fn account_version(&self) -> Result<String> {
        let get = ["get", "clustercloudaccount", &self.namespace, "-o", "json"];
        eventually(SOON, "an account that is Ready", async || {
            let account: Value = serde_json::from_str(&self.cluster.kubectl(&get, None).await?)?;
            let (metadata, status) = (&account["metadata"], &account["status"]);
            let conditions = status["conditions"].as_array().context("no conditions")?;
            let ready = conditions.iter().find(|it| it["type"] == "Ready").context("not told")?;
            let is_current = status["observedGeneration"] == metadata["generation"];
            ensure!(is_current && ready["status"] == "True", "{ready}");
            Ok(metadata["resourceVersion"].as_str().context("no version")?.to_owned())
        })
        .await
    }
}
