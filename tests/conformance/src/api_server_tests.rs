use http::Method;
use serde_json::{Value, json};

use super::*;

fn at() -> Path {
    Path::new("example.dev", "things", "team", "one")
}

fn server() -> ApiServer {
    let server = ApiServer::default();
    server.create(&at(), json!({ "apiVersion": "example.dev/v1", "kind": "Thing", "spec": { "size": 1 } }));
    server
}

fn sent(content_type: &str, body: &Value) -> Sent {
    Sent {
        content_type: content_type.to_owned(),
        metadata_only: false,
        field_manager: true,
        body: body.to_string().into(),
    }
}

fn patch(server: &ApiServer, body: &Value) -> Result<Value, u16> {
    let answer = server.answer(&Method::PATCH, &at(), &sent("application/json-patch+json", body));
    answer.map(|it| it.1).map_err(|it| it.0)
}

fn apply(server: &ApiServer, metadata: &Value, status: &Value) -> Result<Value, u16> {
    let mut body =
        json!({ "apiVersion": "example.dev/v1", "kind": "Thing", "metadata": metadata, "status": status });
    body["metadata"]["name"] = json!("one");
    let path = Path { sub: "status".to_owned(), ..at() };
    server
        .answer(&Method::PATCH, &path, &sent("application/apply-patch+yaml", &body))
        .map(|it| it.1)
        .map_err(|it| it.0)
}

fn generation(server: &ApiServer) -> Option<i64> {
    server.get(&at())?["metadata"]["generation"].as_i64()
}

#[test]
fn a_patch_whose_test_fails_changes_nothing() {
    let server = server();
    let wrong = json!([
        { "op": "test", "path": "/metadata/resourceVersion", "value": "999" },
        { "op": "add", "path": "/metadata/finalizers", "value": ["f"] },
    ]);
    let before = server.get(&at());
    assert_eq!(patch(&server, &wrong), Err(422));
    assert_eq!(server.get(&at()), before);
}

#[test]
fn a_status_is_fenced_replaced_as_a_whole_and_raises_no_generation() {
    let server = server();
    let meta = server.get(&at()).unwrap()["metadata"].clone();
    let fence = json!({ "resourceVersion": meta["resourceVersion"], "uid": meta["uid"] });
    let written = apply(&server, &fence, &json!({ "a": 1, "b": 2 })).unwrap();
    assert_ne!(written["metadata"]["resourceVersion"], meta["resourceVersion"]);
    assert_eq!(apply(&server, &fence, &json!({ "a": 3 })), Err(409), "the version is old");
    assert_eq!(apply(&server, &json!({ "uid": "another" }), &json!({ "a": 3 })), Err(409));
    let replaced = apply(&server, &json!({ "uid": meta["uid"] }), &json!({ "a": 3 })).unwrap();
    assert_eq!(replaced["status"], json!({ "a": 3 }));
    let again = apply(&server, &json!({ "uid": meta["uid"] }), &json!({ "a": 3 })).unwrap();
    assert_eq!(again, replaced, "the same once more is no new version");
    assert_eq!(generation(&server), Some(1));
}

#[test]
fn a_status_of_nothing_is_not_found() {
    let server = server();
    server.delete(&at());
    assert_eq!(apply(&server, &json!({}), &json!({})), Err(404));
}

#[test]
fn a_patch_of_the_object_leaves_the_status_alone() {
    let server = server();
    apply(&server, &json!({}), &json!({ "a": 1 })).unwrap();
    let body = json!([
        { "op": "replace", "path": "/status/a", "value": 2 },
        { "op": "replace", "path": "/spec/size", "value": 2 },
    ]);
    let patched = patch(&server, &body).unwrap();
    assert_eq!((&patched["status"]["a"], &patched["spec"]["size"]), (&json!(1), &json!(2)));
    assert_eq!(generation(&server), Some(2));
}

#[test]
fn a_deletion_waits_for_finalizers_and_takes_no_new_ones() {
    let server = server();
    let add = |value: &str| json!([{ "op": "add", "path": "/metadata/finalizers", "value": [value] }]);
    patch(&server, &add("f")).unwrap();
    assert_eq!(generation(&server), Some(1));
    server.delete(&at());
    assert_eq!(generation(&server), Some(2), "a deletion raises it");
    let version = server.get(&at()).unwrap()["metadata"]["resourceVersion"].clone();
    server.delete(&at());
    assert_eq!(server.get(&at()).unwrap()["metadata"]["resourceVersion"], version, "once");
    assert_eq!(patch(&server, &add("g")), Err(422));
    patch(&server, &json!([{ "op": "remove", "path": "/metadata/finalizers/0" }])).unwrap();
    assert_eq!(server.get(&at()), None);
    assert_eq!(patch(&server, &add("f")), Err(404));
    assert!(server.history().last().unwrap().object.is_none());
}

#[test]
fn what_is_fixed_cannot_be_patched() {
    let server = server();
    for member in ["uid", "generation", "name"] {
        let body = json!([{ "op": "replace", "path": format!("/metadata/{member}"), "value": "x" }]);
        assert_eq!(patch(&server, &body), Err(422), "{member}");
    }
    let body = json!([{ "op": "replace", "path": "/metadata/resourceVersion", "value": "x" }]);
    assert_eq!(patch(&server, &body), Err(409));
}

#[test]
fn collections_are_told_apart() {
    let server = server();
    server.create(&Path::new("", "namespaces", "", "team"), json!({}));
    let listed = |path: &str| {
        let path = Path::of(path).unwrap();
        let answer = server.answer(&Method::GET, &path, &sent("", &Value::Null)).map_err(|it| it.0);
        answer.map(|it| it.1["items"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(listed("/apis/example.dev/v1/things"), Ok(1));
    assert_eq!(listed("/apis/example.dev/v1/namespaces/team/things"), Ok(1));
    assert_eq!(listed("/apis/example.dev/v1/namespaces/other/things"), Ok(0));
    assert_eq!(listed("/apis/other.dev/v1/things"), Ok(0));
    assert_eq!(listed("/api/v1/namespaces"), Ok(1));
    assert_eq!(listed("/apis/example.dev/v1/namespaces/team/things/two"), Err(404));
    assert_eq!(Path::of("/api/v1/namespaces/team").unwrap().plural, "namespaces");
}
