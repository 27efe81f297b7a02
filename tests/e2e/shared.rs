//! The one operator that serves most tests, on a control plane that they share.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use certferry_rig::control_plane::{self, ControlPlane};
use certferry_rig::installation::Cluster;
use certferry_rig::operator::Operator;
use tokio::sync::OnceCell;

use crate::{metrics, scope};

/// What most tests share.
pub struct Shared {
    pub plane: &'static ControlPlane,
    pub cluster: Arc<Cluster>,
    /// It logs at level `trace`, so that tests can look for what must not be logged at any.
    pub operator: Operator,
    /// Where it serves its metrics.
    pub metrics: String,
}

/// The program under test.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_certferry"))
}

/// What differs from the chart's own values: many tests delete through one operator, and look into its log.
const VALUES: [&str; 4] =
    ["maxDeletes=1000", "log.filter=trace", "log.format=text", "workloadIdentity.enabled=true"];

/// The cluster with the chart installed, and the operator as its Deployment has it, which lives as long as the test
/// process.
pub async fn shared() -> Result<&'static Shared> {
    static SHARED: OnceCell<Shared> = OnceCell::const_new();
    SHARED
        .get_or_try_init(|| async {
            let plane = control_plane::shared().await?;
            let cluster = Arc::new(Cluster::of(plane)?);
            scope::install(&cluster, &VALUES).await?;
            let operator = cluster.deployed_operator(binary()).await?;
            let metrics = metrics::url(&operator).await?;
            Ok(Shared { plane, cluster, operator, metrics })
        })
        .await
}
