//! Every status that a test's objects had, from the first to the last: Argo CD's script says of each what kstatus
//! implies, and what the page about reasons says of the class of its reason; Argo CD's own engine and kstatus' own library
//! agree.
//!
//! `CERTFERRY_CAPTURE=<folder>` keeps them as manifests, one file each: the test data of `argocd/` comes from there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, ensure};
use certferry_argocd::{Health, Kstatus, Status, customizations, expected, health, health_script, kstatus};
use certferry_rig::installation::Cluster;
use certferry_rig::wait::eventually;
use futures::StreamExt;
use kube::api::ListParams;
use kube::core::{ApiResource, DynamicObject, GroupVersionKind};
use kube::{Api, ResourceExt};
use kube_runtime::WatchStreamExt;
use kube_runtime::watcher::{self, Event};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::world::SOON;

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
    /// Where they are, and how the names begin of those that count.
    places: Vec<(Api<DynamicObject>, String)>,
    _watches: JoinSet<()>, // which end with it
}

impl Seen {
    /// Begins to look at the objects of a namespace, and at the cluster's accounts whose names begin so.
    pub async fn from_now(cluster: &Cluster, namespace: &str, accounts: &str) -> Result<Self> {
        let client = cluster.client().await?;
        let resource =
            |kind| ApiResource::from_gvk(&GroupVersionKind::gvk("certferry.dev", "v1alpha1", kind));
        let within = |kind| (Api::namespaced_with(client.clone(), namespace, &resource(kind)), String::new());
        let mut places: Vec<_> = IN_NAMESPACES.into_iter().map(within).collect();
        let of_cluster = Api::all_with(client.clone(), &resource("ClusterCloudAccount"));
        places.push((of_cluster, accounts.to_owned()));
        let objects = Arc::<Mutex<Vec<Value>>>::default();
        let mut watches = JoinSet::new();
        for (api, prefix) in places.clone() {
            watches.spawn(record(objects.clone(), api, prefix));
        }
        Ok(Self { objects, places, _watches: watches })
    }

    /// Waits until the last state of every object was seen.
    async fn is_complete(&self) -> Result<()> {
        eventually(SOON, "the last state of every object", async || {
            for (api, prefix) in &self.places {
                for object in api.list(&ListParams::default()).await? {
                    let seen = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
                    let is_same = |it: &Value| {
                        it["metadata"]["uid"] == json!(object.uid())
                            && it["metadata"]["resourceVersion"] == json!(object.resource_version())
                    };
                    let counts = object.name_any().starts_with(prefix);
                    ensure!(!counts || seen.iter().any(is_same), "{} was not seen", object.name_any());
                }
            }
            Ok(())
        })
        .await
    }

    fn until_now(&self) -> Vec<Value> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// All that was seen until now shows the right health.
    pub async fn is_shown_rightly(&self, cluster: &Cluster) -> Result<()> {
        self.is_complete().await?;
        let (script, objects, classes) = (health_script()?, self.until_now(), classes()?);
        ensure!(!objects.is_empty(), "nothing was seen");
        for (object, theirs) in objects.iter().zip(judged(cluster, &objects).await?) {
            let shown = health(&script, object)?;
            let right = expected(object);
            ensure!(shown.status == right, "Argo CD shows {shown:?} and should show {right:?}: {object}");
            if let Some(reason) = deciding_reason(object) {
                let right = classes.get(&reason).with_context(|| format!("no page tells of {reason}"))?;
                ensure!(right.contains(&shown.status), "{reason} should show one of {right:?}: {object}");
            }
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

/// Which healths the page about reasons allows for each: by the conditions that it names at the head of their class.
fn classes() -> Result<BTreeMap<String, Vec<Status>>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reasons.md");
    let mut classes = BTreeMap::new();
    for class in std::fs::read_to_string(path)?.split("\n## ").skip(1) {
        let (head, rows) = class.split_once("| --- |").context("a class without a table")?;
        let conditions = [
            ("`Ready=True`", Status::Healthy),
            ("`Reconciling=True`", Status::Progressing),
            ("`Stalled=True`", Status::Degraded),
            ("nothing is looked at", Status::Suspended),
        ];
        let told = conditions.iter().filter(|(words, _)| head.contains(words)).map(|(_, status)| *status);
        let told: Vec<_> = told.collect();
        ensure!(!told.is_empty(), "the page tells no condition: {head}");
        for row in rows.lines().filter_map(|it| it.strip_prefix("| `")) {
            let reason = row.split('`').next().unwrap_or_default().to_owned();
            classes.insert(reason, told.clone());
        }
    }
    Ok(classes)
}

/// The reason of the condition by which an object is judged; nothing where it goes, or where its status is not of its
/// spec, or where the spec itself suspends it.
fn deciding_reason(object: &Value) -> Option<String> {
    let (metadata, spec) = (&object["metadata"], &object["spec"]);
    let is_current = object["status"]["observedGeneration"] == metadata["generation"];
    let is_suspended = spec["managementPolicy"] == "Suspend" || spec["suspend"] == true;
    if !is_current || is_suspended || metadata["deletionTimestamp"].is_string() {
        return None;
    }
    let of = |type_: &str, status: &[&str]| {
        let conditions = object["status"]["conditions"].as_array().into_iter().flatten();
        let mut fit = conditions
            .filter(|it| it["type"] == type_ && it["status"].as_str().is_some_and(|it| status.contains(&it)));
        Some(fit.next()?["reason"].as_str()?.to_owned())
    };
    of("Stalled", &["True"])
        .or_else(|| of("Reconciling", &["True"]))
        .or_else(|| of("Ready", &["True", "False", "Unknown"]))
}

fn ready_reason(object: &Value) -> Option<&str> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|it| it["type"] == "Ready")?["reason"].as_str()
}

async fn record(objects: Arc<Mutex<Vec<Value>>>, api: Api<DynamicObject>, prefix: String) {
    let mut events = watcher::watcher(api, watcher::Config::default()).default_backoff().boxed();
    while let Some(event) = events.next().await {
        // An error is an API server that a test took away; the watch goes on when it is back.
        let Ok(Event::Apply(mut object) | Event::InitApply(mut object) | Event::Delete(mut object)) = event
        else {
            continue;
        };
        object.metadata.managed_fields = None;
        if let Some(object) = Some(&object).filter(|it| it.name_any().starts_with(&prefix))
            && let Ok(object) = serde_json::to_value(object)
        {
            objects.lock().unwrap_or_else(PoisonError::into_inner).push(object);
        }
    }
}
