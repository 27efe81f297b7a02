//! What people are shown of a provider, beside what the engine goes by: the wish beside what stands there, what follows
//! a call, what a role has to hold, and how what nobody declares yet is declared.

use std::fmt::Display;
use std::future::Future;

use serde::Serialize;
use serde_json::Value;

use super::error::CloudError;
use super::{Provider, deletion};
use crate::api::certificate::CertificateResource;

/// A provider that can explain itself.
pub trait Explained: Provider {
    /// The permissions that the account's identity needs for what the resource asks for. Pure.
    fn permissions(root: &Self::Root) -> Vec<&'static str>;

    /// Which of these the identity lacks at what the resource is for.
    fn lacking(&self, _needed: &[&'static str]) -> impl Future<Output = Result<Lacking, CloudError>> + Send {
        std::future::ready(Ok(Lacking::Untold("the service does not tell")))
    }

    /// The wish beside what was observed. Pure.
    fn compared(desired: &Self::Desired, observed: &Self::Observed) -> Vec<Row>;

    /// The names of the calls that follow a step if the service answers as expected. Pure.
    fn follows(desired: &Self::Desired, step: &Self::Step) -> Vec<&'static str>;

    /// How the parent (hub, service, vault, instance) is written where it is named by hand.
    const PARENT: &'static str;

    /// The part of a spec that points at the parent of that name; `None` if it is not written so. Pure.
    fn parent(text: &str) -> Option<Value>;

    /// The part of a spec that says where the certificate comes from, with that Secret. Pure.
    fn source(secret: &str) -> Value;

    /// The certificates that the parent holds: all, or the one of that name or id.
    fn stock(&self, only: Option<&str>) -> impl Future<Output = Result<Vec<Stocked>, CloudError>> + Send;
}

/// Which permissions an identity lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// These.
    These(Vec<&'static str>),
    /// It cannot be told, for this reason.
    Untold(&'static str),
}

/// Whether the operator may delete what the resource is for, when the resource is deleted.
pub fn may_remove<R: CertificateResource>(root: &R) -> bool {
    root.common().may_write() && deletion::deletes(root)
}

/// Those permissions that are needed.
pub fn needed<const N: usize>(table: [(&'static str, bool); N]) -> Vec<&'static str> {
    table.into_iter().filter(|(_, is_needed)| *is_needed).map(|(permission, _)| permission).collect()
}

/// One thing that is wanted, beside how it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// What.
    pub what: String,
    /// How it is wanted; `None` where nothing is asked for.
    pub wanted: Option<String>,
    /// How it is; `None` where there is nothing.
    pub found: Option<String>,
    /// Whether the two are not the same.
    pub differs: bool,
}

impl Row {
    /// Something that is wanted in this way.
    pub fn new(what: impl Into<String>, wanted: impl Display, found: Option<impl Display>) -> Self {
        let (wanted, found) = (wanted.to_string(), found.map(|it| it.to_string()));
        let differs = found.as_ref() != Some(&wanted);
        Self { what: what.into(), wanted: Some(wanted), found, differs }
    }

    /// Something that is told and may be as it likes.
    pub fn told(what: impl Into<String>, found: impl Display) -> Self {
        Self { what: what.into(), wanted: None, found: Some(found.to_string()), differs: false }
    }

    /// Something that is as it is written in the spec, or not.
    pub fn by_spec(what: impl Into<String>, differs: bool) -> Self {
        let found = if differs { "otherwise" } else { "so" };
        let (wanted, found) = (Some("as in the spec".to_owned()), Some(found.to_owned()));
        Self { what: what.into(), wanted, found, differs }
    }
}

/// A certificate that a parent holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stocked {
    /// Its name or id there.
    pub name: String,
    /// What a manifest is to be named by, where the name there is only an id.
    pub label: Option<String>,
    /// The part of a spec that says which certificate of the parent it is, and how it stands there; what it has of a
    /// source takes the place of that to be filled in.
    pub spec: Value,
    /// What tells it from others, in words.
    pub told: Vec<String>,
}

impl Stocked {
    /// Whether it is the one that is asked for, if one is.
    pub fn is(&self, only: Option<&str>) -> bool {
        only.is_none_or(|it| it.eq_ignore_ascii_case(&self.name))
    }
}
