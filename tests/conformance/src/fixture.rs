//! What the suite has to know of a kind: how its objects look in the emulated cloud, and the stories to tell.

use http::Method;
use serde_json::{Value, json};

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
    /// This certificate stands in the resource's place from now on, put there by somebody else.
    Put(Which),
    /// The object that stands for the resource does not count as verified any more.
    Unverify,
    /// It is gone.
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

/// What then stands in the resource's place.
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
    /// The same, beside what was there before the resource and stays.
    HoldsBesideAdopted {
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
    /// How the service behaves where that is not known for certain: merged into the emulator's switches.
    pub switches: Value,
    /// What stands in its place when the resource comes.
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
    /// Whether this object stands in the resource's place: under the wanted name, or where the service gives the names,
    /// among those that hold what the source held at any time.
    fn is_in_place(&self, id: &str, object: &Value) -> bool;
    /// Whether names are given by the user. Then there is room for one object in the resource's place; where the service
    /// gives them there is room for several, and each is somebody's.
    fn has_names(&self) -> bool {
        true
    }
    /// Whether others do something amid its stories.
    fn others_act(&self) -> bool {
        true
    }
    /// Which object in the resource's place stands for it, by its status.
    fn standing(&self, place: &Objects, _status: &Value) -> Option<String> {
        place.keys().next().cloned()
    }
    /// The cloud's part in the account that the resource uses; its keys are in the Secret `emulated`.
    fn access(&self) -> Value {
        azure()
    }
    /// What an object shows.
    fn shown(&self, object: &Value) -> Shown;
    /// Objects of others: beside the wanted one, and under its name elsewhere.
    fn neighbours(&self) -> Vec<Control>;
    /// How the cloud is tampered with, told which object stands for the resource. None where the service knows no such
    /// thing, or where there is nothing to do it to.
    fn tamper(&self, tamper: Tamper, standing: Option<&str>) -> Option<Control>;
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
    /// Calls that waiting for a write of unknown outcome takes, where repeating it is not harmless.
    fn patience(&self) -> usize {
        0
    }
    /// Whether a write between these states did nothing but what has to be done before a removal.
    fn lets_go(&self, _before: &Objects, _after: &Objects) -> bool {
        false
    }
    /// Whether an intent announces that this object is made.
    fn announces(&self, intent: &Value, object: &Value) -> bool;
    /// What the operator says that it would write, where it only looks and this is there.
    fn first_write(&self, held: Option<&Shown>) -> &'static str;
    /// Whether a spec asks for verification.
    fn asks_verification(&self, spec: &Value) -> bool;
    /// Whether what a spec asks of an object beside its certificate holds of this one.
    fn is_as_asked(&self, spec: &Value, object: &Value) -> bool {
        self.shown(object).verified || !self.asks_verification(spec)
    }

    /// What stands in the resource's place.
    fn place(&self, objects: &Objects) -> Objects {
        let there = objects.iter().filter(|it| self.is_in_place(it.0, it.1));
        there.map(|(id, it)| (id.clone(), it.clone())).collect()
    }
}

/// Azure, as the emulator's world has it.
fn azure() -> Value {
    json!({ "azure": {
        "cloud": "Custom",
        "tenantId": "11111111-1111-4111-8111-111111111111",
        "auth": { "clientSecret": {
            "clientId": "22222222-2222-4222-8222-000000000001",
            "secretRef": { "name": "emulated", "key": "clientSecret" },
        } },
        "endpoints": {
            "authority": "https://login.localhost", "resourceManager": "https://arm.localhost",
            "keyVault": "https://{vault}.vault.localhost",
        },
    } })
}

/// The fixture of every kind that there is one for.
pub fn all() -> [&'static dyn Fixture; 4] {
    [
        &crate::iot_hub::IotHub,
        &crate::key_vault::KeyVault,
        &crate::api_management::ApiManagement,
        &crate::iotda::Iotda,
    ]
}

/// Fixtures that tell further stories of their kinds.
pub fn further() -> [&'static dyn Fixture; 1] {
    [&crate::iot_hub::overlap::Overlap]
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
