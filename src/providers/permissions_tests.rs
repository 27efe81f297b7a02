//! What each kind asks of an identity, by what its spec says. Source: the pages of the kinds, "Permissions".

use serde_json::{Value, json};

use super::all;

fn manifest(kind: &str, spec: &Value, status: &Value) -> Value {
    let place = match kind {
        "IotHubCertificate" => json!({
            "iotHub": { "subscriptionId": "s", "resourceGroup": "g", "name": "h" }, "source": { "inline": "x" },
        }),
        "ApiManagementCertificate" => json!({
            "apiManagement": { "subscriptionId": "s", "resourceGroup": "g", "serviceName": "a" },
        }),
        "KeyVaultCertificate" => json!({ "vaultName": "v" }),
        _ => json!({ "iotda": { "region": "cn-north-4" }, "source": { "inline": "x" } }),
    };
    let mut manifest = json!({
        "apiVersion": "certferry.dev/v1alpha1", "kind": kind, "metadata": { "name": "x", "namespace": "n" },
        "spec": { "accountRef": { "kind": "CloudAccount", "name": "a" } }, "status": status,
    });
    for (member, value) in [&place, spec].into_iter().flat_map(|it| it.as_object().into_iter().flatten()) {
        manifest["spec"][member] = value.clone();
    }
    manifest
}

/// The last words of the permissions, in order; a vault's as they are.
fn asked(kind: &str, spec: &Value, status: &Value) -> Vec<String> {
    let provider = all().into_iter().find(|it| it.kind() == kind).unwrap();
    let permissions = provider.permissions(manifest(kind, spec, status)).unwrap();
    let last = |it: &&'static str| match kind {
        "KeyVaultCertificate" => it.trim_start_matches("certificates/").to_owned(),
        _ => it.trim_end_matches("/Action").rsplit(['/', ':']).next().unwrap().to_owned(),
    };
    permissions.iter().map(last).collect()
}

#[test]
fn a_spec_asks_for_what_its_calls_need() {
    let adopted = json!({ "remote": { "id": "i", "origin": "Adopted" } });
    let retiring = json!({ "retiring": [{ "id": "i", "contentHash": "h" }] });
    let policy = json!({ "issuer": { "name": "Self" }, "x509Properties": { "subject": "CN=x" } });
    let import = json!({ "secretRef": { "name": "s" } });
    let of = |kind: &'static str, spec: Value, status: &Value, expected: &str| {
        let found = asked(kind, &spec, status).join(" ");
        assert_eq!(found, expected, "{kind} {spec} {status}");
    };
    let (none, proof) = (Value::Null, json!({ "proofOfPossession": {} }));

    let hub = |spec, status: &Value, expected| of("IotHubCertificate", spec, status, expected);
    hub(json!({}), &none, "Read Write Delete");
    hub(json!({ "verification": proof }), &none, "Read Write Delete generateVerificationCode verify");
    hub(json!({ "deletionPolicy": "Retain" }), &none, "Read Write");
    hub(json!({ "deletionPolicy": "Retain" }), &retiring, "Read Write Delete");
    hub(
        json!({ "deletionPolicy": "Retain", "rotation": { "strategy": "Overlap" } }),
        &none,
        "Read Write Delete",
    );
    hub(json!({}), &adopted, "Read Write");
    hub(json!({ "deletionPolicy": "Delete" }), &adopted, "Read Write Delete");
    hub(json!({ "managementPolicy": "Observe", "verification": proof }), &none, "Read");
    hub(json!({ "managementPolicy": "Suspend", "deletionPolicy": "Delete" }), &none, "Read");

    let service = |spec, status: &Value, expected| of("ApiManagementCertificate", spec, status, expected);
    let (file, vault) =
        (json!({ "secretRef": { "name": "s" } }), json!({ "secretIdentifier": "https://v/secrets/x" }));
    service(json!({ "source": file }), &none, "read write delete");
    service(json!({ "keyVault": vault }), &none, "read write delete action");
    service(json!({ "keyVault": vault, "deletionPolicy": "Retain" }), &none, "read write action");
    service(json!({ "keyVault": vault, "managementPolicy": "Observe" }), &none, "read");

    let vault = |spec, status: &Value, expected| of("KeyVaultCertificate", spec, status, expected);
    let export = json!({ "secretName": "s" });
    vault(json!({ "policy": policy }), &none, "get list create update delete recover");
    vault(json!({ "import": import }), &none, "get list import update delete recover");
    vault(
        json!({ "policy": policy, "exportTo": export, "onSoftDeleted": "Fail", "deletionPolicy": "Retain" }),
        &none,
        "get list create update secrets/get",
    );
    vault(
        json!({ "policy": policy, "deletionPolicy": "Purge" }),
        &none,
        "get list create update delete recover purge",
    );
    vault(json!({ "policy": policy, "exportTo": export, "managementPolicy": "Observe" }), &none, "get list");

    let instance = |spec, status: &Value, expected| of("IotdaCertificate", spec, status, expected);
    instance(json!({}), &none, "listProjects queryList query upload update delete");
    let project = json!({ "region": "cn-north-4", "projectId": "p" });
    instance(
        json!({ "iotda": project, "verification": proof }),
        &none,
        "queryList query upload check update delete",
    );
    instance(json!({ "iotda": project, "managementPolicy": "Observe" }), &none, "queryList query");
}
