//! What the suite has to know of a kind: how its objects look in the emulated cloud, and the stories to tell.

use http::Method;
use serde_json::Value;

use crate::material::{Pair, pairs};
use crate::wire::{Look, Objects};

/// What an object of the cloud shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The certificate.
    pub thumbprint: String,
    /// Whether it counts as verified.
    pub verified: bool,
}

/// A change of the cloud behind the operator's back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tamper {
    /// This certificate stands under the wanted name from now on.
    Put(Which),
    /// The object under the wanted name does not count as verified any more.
    Unverify,
    /// There is nothing under the wanted name any more.
    Remove,
}

/// One of the suite's certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// What the source holds at first.
    First,
    /// What the source holds after its rotation.
    Second,
    /// Somebody else's.
    Foreign,
}

impl Which {
    /// The certificate and its key.
    pub fn pair(self) -> &'static Pair {
        match self {
            Self::First => &pairs()[0],
            Self::Second => &pairs()[1],
            Self::Foreign => &pairs()[2],
        }
    }
}

/// A call of the emulator's control.
pub struct Control {
    /// The method.
    pub method: Method,
    /// The path after `/_emulator/`.
    pub path: String,
    /// The body.
    pub body: Value,
}

/// What happens to a resource, to its source or to its remote object.
#[derive(Clone, Debug, PartialEq)]
pub enum Act {
    /// The source gets another certificate.
    Rotate(Which),
    /// Somebody changes the cloud.
    Tamper(Tamper),
    /// The user deletes the resource.
    Delete,
    /// The user changes the spec, by merge patch.
    Spec(Value),
}

/// What a story has come to when it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// The condition Ready is True, for this reason.
    Ready(&'static str),
    /// It is not, for this reason, with a message that has this in it, and will not be.
    Stuck(&'static str, &'static str),
    /// The resource is gone.
    Gone,
}

/// What then stands under the wanted name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remote {
    /// Nothing.
    Absent,
    /// This certificate.
    Holds {
        /// Which one.
        which: Which,
        /// Whether it must count as verified.
        verified: bool,
    },
    /// What stood there before the faults began, to the byte, and the operator tried no write.
    Untouched,
}

/// A story: what there is, what happens undisturbed, what happens next under faults, and the end.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// Merged into the spec of the kind's plain resource.
    pub spec: Value,
    /// What stands under the wanted name when the resource comes.
    pub before: Option<Which>,
    /// What the resource comes to before the faults begin, where that is part of the story.
    pub first: Option<End>,
    /// What happens then.
    pub then: Vec<Act>,
    /// What the resource comes to, in spite of faults.
    pub end: End,
    /// What then stands in the cloud.
    pub remote: Remote,
    /// Calls to the cloud of a run without faults, after a start of the operator, until the end is reached. It may only
    /// be raised with a reason.
    pub calls: usize,
    /// Whether a run takes so long that only the most telling faults are tried.
    pub slow: bool,
}

/// A kind as the suite sees it.
pub trait Fixture: Sync {
    /// The kind.
    fn kind(&self) -> &'static str;
    /// Its plural.
    fn plural(&self) -> &'static str;
    /// The spec of its plain resource: not verified, in-place, enforced, from a Secret named `source`.
    fn spec(&self) -> Value;
    /// How the cloud is looked at.
    fn look(&self) -> Look;
    /// The id under which the looks show what the resource is for.
    fn target(&self) -> &'static str;
    /// What an object shows.
    fn shown(&self, object: &Value) -> Shown;
    /// Objects of others: beside the wanted one, and under its name elsewhere.
    fn neighbours(&self) -> Vec<Control>;
    /// How the cloud is tampered with. None where the service knows no such thing.
    fn tamper(&self, tamper: Tamper) -> Option<Control>;
    /// The stories.
    fn scenarios(&self) -> Vec<Scenario>;
    /// Specs that may be merged over each other in any order; of verification, whether it is asked.
    fn variants(&self) -> Vec<Value>;
    /// Whether an object shows that it was there before the resource.
    fn is_adopted(&self, _: &Value) -> bool {
        false
    }
    /// Whether a write can be made to fail where the object is not as it was read.
    fn has_preconditions(&self) -> bool;
    /// Whether an intent announces that this object is made.
    fn announces(&self, intent: &Value, object: &Value) -> bool;
    /// What the operator says that it would write, where it only looks and this is there.
    fn first_write(&self, held: Option<&Shown>) -> &'static str;
    /// Whether a spec asks for verification.
    fn asks_verification(&self, spec: &Value) -> bool;

    /// What stands under the wanted name.
    fn held(&self, objects: &Objects) -> Option<Shown> {
        objects.get(self.target()).map(|it| self.shown(it))
    }
}

/// The fixture of every kind that there is one for.
pub fn all() -> [&'static dyn Fixture; 3] {
    [&crate::iot_hub::IotHub, &crate::key_vault::KeyVault, &crate::api_management::ApiManagement]
}

/// The fixture of a kind. A kind without one fails the suite.
pub fn of(kind: &str) -> &'static dyn Fixture {
    let found = all().into_iter().find(|it| it.kind() == kind);
    assert!(
        found.is_some(),
        "the registered kind {kind} has no fixture: write one beside those in `fixture::all`"
    );
    found.unwrap_or(all()[0])
}
