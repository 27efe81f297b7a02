//! `make demo`: the operator keeps certificates in emulated clouds, on a control plane made for it.
//!
//! `DEMO_ONCE=1` shows that the examples become Ready and exits. `DEMO_CLUSTER=current` uses the cluster of `KUBECONFIG` in
//! place of a control plane of its own. `DEMO_INSTALL=helm` installs a release of the chart, and runs the operator as its
//! Deployment would: with the same arguments, environment and ServiceAccount.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use certferry_rig::control_plane::{self, ControlPlane};
use certferry_rig::emulator::{self, Emulator};
use certferry_rig::installation::{Cluster, NAMESPACE, ca};
use certferry_rig::programs;

/// The namespace that the examples are applied to.
const DEVICES: &str = "devices";

/// The accounts that the examples name.
const AZURE: &str = "azure";
const HUAWEI: &str = "huawei";

/// Folders of examples that are shown, and the kind in each.
const SHOWN: [(&str, &str); 4] = [
    ("iot-hub", "iothubcertificates"),
    ("key-vault", "keyvaultcertificates"),
    ("api-management", "apimanagementcertificates"),
    ("huawei-iotda", "iotdacertificates"),
];

#[tokio::main]
async fn main() -> Result<()> {
    let once = std::env::var_os("DEMO_ONCE").is_some_and(|it| it == "1");
    say("building what is missing: the control plane takes ten minutes the first time");
    let binary = programs::build("certferry", "certferry").await?;
    let (plane, cluster) = cluster().await?;

    say("starting the emulated clouds");
    let emulator = Emulator::start(emulator::Options::default()).await?;
    let by_helm = by_helm()?;
    let operator = if by_helm {
        say("installing the chart by Helm; running the operator as its Deployment would");
        cluster.install_release().await?;
        cluster.deployed_operator(binary).await?
    } else {
        say("installing the chart; running the operator as its ServiceAccount");
        cluster.install().await?;
        cluster.operator(binary, "info", &[]).await?
    };
    cluster.granting_namespace(DEVICES).await?;
    cluster.emulated_account(AZURE, DEVICES, &emulator.urls).await?;
    cluster.emulated_huawei_account(HUAWEI, DEVICES, &emulator.urls, "Basic").await?;
    cluster.tls_secret(DEVICES, "factory-ca", &ca("Factory root")?).await?;
    for (secret, subject) in [
        ("public-web-tls", "www.example.com"),
        ("billing-client-tls", "billing client"),
        ("device-ca", "Device CA"),
        ("meters-ca", "Meters CA"),
    ] {
        cluster.tls_secret(DEVICES, secret, &ca(subject)?).await?;
    }

    let shown = show(&cluster).await;
    if shown.is_ok() && !once {
        println!("\nTry it: export KUBECONFIG={}", kubeconfig(plane.as_ref()).display());
        println!("        kubectl -n {DEVICES} describe certferry");
        println!("        kubectl -n {DEVICES} delete secret factory-ca");
        println!(
            "The emulator's state: {}/state (CA: {})",
            emulator.urls.control,
            emulator.urls.ca.display()
        );
        println!("Ctrl-C ends it.");
        tokio::signal::ctrl_c().await.context("waiting for Ctrl-C")?;
    }
    if let Err(error) = &shown {
        eprintln!("{error:#}\n{}", operator.process.last_log_lines(30));
    }
    let removed = remove(&cluster, plane.is_none(), by_helm).await;
    operator.stop().await?;
    emulator.stop().await?;
    if let Some(plane) = plane {
        plane.stop().await?;
    }
    shown.and(removed)
}

/// The cluster to use; a control plane of our own unless the current one is asked for in so many words.
async fn cluster() -> Result<(Option<ControlPlane>, Cluster)> {
    match std::env::var("DEMO_CLUSTER").as_deref() {
        Ok("current") => {
            let path = std::env::var_os("KUBECONFIG").context("DEMO_CLUSTER=current needs KUBECONFIG")?;
            let cluster = Cluster::with(PathBuf::from(path))?;
            say(&format!("using {}", cluster.kubectl(&["config", "current-context"], None).await?.trim()));
            Ok((None, cluster))
        }
        Ok(other) => bail!("DEMO_CLUSTER must be 'current' or unset, not '{other}'"),
        Err(_) => {
            say("starting a Kubernetes control plane");
            let plane = ControlPlane::start(control_plane::Options::default()).await?;
            let cluster = Cluster::of(&plane)?;
            Ok((Some(plane), cluster))
        }
    }
}

fn by_helm() -> Result<bool> {
    match std::env::var("DEMO_INSTALL").as_deref() {
        Ok("helm") => Ok(true),
        Ok(other) => bail!("DEMO_INSTALL must be 'helm' or unset, not '{other}'"),
        Err(_) => Ok(false),
    }
}

/// Applies the examples and shows them becoming Ready.
async fn show(cluster: &Cluster) -> Result<()> {
    let mut waited = Ok(String::new());
    for (folder, kind) in SHOWN {
        say(&format!("applying examples/{folder}"));
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(folder);
        let path = path.to_string_lossy();
        cluster.kubectl(&["apply", "--namespace", DEVICES, "-f", &path], None).await?;
        let ready =
            ["wait", "--namespace", DEVICES, "--for=condition=Ready", "--timeout=120s", kind, "--all"];
        waited = waited.and(cluster.kubectl(&ready, None).await);
    }
    for kind in ["clustercloudaccounts"].into_iter().chain(SHOWN.map(|(_, kind)| kind)) {
        println!("\n{}", cluster.kubectl(&["get", kind, "--namespace", DEVICES, "-o", "wide"], None).await?);
    }
    let events = ["events", "--namespace", DEVICES];
    println!("{}", cluster.kubectl(&events, None).await?);
    waited.map(drop)
}

/// Deletes what the demo made: the certificates while the accounts still work, and these while the operator may let them go.
async fn remove(cluster: &Cluster, foreign: bool, by_helm: bool) -> Result<()> {
    say("deleting the certificates, in the clouds too");
    for (_, kind) in SHOWN {
        let all = ["delete", kind, "--all", "--namespace", DEVICES, "--timeout=60s"];
        cluster.kubectl(&all, None).await?;
    }
    cluster.kubectl(&["delete", "clustercloudaccount", AZURE, HUAWEI, "--timeout=60s"], None).await?;
    if by_helm {
        cluster.uninstall_release().await?;
    }
    if foreign {
        cluster.kubectl(&["delete", "namespace", DEVICES, NAMESPACE], None).await?;
    }
    Ok(())
}

fn kubeconfig(plane: Option<&ControlPlane>) -> PathBuf {
    plane.map_or_else(
        || std::env::var_os("KUBECONFIG").unwrap_or_default().into(),
        ControlPlane::admin_kubeconfig,
    )
}

fn say(what: &str) {
    println!("==> {what}");
}
