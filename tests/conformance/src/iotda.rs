//! IotdaCertificate. The service gives the ids and content cannot be changed, so the resource's place is all of its
//! resource space that holds what the source held at any time: its own and, named so, what others put there by hand.
//! The emulated service takes the same certificate twice, so that it hides no upload too many.

use std::future::Future;
use std::pin::Pin;

use http::Method;
use serde_json::{Value, json};

use crate::fixture::{Control, Fixture, Scenario, Shown, Tamper, Which};
use crate::material::{pairs, sha256_of, thumbprint_of};
use crate::wire::{Cloud, Look, Objects};

mod stories;

const INSTANCES: [&str; 2] = ["iotda-1", "iotda-2"];
/// The resource space of the resource.
const SPACE: &str = "iotda-1/app-1/";
/// Marks what others put there.
const BY_HAND: &str = "by-hand";
const TEMPLATE: &str = "61c970ce2d63eb6ee655dbf0";

/// The fixture.
pub struct Iotda;

fn look(cloud: &Cloud) -> Pin<Box<dyn Future<Output = Objects> + Send + '_>> {
    Box::pin(async move {
        let mut objects = Objects::new();
        for instance in INSTANCES {
            let path = format!("instances/{instance}/certificates");
            let shown = cloud.control(Method::GET, &path, &Value::Null).await;
            for mut certificate in shown.as_array().cloned().unwrap_or_default() {
                let text = |member: &str| certificate[member].as_str().unwrap_or_default();
                let id = format!("{instance}/{}/{}", text("appId"), text("id"));
                let (thumbprint, sha256) = (thumbprint_of(text("content")), sha256_of(text("content")));
                certificate["thumbprint"] = json!(thumbprint);
                certificate["sha256"] = json!(sha256);
                if let Some(members) = certificate.as_object_mut() {
                    members.remove("content");
                }
                objects.insert(id, certificate);
            }
        }
        objects
    })
}

fn plant(instance: &str, app: &str, which: &str) -> Control {
    Control {
        method: Method::POST,
        path: format!("instances/{instance}/certificates"),
        body: json!({ "content": which, "appId": app, "name": BY_HAND }),
    }
}

/// A call for one certificate of the resource's space.
fn single(method: Method, key: &str, body: Value) -> Control {
    let id = key.trim_start_matches(SPACE);
    Control { method, path: format!("instances/iotda-1/certificates/{id}"), body }
}

