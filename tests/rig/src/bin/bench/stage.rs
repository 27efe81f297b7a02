//! What the bench runs on: a control plane, the emulator, the operator in a release build, and sets of certificates.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use certferry_rig::control_plane::{self, ControlPlane};
use certferry_rig::emulator::{self, Emulator};
use certferry_rig::installation::{Cluster, NAMESPACE, TENANT, emulated_azure};
use certferry_rig::operator::Operator;
use futures::{StreamExt, TryStreamExt, stream};
use kube::Client;
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::certificates::Certificates;
use crate::kinds::{Cloud, Kind, Parent, SUBSCRIPTION};
use crate::meter::{self, Calls, Usage};

pub(crate) const SECRET: &str = "secret-of-the-bench";

/// Requests to the API server at a time.
const AT_A_TIME: usize = 8;

/// The servers and the program under test.
pub(crate) struct Stage {
    pub(crate) plane: ControlPlane,
    pub(crate) emulator: Emulator,
    pub(crate) operator: Operator,
    pub(crate) certificates: Certificates,
    client: Client,
    cluster: Cluster,
    /// How many accounts there are.
    accounts: AtomicUsize,
}

/// Certificates of one kind in a namespace of their own, spread over parents and accounts of their own.
pub(crate) struct Set {
    pub(crate) kind: &'static Kind,
    pub(crate) namespace: String,
    pub(crate) parents: Vec<Parent>,
    /// Every object's name, and its parent's place in `parents`.
    pub(crate) objects: Vec<(String, usize)>,
}

/// How large a set is, and with how many accounts.
#[derive(Clone, Copy)]
pub(crate) struct Size {
    /// One letter, that tells sets of a kind apart.
    pub(crate) letter: char,
    /// The number of its first parent: no two sets of a kind share one.
    pub(crate) first: usize,
    pub(crate) parents: usize,
    pub(crate) objects: usize,
    pub(crate) accounts: usize,
}

impl Set {
    pub(crate) fn new(kind: &'static Kind, size: &Size) -> Self {
        let Size { letter, first, parents, objects, accounts } = *size;
        let short = kind.short;
        let parent = |it: usize| Parent {
            name: format!("{short}-{letter}{it}"),
            number: first + it,
            account: format!("{short}-{letter}{}", it % accounts),
        };
        Self {
            kind,
            namespace: format!("{short}-{letter}"),
            parents: (0..parents).map(parent).collect(),
            objects: (0..objects).map(|it| (format!("{letter}-{it}"), it % parents)).collect(),
        }
    }

    pub(crate) fn parent_of(&self, object: usize) -> &Parent {
        &self.parents[self.objects[object].1]
    }

    fn accounts(&self) -> Vec<String> {
        let mut names: Vec<_> = self.parents.iter().map(|it| it.account.clone()).collect();
        names.sort();
        names.dedup();
        names
    }
}

impl Stage {
    /// Starts everything.
    pub(crate) async fn start() -> Result<Self> {
        let options = control_plane::Options { audit: true, ..Default::default() };
        let plane = ControlPlane::start(options).await?;
        let emulator =
            emulator::Options { binary: Some(sibling("emulator")?), forgets: true, ..Default::default() };
        let emulator = Emulator::start(emulator).await?;
        let cluster = Cluster::of(&plane)?;
        cluster.install().await?;
        // The brake is for people's mistakes; here all is meant.
        let operator = cluster.operator(sibling("certferry")?, "info", &["--max-deletes=1000000"]).await?;
        let (client, certificates) = (plane.admin(), Certificates::new()?);
        Ok(Self { plane, emulator, operator, certificates, client, cluster, accounts: AtomicUsize::new(0) })
    }

    pub(crate) async fn stop(self) -> Result<()> {
        self.operator.stop().await?;
        self.emulator.stop().await?;
        self.plane.stop().await
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        meter::usage(self.operator.process.pid())
    }

