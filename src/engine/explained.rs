//! What people are shown of a provider, beside what the engine goes by: the wish beside what stands there, what follows
//! a call, and what a role has to hold.

use std::fmt::Display;

use serde::Serialize;

use super::Provider;

/// A provider that can explain itself.
pub trait Explained: Provider {
    /// The permissions that the account's identity needs for everything that a resource may ask for.
    const PERMISSIONS: &'static [&'static str];

    /// The wish beside what was observed. Pure.
    fn compared(desired: &Self::Desired, observed: &Self::Observed) -> Vec<Row>;

    /// The names of the calls that follow a step if the service answers as expected. Pure.
    fn follows(desired: &Self::Desired, step: &Self::Step) -> Vec<&'static str>;
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
