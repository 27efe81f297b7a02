//! Every node of every CustomResourceDefinition is bounded, described and typed as Kubernetes likes it.

use std::fs;
use std::path::Path;

use serde_json::Value;

pub fn definitions() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let files = fs::read_dir(folder).unwrap().map(|it| fs::read_to_string(it.unwrap().path()).unwrap());
    files
        .map(|text| {
            let value: Value = serde_saphyr::from_str(&text).unwrap();
            (value["spec"]["names"]["kind"].as_str().unwrap().to_owned(), value)
        })
        .collect()
}

pub fn schema(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

pub fn walk(path: &str, node: &Value, check: &mut impl FnMut(&str, &Value)) {
    check(path, node);
    for (name, child) in node["properties"].as_object().into_iter().flatten() {
        walk(&format!("{path}.{name}"), child, check);
    }
    for inner in ["items", "additionalProperties"] {
        if node[inner].is_object() {
            walk(&format!("{path}[]"), &node[inner], check);
        }
    }
}

#[test]
fn every_node_is_bounded() {
    let definitions = definitions();
    assert_eq!(definitions.len(), 6);
    for (kind, definition) in &definitions {
        let mut nodes = 0;
        walk(kind, schema(definition), &mut |path, node| {
            nodes += 1;
            let own = [".apiVersion", ".kind", ".metadata"].iter().any(|it| path == format!("{kind}{it}"));
            if own {
                return;
            }
            assert!(node.get("nullable").is_none(), "{path} is nullable");
            let has = |name: &str| node.get(name).is_some();
            match node["type"].as_str() {
                Some("string") => assert!(has("maxLength") || has("enum"), "{path} has no bound"),
                Some("array") => {
                    assert!(has("maxItems"), "{path} has no bound");
                    assert!(has("x-kubernetes-list-type"), "{path} does not say what list it is");
                }
                Some("integer") => {
                    assert!(has("minimum") && !node["format"].as_str().unwrap_or("").starts_with('u'))
                }
                Some("object") => {
                    assert!(
                        has("properties")
                            || has("maxProperties")
                            || path.ends_with("attested")
                            || path.ends_with("external")
                    )
                }
                Some("boolean") => {}
                other => panic!("{path} has the type {other:?}"),
            }
            if !path.ends_with("[]") && path != kind {
                assert!(
                    node["description"].as_str().is_some_and(|it| !it.is_empty()),
                    "{path} is not described"
                );
            }
        });
        assert!(nodes > 20, "{kind} has only {nodes} nodes");
    }
}

#[test]
fn definitions_stay_small_enough_for_client_side_apply() {
    for (kind, definition) in definitions() {
        let size = definition.to_string().len();
        assert!(size < 200_000, "{kind} has {size} bytes");
    }
}