    /// The calls that the emulator was asked for by what the operator does meanwhile, and until it is quiet.
    pub(crate) async fn calls<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, Calls)> {
        let before = Calls::until_now(&self.emulator).await?;
        let done = work.await?;
        self.quiet().await?;
        Ok((done, Calls::until_now(&self.emulator).await?.since(&before)))
    }

    /// Waits until no call has been made for two seconds.
    pub(crate) async fn quiet(&self) -> Result<()> {
        let mut last = None;
        loop {
            let now = Calls::until_now(&self.emulator).await?.last;
            if last.replace(now) == Some(now) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
    }

    /// Makes the namespace of a set, its accounts, and its parents in the emulator, without certificates. Gives the ids
    /// of the accounts' clients.
    pub(crate) async fn prepare(&self, set: &Set) -> Result<Vec<String>> {
        self.cluster.granting_namespace(&set.namespace).await?;
        let mut clients = Vec::new();
        for account in set.accounts() {
            clients.push(self.account(set, &account).await?);
        }
        for parent in &set.parents {
            let (path, body) = set.kind.parent(parent, &clients);
            self.emulator.control(Method::PUT, &path, Some(&body)).await?;
        }
        Ok(clients)
    }

    /// An account with limits of its own: a client or a user that nobody else is. Gives its id.
    async fn account(&self, set: &Set, name: &str) -> Result<String> {
        let number = self.accounts.fetch_add(1, Ordering::Relaxed);
        let urls = &self.emulator.urls;
        let (id, cloud, secret);
        if set.kind.cloud == Cloud::Huawei {
            id = format!("BENCH{number:015}");
            let user = json!({
                "id": format!("7777777777774777{number:016}"), "actions": ["*"],
                "accessKeys": [{ "access": id, "secret": SECRET }],
            });
            self.emulator.control(Method::PUT, &format!("users/{name}"), Some(&user)).await?;
            secret = json!({ "accessKeyId": id, "secretAccessKey": SECRET });
            cloud = json!({ "huaweiCloud": {
                "auth": { "accessKey": { "secretRef": { "name": name } } },
                "endpoints": {
                    "iotda": urls.iotda_basic, "iotdaInstance": urls.iotda, "iam": urls.iam, "signing": "Derived",
                },
                "caBundle": std::fs::read_to_string(&urls.ca)?,
            } });
        } else {
            id = format!("22222222-2222-4222-9222-{number:012}");
            let client = json!({
                "tenantId": TENANT, "objectId": format!("33333333-3333-4333-9333-{number:012}"),
                "kind": "secret", "secrets": [{ "value": SECRET }],
                "roles": [{ "scope": format!("/subscriptions/{SUBSCRIPTION}"), "actions": ["*"] }],
            });
            self.emulator.control(Method::PUT, &format!("clients/{id}"), Some(&client)).await?;
            secret = json!({ "clientSecret": SECRET });
            let auth = json!({ "clientSecret": {
                "clientId": id, "secretRef": { "name": name, "key": "clientSecret" },
            } });
            cloud = json!({ "azure": emulated_azure(TENANT, &auth, urls)? });
        }
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "stringData": secret,
        });
        self.create(&format!("/api/v1/namespaces/{NAMESPACE}/secrets"), &secret).await?;
        let mut spec = cloud;
        spec["allowedNamespaces"] = json!({ "names": [set.namespace] });
        self.cluster.cluster_account(name, &spec).await?;
        Ok(id)
    }

    /// Puts a set's certificates where they belong, as if somebody had done so before.
    pub(crate) async fn plant(&self, set: &Set) -> Result<()> {
        self.each(0..set.objects.len(), async |it| {
            let name = &set.objects[it].0;
            let pair = self.certificates.of(set.kind.short, name)?;
            let (method, path, body) = set.kind.planted(set.parent_of(it), name, &pair);
            self.emulator.control(method, &path, Some(&body)).await.map(drop)
        })
        .await
    }

    /// Creates the Secrets of some of a set's objects.
    pub(crate) async fn create_secrets(&self, set: &Set, which: Range<usize>) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}/secrets", set.namespace);
        self.each(which, async |it| {
            let name = &set.objects[it].0;
            let pair = self.certificates.of(set.kind.short, name)?;
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "type": "kubernetes.io/tls",
                "stringData": { "tls.crt": pair.certificate, "tls.key": pair.key },
            });
            self.create(&path, &secret).await
        })
        .await
    }

    /// Creates some of a set's objects.
    pub(crate) async fn create_objects(&self, set: &Set, which: Range<usize>, interval: &str) -> Result<()> {
        self.create_objects_with(set, which, interval, &json!({})).await
    }

    /// The same, with further members of the spec.
    pub(crate) async fn create_objects_with(
        &self,
        set: &Set,
        which: Range<usize>,
        interval: &str,
        more: &Value,
    ) -> Result<()> {
        let path = objects(set);
        self.each(which, async |it| {
            let name = &set.objects[it].0;
            let mut manifest = set.kind.manifest(name, set.parent_of(it), interval, &self.emulator.urls)?;
            for (member, value) in more.as_object().into_iter().flatten() {
                manifest["spec"][member] = value.clone();
            }
            self.create(&path, &manifest).await
        })
        .await
    }

    /// Puts another certificate into the Secret of an object.
    pub(crate) async fn change_secret(&self, set: &Set, object: usize, round: usize) -> Result<()> {
        let name = &set.objects[object].0;
        let pair = self.certificates.of(set.kind.short, &format!("{name}-{round}"))?;
        let patch = json!({ "stringData": { "tls.crt": pair.certificate } });
        self.patch(&format!("/api/v1/namespaces/{}/secrets/{name}", set.namespace), &patch).await
    }

    /// Gives every object of a set another resync interval.
    pub(crate) async fn set_interval(&self, set: &Set, interval: &str) -> Result<()> {
        let (path, patch) = (objects(set), json!({ "spec": { "resyncInterval": interval } }));
        self.each(0..set.objects.len(), async |it| {
            self.patch(&format!("{path}/{}", set.objects[it].0), &patch).await
        })
        .await
    }

    /// Deletes an object and waits until it is gone.
    pub(crate) async fn delete(&self, set: &Set, object: usize) -> Result<()> {
        let path = format!("{}/{}", objects(set), set.objects[object].0);
        self.client.request::<Value>(http::Request::delete(&path).body(Vec::new())?).await?;
        loop {
            let look = http::Request::get(&path).body(Vec::new())?;
            match self.client.request::<Value>(look).await {
                Err(kube::Error::Api(status)) if status.code == 404 => return Ok(()),
                other => drop(other?),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// How many objects of a set are ready.
    pub(crate) async fn ready(&self, set: &Set) -> Result<usize> {
        // From the API server's own cache: the measuring should cost little.
        let path = format!("{}?resourceVersion=0", objects(set));
        let listed: Listed = self.client.request(http::Request::get(path).body(Vec::new())?).await?;
        Ok(listed.items.iter().filter(|it| it.is_ready()).count())
    }

    /// Waits until so many objects of a set are ready, looking at these times.
    pub(crate) async fn wait_ready(&self, set: &Set, count: usize, pause: Duration) -> Result<()> {
        let limit = tokio::time::Instant::now() + Duration::from_secs(600);
        loop {
            let ready = self.ready(set).await?;
            if ready >= count {
                return Ok(());
            }
            ensure!(
                tokio::time::Instant::now() < limit,
                "{ready} of {count} objects are ready in {}; the operator's last lines:\n{}",
                set.namespace,
                self.operator.process.last_log_lines(20)
            );
            tokio::time::sleep(pause).await;
        }
    }

    /// Does something for each of those, a few at a time.
    pub(crate) async fn each(
        &self,
        which: Range<usize>,
        work: impl AsyncFn(usize) -> Result<()>,
    ) -> Result<()> {
        stream::iter(which.map(|it| work(it))).buffer_unordered(AT_A_TIME).try_collect().await
    }

    async fn create(&self, path: &str, object: &Value) -> Result<()> {
        let request = http::Request::post(path).header("content-type", "application/json");
        let asked = || format!("creating {object:.200}");
        self.client
            .request::<Value>(request.body(object.to_string().into_bytes())?)
            .await
            .with_context(asked)?;
        Ok(())
    }

    async fn patch(&self, path: &str, patch: &Value) -> Result<()> {
        let request = http::Request::patch(path).header("content-type", "application/merge-patch+json");
        let asked = || format!("changing {path}");
        self.client
            .request::<Value>(request.body(patch.to_string().into_bytes())?)
            .await
            .with_context(asked)?;
        Ok(())
    }
}

/// The program beside ours, of the same build.
pub(crate) fn sibling(name: &str) -> Result<PathBuf> {
    let path = std::env::current_exe()?.with_file_name(name);
    ensure!(path.is_file(), "{} is missing: build the workspace's binaries first", path.display());
    Ok(path)
}

fn objects(set: &Set) -> String {
    format!("/apis/certferry.dev/v1alpha1/namespaces/{}/{}", set.namespace, set.kind.plural)
}

/// What of a list of objects tells whether they are ready.
#[derive(Deserialize)]
struct Listed {
    items: Vec<Object>,
}

#[derive(Deserialize)]
struct Object {
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    conditions: Vec<Condition>,
}

#[derive(Deserialize)]
struct Condition {
    #[serde(rename = "type")]
    kind: String,
    status: String,
}

impl Object {
    fn is_ready(&self) -> bool {
        self.status.conditions.iter().any(|it| it.kind == "Ready" && it.status == "True")
    }
}
