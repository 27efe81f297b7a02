//! A temporary folder of mode 0700 that is gone at the end, also at the end of a process that is killed.

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::last_will::LastWill;

/// Keys and data of one plane, emulator or operator. Dropped, it is removed.
pub struct Folder {
    _last_will: LastWill, // first, so that it never removes a folder that is ours no longer
    folder: TempDir,
}

impl Folder {
    pub fn new(name: &str) -> Result<Self> {
        // tempfile makes it with mode 0700.
        let folder = tempfile::Builder::new().prefix(&format!("certferry-{name}-")).tempdir();
        let folder = folder.context("making a temporary folder")?;
        // The servers, which end with us too, may write until they have.
        let last_will = LastWill::new("sleep 1; rm -rf -- \"$1\"", folder.path())?;
        Ok(Self { _last_will: last_will, folder })
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}
