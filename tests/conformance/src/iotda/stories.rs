//! The stories of IotdaCertificate.

use serde_json::{Value, json};

use super::TEMPLATE;
use crate::fixture::{Act, End, Remote, Scenario, Tamper, Which};

/// All of them.
pub(super) fn all() -> Vec<Scenario> {
    let plain = Scenario {
        name: "upload",
        spec: json!({}),
        switches: json!({}),
        before: None,
        first: None,
        then: vec![],
        end: End::Ready("Ready"),
        remote: holds(Which::First, false),
        calls: 4,
        slow: false,
    };
    let mut all = coming(&plain);
    all.extend(changing(&plain));
    all.extend(leaving(&plain));
    all
}

fn holds(which: Which, verified: bool) -> Remote {
    Remote::Holds { which, verified }
}

fn proof() -> Value {
    json!({ "verification": { "proofOfPossession": {} } })
}

/// With a deletion policy the finalizer stays where it is: nothing is left to do after the last read.
fn proof_and_deletion() -> Value {
    json!({ "verification": { "proofOfPossession": {} }, "deletionPolicy": "Delete" })
}

/// A template that has to be unbound before the service deletes what it is bound to.
fn templated() -> Value {
    json!({
        "verification": { "proofOfPossession": {} },
        "provisioning": { "enabled": true, "templateId": TEMPLATE },
    })
}

fn bound() -> Value {
    json!({ "iotda": { "deleteWhileBound": "refused" } })
}

/// The resource comes.
fn coming(plain: &Scenario) -> Vec<Scenario> {
    use Which::First;
    vec![
        plain.clone(),
        Scenario {
            name: "upload-verified",
            spec: proof(),
            remote: holds(First, true),
            calls: 5,
            slow: true,
            ..plain.clone()
        },
        Scenario {
            name: "upload-templated",
            spec: templated(),
            remote: holds(First, true),
            calls: 8,
            slow: true,
            ..plain.clone()
        },
        Scenario {
            // The instance holds it in another resource space.
            name: "twin-elsewhere",
            switches: json!({ "iotda": { "duplicate": "refused014303" } }),
            end: End::Stuck("UploadRefused", "holds it already"),
            remote: Remote::Absent,
            calls: 3,
            slow: true,
            ..plain.clone()
        },
        Scenario {
            name: "upload-without-single-read",
            switches: json!({ "iotda": { "readOne": "notPublished", "lastMarker": "absent" } }),
            calls: 4,
            slow: true,
            ..plain.clone()
        },
        Scenario {
            name: "adopt-identical",
            before: Some(First),
            remote: Remote::Untouched,
            calls: 2,
            ..plain.clone()
        },
        Scenario {
            name: "adopt-and-verify",
            spec: proof_and_deletion(),
            before: Some(First),
            remote: holds(First, true),
            calls: 5,
            slow: true,
            ..plain.clone()
        },
        Scenario {
            name: "refuse-identical",
            spec: json!({ "adoptionPolicy": "Never" }),
            before: Some(First),
            end: End::Stuck("NotOwned", "did not upload it"),
            remote: Remote::Untouched,
            calls: 2,
            ..plain.clone()
        },
        Scenario {
            name: "observe",
            spec: json!({ "managementPolicy": "Observe" }),
            before: Some(First),
            end: End::Ready("Observed"),
            remote: Remote::Untouched,
            calls: 2,
            slow: true,
            ..plain.clone()
        },
        Scenario {
            name: "observe-drift",
            spec: json!({ "managementPolicy": "Observe" }),
            end: End::Stuck("DriftDetected", "Upload"),
            remote: Remote::Untouched,
            calls: 1,
            ..plain.clone()
        },
    ]
}

/// The source, the spec or the service changes.
fn changing(plain: &Scenario) -> Vec<Scenario> {
    use Which::{First, Second};
    let settled = Scenario { first: Some(End::Ready("Ready")), ..plain.clone() };
    let verified = Scenario { spec: proof(), remote: holds(First, true), ..settled.clone() };
    let rotated = vec![Act::Rotate(Second)];
    let mut graceful = proof();
    graceful["rotation"] = json!({ "gracePeriod": "12m" });
    vec![
        Scenario {
            name: "replace-after-rotation",
            then: rotated.clone(),
            remote: holds(Second, false),
            calls: 12,
            slow: true,
            ..settled.clone()
        },
        Scenario {
            name: "replace-verified",
            then: rotated.clone(),
            remote: holds(Second, true),
            calls: 13,
            slow: true,
            ..verified.clone()
        },
        Scenario {
            name: "replace-with-grace",
            spec: graceful,
            then: rotated.clone(),
            remote: holds(Second, true),
            calls: 15,
            slow: true,
            ..verified.clone()
        },
        Scenario {
            name: "replace-beside-adopted",
            before: Some(First),
            then: rotated.clone(),
            remote: Remote::HoldsBesideAdopted { which: Second, verified: false },
            slow: true,
            calls: 7,
            ..settled.clone()
        },
        Scenario {
            name: "replace-adopted",
            // Unless it says so, what was adopted stays.
            spec: json!({ "deletionPolicy": "Delete" }),
            before: Some(First),
            then: rotated.clone(),
            remote: holds(Second, false),
            slow: true,
            calls: 12,
            ..settled.clone()
        },
        Scenario {
            name: "repair-verified",
            then: vec![Act::Tamper(Tamper::Unverify)],
            calls: 4,
            slow: true,
            ..verified
        },
        Scenario {
            name: "repair-deleted",
            then: vec![Act::Tamper(Tamper::Remove)],
            calls: 7,
            ..settled.clone()
        },
        Scenario {
            name: "replace-templated",
            spec: templated(),
            switches: bound(),
            then: rotated.clone(),
            remote: holds(Second, true),
            calls: 20,
            slow: true,
            ..settled.clone()
        },
        Scenario {
            // What is uploaded in an adopted one's stead is the operator's own.
            name: "repair-adopted",
            before: Some(First),
            then: vec![Act::Tamper(Tamper::Remove)],
            calls: 7,
            ..settled.clone()
        },
        Scenario {
            name: "verify-later",
            then: vec![Act::Spec(proof())],
            remote: holds(First, true),
            slow: true,
            calls: 3,
            ..settled
        },
    ]
}

/// The resource goes.
fn leaving(plain: &Scenario) -> Vec<Scenario> {
    let gone = Scenario {
        first: Some(End::Ready("Ready")),
        then: vec![Act::Delete],
        end: End::Gone,
        remote: Remote::Untouched,
        calls: 0,
        ..plain.clone()
    };
    vec![
        Scenario { name: "delete-created", remote: Remote::Absent, calls: 3, ..gone.clone() },
        Scenario {
            name: "delete-templated",
            spec: templated(),
            switches: bound(),
            remote: Remote::Absent,
            calls: 5,
            slow: true,
            ..gone.clone()
        },
        Scenario { name: "delete-retained", spec: json!({ "deletionPolicy": "Retain" }), ..gone.clone() },
        Scenario { name: "delete-adopted", before: Some(Which::First), ..gone },
    ]
}
