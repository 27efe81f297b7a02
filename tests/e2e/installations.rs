//! Two installations on one cluster: each serves its own namespaces, and the cluster's accounts that are its own.

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::Options;
use certferry_rig::installation::{CLIENT_SECRET, ca};
use serde_json::{Value, json};

use crate::failover::Stage;
use crate::shared::binary;
use crate::world::World;

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
    let west = stage.cluster.deployed_operator(binary()).await?;
    let world = World::on(stage.cluster.clone(), "west").await?;
    world.is_served_by(&world.namespace, "certferry").await?;
    world.settled("factory-root").await?;
    let before = world.account_version(&world.namespace).await?;

    let east = stage.cluster.deployed_operator_of(binary(), EAST, EAST).await?;
    world.cluster.emulated_account("eastern", "e2e-east", &world.emulator.urls).await?;
    world.is_served_by("eastern", EAST).await?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "eastern" },
        "stringData": { "clientSecret": CLIENT_SECRET },
    });
    world.cluster.apply(EAST, &secret.to_string()).await?;
    world.cluster.tls_secret("e2e-east", "factory-ca", &ca("Eastern root")?).await?;
    let of_east = |name: &str| {
        let own = format!("ClusterCloudAccount, name: {}", world.namespace);
        world.certificate(name).replace(&own, "ClusterCloudAccount, name: eastern")
    };
    world.cluster.apply("e2e-east", &of_east("eastern-root")).await?;
    let ready = ["wait", "--for=condition=Ready", "--timeout=90s", "iothubcertificate", "eastern-root"];
    world.cluster.kubectl(&[&ready[..], &["-n", "e2e-east"]].concat(), None).await?;

    // The other's account is none for the one, whatever namespaces it allows; and nobody touches what is not theirs.
    world.cluster.apply(&world.namespace, &of_east("borrowed-root")).await?;
    world.says("borrowed-root", "AccountNotAllowed", "served by the installation `east`").await?;
    world.delete("borrowed-root").await?;
    ensure!(world.account_version(&world.namespace).await? == before, "the other wrote to the account");
    let delete = ["delete", "iothubcertificate", "eastern-root", "-n", "e2e-east", "--timeout=60s"];
    world.cluster.kubectl(&delete, None).await?;
    world.cluster.kubectl(&["delete", "clustercloudaccount", "eastern", "--timeout=60s"], None).await?;
    east.stop().await?;
    west.stop().await?;
    world.stop().await
}

impl World {
    async fn is_served_by(&self, account: &str, installation: &str) -> Result<()> {
        let patch = json!({ "spec": { "installation": installation } }).to_string();
        let args = ["patch", "clustercloudaccount", account, "--type=merge", "-p", &patch];
        self.cluster.kubectl(&args, None).await.map(drop)
    }

    /// The version of an account that is Ready.
    async fn account_version(&self, account: &str) -> Result<String> {
        let get = ["get", "clustercloudaccount", account, "-o", "json"];
        let account: Value = serde_json::from_str(&self.cluster.kubectl(&get, None).await?)?;
        let conditions = account["status"]["conditions"].as_array().context("no conditions")?;
        let ready = conditions.iter().find(|it| it["type"] == "Ready").context("not told")?;
        ensure!(ready["status"] == "True", "{ready}");
        Ok(account["metadata"]["resourceVersion"].as_str().context("no version")?.to_owned())
    }
}
