//! IotHubCertificate whose successor stands beside its predecessor. The resource's place is then several names: that of
//! the spec, and the same with the beginning of a fingerprint. What is asked is what is asked where the service gives
//! the ids; above all, that no certificate goes before another one serves in its stead.

use serde_json::{Value, json};

use super::{IotHub, look};
use crate::fixture::{Act, Control, End, Fixture, Remote, Scenario, Shown, Tamper, Which};
use crate::material::sha256_of;
use crate::wire::{Look, Objects};

/// The fixture. It only tells stories: in its names others would have nothing to do but to replace.
pub struct Overlap;

/// The key of a certificate in what is looked at, by the name that the operator gives it.
fn beside(which: Which) -> String {
    let sha256 = sha256_of(&which.pair().certificate);
    format!("hub-1/device-ca-{}", sha256.get(..8).unwrap_or_default())
}

impl Fixture for Overlap {
    fn kind(&self) -> &'static str {
        IotHub.kind()
    }

    fn plural(&self) -> &'static str {
        IotHub.plural()
    }

    fn spec(&self) -> Value {
        let mut spec = IotHub.spec();
        spec["rotation"] = json!({ "strategy": "Overlap", "gracePeriod": "0s" });
        spec
    }

    fn look(&self) -> Look {
        look
    }

    fn is_in_place(&self, id: &str, object: &Value) -> bool {
        let names = [Which::First, Which::Second].map(beside);
        IotHub.is_in_place(id, object) || names.iter().any(|it| it == id)
    }

    fn has_names(&self) -> bool {
        false
    }

    fn others_act(&self) -> bool {
        false
    }

    fn standing(&self, place: &Objects, status: &Value) -> Option<String> {
        let id = format!("hub-1/{}", status["remote"]["id"].as_str()?.rsplit('/').next()?);
        place.contains_key(&id).then_some(id)
    }

    fn shown(&self, object: &Value) -> Shown {
        IotHub.shown(object)
    }

    fn neighbours(&self) -> Vec<Control> {
        IotHub.neighbours()
    }

    fn tamper(&self, tamper: Tamper, standing: Option<&str>) -> Option<Control> {
        IotHub.tamper(tamper, standing)
    }

    /// No call of the operator's has changed it.
    fn is_adopted(&self, object: &Value) -> bool {
        object["writes"] == 0
    }

    fn has_preconditions(&self) -> bool {
        true
    }

    fn patience(&self) -> usize {
        8
    }

    fn announces(&self, intent: &Value, object: &Value) -> bool {
        IotHub.announces(intent, object)
    }

    fn first_write(&self, held: Option<&Shown>) -> &'static str {
        IotHub.first_write(held)
    }

    fn asks_verification(&self, spec: &Value) -> bool {
        IotHub.asks_verification(spec)
    }

    fn variants(&self) -> Vec<Value> {
        Vec::new()
    }

    fn scenarios(&self) -> Vec<Scenario> {
        use Which::{First, Second};
        let verified = json!({ "verification": { "proofOfPossession": {} } });
        let mut graceful = verified.clone();
        graceful["rotation"] = json!({ "gracePeriod": "12m" });
        let plain = Scenario {
            name: "overlap",
            spec: json!({}),
            switches: json!({}),
            before: None,
            first: Some(End::Ready("Ready")),
            then: vec![Act::Rotate(Second)],
            end: End::Ready("Ready"),
            remote: Remote::Holds { which: Second, verified: false },
            calls: 12,
            slow: false,
        };
        let proven = Remote::Holds { which: Second, verified: true };
        vec![
            plain.clone(),
            Scenario {
                name: "overlap-verified",
                spec: verified.clone(),
                remote: proven,
                calls: 16,
                ..plain.clone()
            },
            Scenario {
                name: "overlap-with-grace",
                spec: graceful,
                remote: proven,
                calls: 18,
                slow: true,
                ..plain.clone()
            },
            Scenario {
                name: "overlap-adopted",
                before: Some(First),
                remote: Remote::HoldsBesideAdopted { which: Second, verified: false },
                calls: 7,
                ..plain.clone()
            },
            Scenario {
                // Only where the spec says so.
                name: "overlap-adopted-deleted",
                spec: json!({ "deletionPolicy": "Delete" }),
                before: Some(First),
                slow: true,
                ..plain.clone()
            },
            Scenario {
                name: "overlap-delete",
                spec: verified,
                then: vec![Act::Rotate(Second), Act::Delete],
                end: End::Gone,
                remote: Remote::Absent,
                calls: 4,
                slow: true,
                ..plain
            },
        ]
    }
}
