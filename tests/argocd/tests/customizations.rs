//! The folder that Argo CD could take as it is: its own test files, run as it runs them; and `argocd-cm` with the same text.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::Path;

use certferry_argocd::{
    Health, Status, act, customizations, discover, expected, health, health_script, read,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const KINDS: [&str; 6] = [
    "ApiManagementCertificate",
    "CloudAccount",
    "ClusterCloudAccount",
    "IotHubCertificate",
    "IotdaCertificate",
    "KeyVaultCertificate",
];

/// Those that have the action.
fn with_action() -> impl Iterator<Item = &'static str> {
    KINDS.into_iter().filter(|it| it.ends_with("Certificate"))
}

fn yaml<T: DeserializeOwned>(path: impl AsRef<Path>) -> T {
    serde_saphyr::from_str(&read(path).unwrap()).unwrap()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct HealthTest {
    health_status: Health,
    input_path: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthTests {
    tests: Vec<HealthTest>,
}

#[test]
fn every_object_shows_the_health_that_is_written_for_it() {
    let script = health_script().unwrap();
    let HealthTests { tests } = yaml("_/health_test.yaml");
    for HealthTest { health_status, input_path } in tests {
        let object: Value = yaml(Path::new("_").join(&input_path));
        assert_eq!(health(&script, &object).unwrap(), health_status, "{input_path}");
        assert_eq!(expected(&object), health_status.status, "{input_path}, by kstatus");
    }
}

#[test]
fn every_kind_every_health_and_every_file_is_in_a_test() {
    let HealthTests { tests } = yaml("_/health_test.yaml");
    let objects: Vec<Value> = tests.iter().map(|it| yaml(Path::new("_").join(&it.input_path))).collect();
    let kinds: BTreeSet<_> = objects.iter().map(|it| it["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, KINDS.map(str::to_owned).into());
    let shown: BTreeSet<_> = tests.iter().map(|it| it.health_status.status).collect();
    assert_eq!(shown, [Status::Healthy, Status::Progressing, Status::Suspended, Status::Degraded].into());
    let files = std::fs::read_dir(customizations().join("_/testdata")).unwrap().count();
    assert_eq!(files, tests.len());
}

#[test]
fn a_script_that_reads_an_object_of_no_shape_still_answers() {
    let script = health_script().unwrap();
    for object in [json!({}), json!({ "metadata": { "generation": 1 }, "status": null, "spec": null })] {
        assert_eq!(health(&script, &object).unwrap().status, Status::Progressing, "{object}");
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ActionTests {
    discovery_tests: Vec<DiscoveryTest>,
    action_tests: Vec<ActionTest>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct DiscoveryTest {
    input_path: String,
    result: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ActionTest {
    action: String,
    input_path: String,
    expected_output_path: String,
}

#[test]
fn every_action_does_what_is_written_for_it() {
    for kind in with_action() {
        let folder = Path::new(kind).join("actions");
        let ActionTests { discovery_tests, action_tests } = yaml(folder.join("action_test.yaml"));
        let discovery = read(folder.join("discovery.lua")).unwrap();
        for DiscoveryTest { input_path, result } in discovery_tests {
            let found = discover(&discovery, &yaml(folder.join(&input_path))).unwrap();
            let found: Vec<_> = found.as_object().unwrap().iter().map(|(name, it)| named(name, it)).collect();
            assert_eq!(found, result, "{kind}: {input_path}");
        }
        assert!(!action_tests.is_empty());
        for ActionTest { action, input_path, expected_output_path } in action_tests {
            let script = read(folder.join(&action).join("action.lua")).unwrap();
            let done = act(&script, &yaml(folder.join(&input_path))).unwrap();
            let wanted: Value = yaml(folder.join(&expected_output_path));
            assert_eq!(as_read_back(done), as_read_back(wanted), "{kind}: {input_path}");
        }
    }
}

/// An action as Argo CD lists it; what is false is left out.
fn named(name: &str, action: &Value) -> Value {
    let mut listed = action.clone();
    listed["name"] = json!(name);
    if listed["disabled"] == false {
        listed.as_object_mut().unwrap().remove("disabled");
    }
    listed
}

/// Lua has one kind of number.
fn as_read_back(value: Value) -> Value {
    match value {
        Value::Number(it) => json!(it.as_f64()),
        Value::Array(items) => items.into_iter().map(as_read_back).collect(),
        Value::Object(members) => members.into_iter().map(|(name, it)| (name, as_read_back(it))).collect(),
        other => other,
    }
}

#[test]
fn argocd_cm_holds_the_same_scripts() {
    let text = std::fs::read_to_string(customizations().join("../../argocd-cm.yaml")).unwrap();
    let map: Value = serde_saphyr::from_str(&text).unwrap();
    let entry = |key: &str| -> Value {
        serde_saphyr::from_str(map["data"][key].as_str().unwrap_or_else(|| panic!("no {key}"))).unwrap()
    };
    for kind in KINDS {
        let script = &map["data"][format!("resource.customizations.health.certferry.dev_{kind}")];
        assert_eq!(script.as_str(), Some(&*health_script().unwrap()), "{kind}");
    }
    for kind in with_action() {
        let file = |path: &str| read(Path::new(kind).join("actions").join(path)).unwrap();
        let definition = json!({ "name": "sync", "action.lua": file("sync/action.lua") });
        let wanted = json!({ "discovery.lua": file("discovery.lua"), "definitions": [definition] });
        assert_eq!(entry(&format!("resource.customizations.actions.certferry.dev_{kind}")), wanted);
    }
    assert_eq!(map["data"].as_object().unwrap().len(), KINDS.len() + with_action().count());
}

/// Argo CD finds actions by their exact kind: there is one folder for each.
#[test]
fn the_action_is_the_same_for_all_kinds() {
    for file in ["discovery.lua", "sync/action.lua", "action_test.yaml"] {
        let texts: BTreeSet<_> =
            with_action().map(|kind| read(Path::new(kind).join("actions").join(file)).unwrap()).collect();
        assert_eq!(texts.len(), 1, "{file} differs between kinds");
    }
}
