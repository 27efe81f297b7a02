//! Every status that a test's objects had, from the first to the last: Argo CD's script says of each what kstatus
//! implies, and Argo CD's own engine and kstatus' own library agree.
//!
//! `CERTFERRY_CAPTURE=<folder>` keeps them as manifests, one file each: the test data of `argocd/` comes from there.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use certferry_argocd::{Health, Kstatus, Status, customizations, expected, health, health_script, kstatus};
use certferry_rig::installation::Cluster;
use futures::StreamExt;
use kube::Api;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube_runtime::watcher::{self, Event};
use kube_runtime::{WatchStreamExt, watcher as watch};
use serde::Deserialize;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::instance::huawei;

const IN_NAMESPACES: [&str; 5] = [
    "CloudAccount",
    "IotHubCertificate",
    "KeyVaultCertificate",
    "ApiManagementCertificate",
    "IotdaCertificate",
];

/// The objects of a world, as they were after each change.
pub struct Seen {
    objects: Arc<Mutex<Vec<Value>>>,
    _watches: JoinSet<()>, // which end with it
}

impl Seen {
    /// Begins to look at the objects of a namespace, and at the cluster's accounts for it.
    pub async fn from_now(cluster: &Cluster, namespace: &str) -> Result<Self> {
        let client = cluster.client().await?;
        let objects = Arc::<Mutex<Vec<Value>>>::default();
        let mut watches = JoinSet::new();
        let resource =
            |kind| ApiResource::from_gvk(&GroupVersionKind::gvk("certferry.dev", "v1alpha1", kind));
        for kind in IN_NAMESPACES {
            let api = Api::namespaced_with(client.clone(), namespace, &resource(kind));
            watches.spawn(record(objects.clone(), api, watcher::Config::default()));
        }
        for name in [namespace, &huawei(namespace)] {
            let own = watcher::Config::default().fields(&format!("metadata.name={name}"));
            let api = Api::all_with(client.clone(), &resource("ClusterCloudAccount"));
            watches.spawn(record(objects.clone(), api, own));
        }
        Ok(Self { objects, _watches: watches })
    }

    fn until_now(&self) -> Vec<Value> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that was seen until now shows the right health.
    pub async fn is_shown_rightly(&self, cluster: &Cluster) -> Result<()> {
        let (script, objects) = (health_script()?, self.until_now());
        for (object, theirs) in objects.iter().zip(judged(cluster, &objects).await?) {
            let shown = health(&script, object)?;
            let right = expected(object);
            ensure!(shown.status == right, "Argo CD shows {shown:?} and should show {right:?}: {object}");
            ensure!(!shown.message.is_empty(), "Argo CD shows {:?} and no message: {object}", shown.status);
            ensure!(
                shown == theirs.health(),
                "Argo CD's own engine shows {theirs:?}, not {shown:?}: {object}"
            );
            ensure!(kstatus(object) == theirs.kstatus, "kstatus says {:?}: {object}", theirs.kstatus);
        }
        Ok(())
    }

    /// Writes all that was seen into the folder that is asked for.
    pub fn is_kept(&self, world: &str) -> Result<()> {
        let Some(folder) = std::env::var_os("CERTFERRY_CAPTURE") else { return Ok(()) };
        std::fs::create_dir_all(&folder)?;
        for (number, object) in self.until_now().iter().enumerate() {
            let kind = object["kind"].as_str().context("an object without a kind")?.to_lowercase();
            let reason = ready_reason(object).unwrap_or("none").to_lowercase();
            let file = Path::new(&folder).join(format!("{world}-{number:03}-{kind}-{reason}.yaml"));
            std::fs::write(file, serde_saphyr::to_string(object)?)?;
        }
        Ok(())
    }
}

/// What Argo CD's engine, with the script as its `argocd-cm` has it, and kstatus' library say of an object.
#[derive(Clone, Debug, Deserialize)]
struct Judged {
    status: Status,
    message: String,
    kstatus: Kstatus,
}

impl Judged {
    fn health(&self) -> Health {
        Health { status: self.status, message: self.message.clone() }
    }
}

async fn judged(cluster: &Cluster, objects: &[Value]) -> Result<Vec<Judged>> {
    let script = customizations().join("_/health.lua");
    let args = ["judge", &script.to_string_lossy()];
    let verdicts = cluster.gitops(&args, Some(&serde_json::to_string(objects)?)).await?;
    let verdicts: Vec<Judged> = serde_json::from_value(verdicts)?;
    ensure!(verdicts.len() == objects.len(), "{} verdicts on {} objects", verdicts.len(), objects.len());
    Ok(verdicts)
}

fn ready_reason(object: &Value) -> Option<&str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|it| it["type"] == "Ready")?["reason"].as_str()
}

async fn record(objects: Arc<Mutex<Vec<Value>>>, api: Api<DynamicObject>, config: watcher::Config) {
    let mut events = watch(api, config).default_backoff().boxed();
    while let Some(event) = events.next().await {
        // An error is an API server that a test took away; the watch goes on when it is back.
        let Ok(Event::Apply(mut object) | Event::InitApply(mut object) | Event::Delete(mut object)) = event
        else {
            continue;
        };
        object.metadata.managed_fields = None;
        if let Ok(object) = serde_json::to_value(object) {
            objects.lock().unwrap_or_else(PoisonError::into_inner).push(object);
        }
    }
}
