//! Which namespaces the operator of most tests serves: all of them, or with `E2E_NAMESPACES=named` those that it is named
//! at its start.

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Result, bail, ensure};
use certferry_rig::installation::{self, Cluster};

/// More than there are tests.
const NAMED: usize = 200;

/// Whether it was named its namespaces.
pub fn is_named() -> Result<bool> {
    match std::env::var_os("E2E_NAMESPACES") {
        None => Ok(false),
        Some(it) if it == "named" => Ok(true),
        Some(it) => bail!("E2E_NAMESPACES may be `named`, not {it:?}"),
    }
}

/// Installs the chart with these values, and with those namespaces.
pub async fn install(cluster: &Cluster, values: &[&str]) -> Result<()> {
    if !is_named()? {
        return cluster.install_with(values).await;
    }
    let names: Vec<_> = (0..NAMED).map(numbered).collect();
    let manifests: Vec<_> = names.iter().map(|it| installation::namespace(it)).collect();
    cluster.apply("default", &manifests.join("\n---\n")).await?;
    let named = format!("watchNamespaces={{{}}}", names.join(","));
    cluster.install_with(&[values, &[&named]].concat()).await
}

/// The namespace of a test: named after it, or the next of those that the operator was named.
pub fn namespace(test: &str) -> Result<String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    if !is_named()? {
        return Ok(format!("e2e-{test}"));
    }
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    ensure!(number < NAMED, "there are more tests than namespaces: raise `NAMED`");
    Ok(numbered(number))
}

fn numbered(number: usize) -> String {
    format!("e2e-{number}")
}
