//! What series are told apart by. Every label but an object's own name and namespace has few values: literals of the
//! operator, words of its API, and HTTP's methods and status codes.

use prometheus_client::encoding::EncodeLabelSet;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use crate::api::condition::Condition;
use crate::api::reason::Reason;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Build {
    pub(super) version: &'static str,
    pub(super) commit: &'static str,
    pub(super) tls: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Controller {
    pub(super) controller: &'static str,
}

/// A controller's queue has its name; dashboards of controller-runtime go by either label.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Queue {
    pub(super) name: &'static str,
    pub(super) controller: &'static str,
}

impl Queue {
    pub(super) fn of(controller: &'static str) -> Self {
        Self { name: controller, controller }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Reconcile {
    pub(super) controller: &'static str,
    pub(super) result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Operation {
    pub(super) provider: &'static str,
    pub(super) operation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Request {
    pub(super) provider: &'static str,
    pub(super) operation: &'static str,
    pub(super) code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Token {
    pub(super) provider: &'static str,
    pub(super) result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfKind {
    pub(super) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Drift {
    pub(super) kind: &'static str,
    pub(super) corrected: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ApiServer {
    pub(super) method: String,
    pub(super) code: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfObject {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct OfCredential {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) credential: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct OfCondition {
    pub(super) kind: &'static str,
    pub(super) r#type: String,
    pub(super) status: String,
    pub(super) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ConditionOfObject {
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) kind: &'static str,
    pub(super) r#type: String,
    pub(super) status: String,
    pub(super) reason: String,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, EncodeLabelSet)]
pub(super) struct Blocked {
    pub(super) kind: &'static str,
    pub(super) reason: String,
}

/// The status of an answer. A server may send any number; those that HTTP knows no class of are one.
pub(super) fn code(status: u16) -> String {
    if (100..600).contains(&status) { status.to_string() } else { "other".to_owned() }
}

/// The condition's reason; nothing for the word of another version, or of somebody else.
pub(super) fn reason(condition: &Condition) -> Option<Reason> {
    let text: StrDeserializer<'_, Error> = condition.reason.as_str().into_deserializer();
    Reason::deserialize(text).ok()
}
