//! The Lua scripts of `argocd/`, run as Argo CD runs those that stand in `argocd-cm`; and what kstatus, by which Flux
//! and others go, says of the same objects.

mod kstatus;
mod lua;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

pub use kstatus::{Kstatus, expected, kstatus};
pub use lua::{Health, Status, act, discover, health};

/// The group's folder, laid out as Argo CD lays out its own.
pub fn customizations() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../argocd/resource_customizations/certferry.dev")
}

/// A file of that folder.
pub fn read(path: impl AsRef<Path>) -> Result<String> {
    let path = customizations().join(path);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

/// The script that gives the health of every kind.
pub fn health_script() -> Result<String> {
    read("_/health.lua")
}