impl Fixture for Iotda {
    fn kind(&self) -> &'static str {
        "IotdaCertificate"
    }

    fn plural(&self) -> &'static str {
        "iotdacertificates"
    }

    fn spec(&self) -> Value {
        json!({
            "accountRef": { "kind": "ClusterCloudAccount", "name": "emulated" },
            "iotda": {
                "region": "cn-north-4", "projectId": "0123456789abcdef0123456789abcdef",
                "host": "iotda-1.iotda.localhost",
            },
            "appId": "app-1",
            "resyncInterval": "5m",
            "source": { "secretRef": { "name": "source" } },
            "rotation": { "gracePeriod": "0s" },
        })
    }

    fn look(&self) -> Look {
        look
    }

    fn is_in_place(&self, id: &str, object: &Value) -> bool {
        let thumbprint = self.shown(object).thumbprint;
        let is = |which: Which| which.pair().thumbprint == thumbprint;
        id.starts_with(SPACE) && (is(Which::First) || is(Which::Second))
    }

    fn has_names(&self) -> bool {
        false
    }

    fn standing(&self, place: &Objects, status: &Value) -> Option<String> {
        let id = format!("{SPACE}{}", status["remote"]["id"].as_str()?);
        place.contains_key(&id).then_some(id)
    }

    fn access(&self) -> Value {
        json!({ "huaweiCloud": {
            "auth": { "accessKey": { "secretRef": { "name": "emulated" } } },
            "endpoints": {
                "iotda": "https://iotda.localhost", "iotdaInstance": "https://{instance}.iotda.localhost",
                "iam": "https://iam.localhost", "signing": "Derived",
            },
        } })
    }

    fn shown(&self, object: &Value) -> Shown {
        Shown {
            thumbprint: object["thumbprint"].as_str().unwrap_or_default().to_owned(),
            verified: object["status"] == true,
        }
    }

    fn neighbours(&self) -> Vec<Control> {
        let switches = json!({ "iotda": { "duplicate": "secondObject" } });
        vec![
            Control { method: Method::PATCH, path: "switches".to_owned(), body: switches },
            plant("iotda-1", "app-1", &pairs()[3].certificate),
            // The wanted certificate in another resource space, and in another instance.
            plant("iotda-1", "app-2", &pairs()[0].certificate),
            plant("iotda-2", "app-3", &pairs()[0].certificate),
        ]
    }

    /// Nobody can put another certificate in the place of one that is there.
    fn tamper(&self, tamper: Tamper, standing: Option<&str>) -> Option<Control> {
        match tamper {
            Tamper::Put(Which::Foreign) => None,
            Tamper::Put(which) => Some(plant("iotda-1", "app-1", &which.pair().certificate)),
            Tamper::Unverify => standing.map(|it| single(Method::PATCH, it, json!({ "status": false }))),
            Tamper::Remove => standing.map(|it| single(Method::DELETE, it, Value::Null)),
        }
    }

    fn is_adopted(&self, object: &Value) -> bool {
        object["name"] == BY_HAND
    }

    fn has_preconditions(&self) -> bool {
        false
    }

    /// Looks after half a minute, one and a half, four and a half, and ten minutes; a list is two pages.
    fn patience(&self) -> usize {
        8
    }

    /// Nothing is bound any more to what was changed, and it is otherwise as it was.
    fn lets_go(&self, before: &Objects, after: &Objects) -> bool {
        let freed = |it: &Value| {
            let mut it = it.clone();
            let settings = json!({ "templateId": null, "provisionEnable": false });
            json_patch::merge(&mut it["settings"], &settings);
            let members = it.as_object_mut().into_iter().flat_map(|it| it.iter_mut());
            members.filter(|it| it.0 == "writes").for_each(|it| *it.1 = Value::Null);
            it
        };
        before.len() == after.len()
            && after.iter().all(|(id, it)| {
                before.get(id).is_some_and(|was| {
                    was == it || (it["settings"]["templateId"].is_null() && freed(was) == freed(it))
                })
            })
    }

    fn announces(&self, intent: &Value, object: &Value) -> bool {
        let known = intent["knownIds"].as_array().is_some_and(|it| it.contains(&object["id"]));
        let may_be = if intent["made"].is_null() { !known } else { intent["made"] == object["id"] };
        let sha256 = object["sha256"].as_str().unwrap_or_default();
        let content = intent["contentHash"].as_str().unwrap_or_default();
        let is_of_upload = matches!(intent["step"].as_str(), Some("Upload" | "Discard"));
        is_of_upload && may_be && content.to_lowercase().starts_with(sha256)
    }

    fn first_write(&self, _: Option<&Shown>) -> &'static str {
        "would be the next write"
    }

    fn asks_verification(&self, spec: &Value) -> bool {
        spec.get("verification").is_some_and(|it| !it.is_null())
    }

    fn is_as_asked(&self, spec: &Value, object: &Value) -> bool {
        let verified = self.shown(object).verified || !self.asks_verification(spec);
        let asked = &spec["provisioning"];
        let on = object["settings"]["provisionEnable"] == true;
        let set = on == (asked["enabled"] == true) && object["settings"]["templateId"] == asked["templateId"];
        verified && (asked.is_null() || set)
    }

    fn variants(&self) -> Vec<Value> {
        let provisioning = json!({ "enabled": true, "templateId": TEMPLATE });
        let proof = json!({ "proofOfPossession": {} });
        vec![
            json!({ "verification": null, "provisioning": null }),
            json!({ "verification": proof }),
            json!({ "verification": proof, "provisioning": provisioning }),
            json!({ "verification": proof, "provisioning": { "enabled": false, "templateId": null } }),
            json!({ "rotation": { "gracePeriod": "0s" } }),
            json!({ "rotation": { "gracePeriod": "12m" } }),
            json!({ "managementPolicy": "Observe" }),
            json!({ "managementPolicy": "Suspend" }),
            json!({ "managementPolicy": "Enforce" }),
            json!({ "adoptionPolicy": "Always" }),
            json!({ "adoptionPolicy": "Never" }),
            json!({ "deletionPolicy": "Retain" }),
            json!({ "deletionPolicy": "Delete" }),
            json!({ "resyncInterval": "10m" }),
        ]
    }

    fn scenarios(&self) -> Vec<Scenario> {
        stories::all()
    }
}
