//! The world on disk, so that a restart on the same folder goes on where the last run ended: a real service does
//! not forget either. Written soon after a change and once more at the end; a killed process may lose the last
//! tenth of a second.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::sleep;

use crate::pipeline::Cloud;
use crate::world::World;

const SOON: Duration = Duration::from_millis(50);

pub(crate) struct Store {
    path: PathBuf,
    dirty: Notify,
    /// The last save and one after a burst may meet: they share a file, and the later world has to stay.
    writing: Mutex<()>,
}

impl Store {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { path: dir.join("state.json"), dirty: Notify::new(), writing: Mutex::new(()) }
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

    /// Writes the world as it is when the file's turn has come.
    pub(crate) fn save(&self, world: impl FnOnce() -> World) -> io::Result<()> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        write_private(&self.path, &serde_json::to_vec(&world())?)
    }
}

/// Writes the world after each burst of changes, for ever.
pub(crate) async fn keep(cloud: &Cloud) {
    let Some(store) = &cloud.store else { return };
    loop {
        store.dirty.notified().await;
        sleep(SOON).await;
        if let Err(error) = store.save(|| cloud.state().world.clone()) {
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;

    use super::*;

    #[test]
    fn of_saves_that_meet_the_later_world_stays() -> io::Result<()> {
        let folder = std::env::temp_dir().join(format!("emulator-store-{}", std::process::id()));
        fs::create_dir_all(&folder)?;
        let (store, taken) = (Store::new(&folder), AtomicU64::new(0));
        let world = || World { last_etag: taken.fetch_add(1, Ordering::Relaxed), ..World::default() };
        let saved = thread::scope(|scope| {
            let savers: Vec<_> =
                (0..8).map(|_| scope.spawn(|| (0..50).try_for_each(|_| store.save(world)))).collect();
            savers.into_iter().try_for_each(|it| it.join().expect("no panic"))
        });
        let loaded = store.load();
        fs::remove_dir_all(&folder)?;
        saved?;
        assert_eq!(loaded?.map(|it| it.last_etag), Some(399));
        Ok(())
    }
}
