//! `GET /metadata/endpoints`: how Azure CLI and others learn a cloud's addresses. Open to everybody.

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use super::{Call, Needs, Provider, Route};
use crate::clouds::CLOUDS;
use crate::request::Answer;
use crate::routes::Access;

pub(super) const PROVIDER: Provider = Provider {
    namespace: "",
    types: &[],
    versions: &["2019-05-01", "2022-09-01"],
    routes: &[Route {
        method: Method::GET,
        path: "/metadata/endpoints",
        operation: "metadataEndpoints",
        access: Access::Get,
        needs: Needs::Nothing,
        handle: endpoints,
    }],
};

/// The newer version gives one cloud, the older a list.
fn endpoints(call: &mut Call) -> Result<Answer, Answer> {
    let cloud = cloud(call);
    let body = if call.version == "2019-05-01" { json!([cloud]) } else { cloud };
    Ok(Answer::json(StatusCode::OK, &body))
}

fn cloud(call: &Call) -> Value {
    let names = &call.state.names;
    let arm = format!("https://{}", call.request.authority);
    // On a real host name the client finds the others by their real names too.
    let real = CLOUDS.iter().find(|cloud| cloud.arm_host == call.request.host);
    let login = real.map_or_else(|| names.base("login"), |cloud| format!("https://{}", cloud.login_hosts[0]));
    let own = |service: &str| format!("{service}.{}:{}", names.domain, names.port);
    let vault = real.map_or_else(|| own("vault"), |cloud| cloud.vault_suffix.to_owned());
    let storage = real.map_or_else(|| own("storage"), |cloud| cloud.storage_suffix.to_owned());
    let audiences = real.map_or_else(
        || json!([arm, "https://management.core.windows.net/", "https://management.azure.com/"]),
        |cloud| json!(cloud.arm_audiences.iter().map(|audience| format!("{audience}/")).collect::<Vec<_>>()),
    );
    json!({
        "name": "EmulatedCloud",
        "resourceManager": arm,
        "portal": names.base("portal"),
        "authentication": {
            "loginEndpoint": login,
            "audiences": audiences,
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "graph": names.base("graph"),
        "graphAudience": names.base("graph"),
        "microsoftGraphResourceId": names.base("graph"),
        "suffixes": {"keyVaultDns": vault, "storage": storage},
    })
}
