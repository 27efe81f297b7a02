//! One session per account, remade when anything that it was made from changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest;
use tokio::time::Instant;

use crate::engine::error::CloudError;
use crate::source::account::AccountId;

/// A session that nobody asked for so long is dropped: longer than any backoff of a sign-in, shorter than a leak.
pub(super) const UNUSED: Duration = Duration::from_secs(2 * 3600);

/// The sessions of all accounts of one kind of cloud.
pub(super) struct Sessions<S>(Mutex<HashMap<String, Entry<S>>>);

struct Entry<S> {
    /// Over everything that the session was made from; a hash, so that the map holds no second copy of the secret.
    made_from: [u8; 32],
    session: Arc<S>,
    used: Instant,
}

impl<S> Sessions<S> {
    /// No sessions yet.
    pub(super) fn new() -> Self {
        Self(Mutex::default())
    }

    /// The account's session: the one before, or a new one if it is now made from something else. `make` must not panic.
    pub(super) fn of(
        &self,
        id: &AccountId,
        made_from: [u8; 32],
        make: impl FnOnce() -> Result<S, CloudError>,
    ) -> Result<Arc<S>, CloudError> {
        let now = Instant::now();
        let mut sessions = self.lock();
        if let Some(entry) = sessions.get_mut(&id.uid)
            && entry.made_from == made_from
        {
            entry.used = now;
            return Ok(entry.session.clone());
        }
        sessions.remove(&id.uid); // a changed account must not go on with its old secret
        sessions.retain(|_, entry| now.saturating_duration_since(entry.used) < UNUSED);
        let session = Arc::new(make()?);
        sessions.insert(id.uid.clone(), Entry { made_from, session: session.clone(), used: now });
        Ok(session)
    }

    /// Drops the session of an account that is gone.
    pub(super) fn forget(&self, id: &AccountId) {
        self.lock().remove(&id.uid);
    }

    /// How many accounts have one.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Entry<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hash over texts, each with its length before it.
pub(super) fn hash_of(parts: &[&str]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&part.len().to_be_bytes());
        context.update(part.as_bytes());
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref()); // SHA-256 gives 32 bytes
    hash
}
