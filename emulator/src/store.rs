//! The world on disk, so that a restart on the same folder goes on where the last run ended: a real service does
//! not forget either. Written soon after a change and once more at the end; a killed process may lose the last
//! tenth of a second.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::pipeline::Cloud;
use crate::world::World;

const SOON: Duration = Duration::from_millis(50);

pub(crate) struct Store {
    path: PathBuf,
    dirty: Notify,
}

impl Store {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { path: dir.join("state.json"), dirty: Notify::new() }
    }

    /// The world that an earlier run left, if any.
    pub(crate) fn load(&self) -> io::Result<Option<World>> {
        match fs::read(&self.path) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn changed(&self) {
        self.dirty.notify_one();
    }

    pub(crate) fn save(&self, world: &World) -> io::Result<()> {
        write_private(&self.path, &serde_json::to_vec(world)?)
    }
}

/// Writes the world after each burst of changes, for ever.
pub(crate) async fn keep(cloud: &Cloud) {
    let Some(store) = &cloud.store else { return };
    loop {
        store.dirty.notified().await;
        sleep(SOON).await;
        let world = cloud.state().world.clone();
        if let Err(error) = store.save(&world) {
            tracing::error!(%error, "the state could not be written");
        }
    }
}

/// Replaces a file as a whole; only its owner may read it, as it holds the emulated secrets.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    drop(file);
    fs::rename(&fresh, path)
}
