//! The accounts as they were last read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::source::ObjectKey;
use crate::source::account::Account;

/// The accounts as they were last read.
#[derive(Default)]
pub struct Accounts(Mutex<HashMap<ObjectKey, Arc<Account>>>);

impl Accounts {
    /// Remembers an account until it is gone.
    pub fn keep(&self, key: ObjectKey, account: Account) -> Arc<Account> {
        let account = Arc::new(account);
        self.lock().insert(key, account.clone());
        account
    }

    /// The account as it was last read.
    pub fn last(&self, key: &ObjectKey) -> Option<Arc<Account>> {
        self.lock().get(key).cloned()
    }

    /// Forgets an account that is gone.
    pub fn forget(&self, key: &ObjectKey) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectKey, Arc<Account>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
