//! What is known of each object now. It is told afresh at each scrape, so that what is gone leaves no series behind.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Named;
use super::labels::{self, Blocked, ConditionOfObject, OfCondition, OfCredential, OfObject};
use super::registry::Families;
use crate::api::certificate::CertificateStatus;
use crate::api::condition::{self, Condition, ConditionStatus, ConditionType};
use crate::api::reason::Reason;

/// All objects that were told of.
#[derive(Default)]
pub(super) struct Objects(Mutex<HashMap<Named, Known>>);

/// When a credential ends, as far as anybody tells.
pub struct Credential {
    /// Whether something renews it by itself, long before it ends.
    pub temporary: bool,
    /// In seconds since 1970. Asked at each scrape: it may have been renewed.
    pub until: Box<dyn Fn() -> Option<i64> + Send + Sync>,
}

#[derive(Default)]
struct Known {
    expiry: Option<i64>,
    renewal: Option<i64>,
    conditions: Vec<Row>,
    /// What keeps its deletion from going on.
    blocked: Option<Reason>,
    credential: Option<Credential>,
}

/// A condition.
struct Row {
    r#type: ConditionType,
    status: ConditionStatus,
    /// Nothing for a word that is none of ours.
    reason: Option<Reason>,
}

impl Objects {
    /// What the status of an object says.
    pub(super) fn told(&self, of: Named, conditions: &[Condition], certificate: Option<&CertificateStatus>) {
        let expiry = certificate.and_then(|it| it.certificate.as_ref()).map(|it| it.not_after.as_second());
        let renewal = certificate.and_then(|it| it.renewal_time).map(|it| it.as_second());
        let ready = condition::find(conditions, ConditionType::Ready).and_then(labels::reason);
        let mut known = self.lock();
        let before = known.entry(of).or_default();
        *before = Known {
            expiry,
            renewal,
            conditions: conditions.iter().map(Row::of).collect(),
            blocked: ready.filter(|it| matches!(it, Reason::DeletionBlocked | Reason::DeleteBrake)),
            credential: before.credential.take(),
        };
    }

    /// What keeps the deletion of an object from going on.
    pub(super) fn blocked(&self, of: Named, reason: Reason) {
        self.lock().entry(of).or_default().blocked = Some(reason);
    }

    /// When the credential of an account ends.
    pub(super) fn credential(&self, of: Named, credential: Option<Credential>) {
        self.lock().entry(of).or_default().credential = credential;
    }

    /// The object is gone.
    pub(super) fn forget(&self, of: &Named) {
        self.lock().remove(of);
    }

    /// Nothing is known of any object.
    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// Tells all that is known, and nothing that was known before; each object's conditions too, if so asked.
    pub(super) fn tell(&self, families: &Families, each: bool) {
        families.expiries.clear();
        families.renewals.clear();
        families.conditions.clear();
        families.object_conditions.clear();
        families.blocked.clear();
        families.credentials.clear();
        let mut conditions = BTreeMap::<_, i64>::new();
        let mut blocked = BTreeMap::<_, i64>::new();
        for (of, known) in &*self.lock() {
            known.tell(of, families);
            for row in &known.conditions {
                *conditions.entry(row.of_kind(of.kind)).or_default() += 1;
                if each {
                    families.object_conditions.get_or_create(&row.of_object(of)).set(1);
                }
            }
            if let Some(reason) = known.blocked {
                *blocked.entry(Blocked { kind: of.kind, reason: reason.to_string() }).or_default() += 1;
            }
        }
        for (labels, count) in conditions {
            families.conditions.get_or_create(&labels).set(count);
        }
        for (labels, count) in blocked {
            families.blocked.get_or_create(&labels).set(count);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Named, Known>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The times that only this object has.
    fn tell(&self, of: &Named, families: &Families) {
        let Named { kind, namespace, name } = of;
        let labels = || OfObject { namespace: namespace.to_string(), name: name.to_string(), kind };
        if let Some(at) = self.expiry {
            families.expiries.get_or_create(&labels()).set(at);
        }
        if let Some(at) = self.renewal {
            families.renewals.get_or_create(&labels()).set(at);
        }
        if let Some(Credential { temporary, until }) = &self.credential
            && let Some(at) = until()
        {
            let credential = if *temporary { "temporary" } else { "secret" };
            let labels =
                OfCredential { namespace: namespace.to_string(), name: name.to_string(), credential };
            families.credentials.get_or_create(&labels).set(at);
        }
    }
}

impl Row {
    fn of(condition: &Condition) -> Self {
        Self { r#type: condition.type_, status: condition.status, reason: labels::reason(condition) }
    }

    fn of_kind(&self, kind: &'static str) -> OfCondition {
        let [r#type, status, reason] = self.words();
        OfCondition { kind, r#type, status, reason }
    }

    fn words(&self) -> [String; 3] {
        let reason = self.reason.map_or_else(|| "Other".to_owned(), |it| it.to_string());
        [format!("{:?}", self.r#type), format!("{:?}", self.status), reason]
    }

    fn of_object(&self, of: &Named) -> ConditionOfObject {
        let [r#type, status, reason] = self.words();
        let Named { kind, namespace, name } = of;
        ConditionOfObject {
            namespace: namespace.to_string(),
            name: name.to_string(),
            kind,
            r#type,
            status,
            reason,
        }
    }
}
