//! The data plane of Azure Key Vault: certificates, their operations, what is deleted, and the secrets that hand them out.
//! Several vaults, told apart by Host. Source: the sheet `azure-key-vault`, the vendor's OpenAPI files of 7.0, 2025-07-01
//! and 2026-04-01, and recordings of the live service.

mod access;
mod backup;
mod certificates;
mod contacts;
mod deleted;
mod errors;
mod imports;
mod issue;
pub(crate) mod passing;
mod pending;
pub(crate) mod planted;
mod policy;
mod secrets;
pub(crate) mod vault;
mod versions;
mod wire;

use hyper::Method;
use serde_json::Value;

use crate::clouds::CLOUDS;
use crate::names::Names;
use crate::random;
use crate::request::{Answer, Request};
use crate::routes::{self, Access, Captures, Found, Operation};
use crate::services::{Service, content_too_large};
use crate::state::State;
use crate::throttle::{Bucket, Kind, Limits, Verdict};
use vault::Vault;
use versions::Version;
use wire::Place;

pub(crate) const SERVICE: Service =
    Service { name: "vault", serves, operation, answer, too_large: content_too_large };

struct Route {
    method: Method,
    path: &'static str,
    operation: &'static str,
    access: Access,
    /// Which words of an access policy let a caller in: the object, and the word.
    needs: (&'static str, &'static str),
    handle: fn(&mut Call) -> Result<Answer, Answer>,
}

impl routes::Route for Route {
    fn method(&self) -> &Method {
        &self.method
    }

    fn path(&self) -> &'static str {
        self.path
    }
}

/// A call that the front door let in.
struct Call<'a> {
    state: &'a mut State,
    request: &'a Request,
    captures: Captures,
    version: Version,
    /// Its place among the vaults.
    vault: usize,
    /// `https://host:port`, as the caller named it.
    base: String,
}

impl Call<'_> {
    fn name(&self) -> &str {
        self.captures.text("name")
    }

    fn now(&self) -> i64 {
        self.state.clock.now()
    }

    /// Where what is shown is made for.
    fn place(&self) -> Place {
        let words = self.state.world.switches.key_vault.status_words;
        Place::new(&self.base, self.version, words, &self.state.world.vaults[self.vault])
    }

    fn vault(&mut self) -> &mut Vault {
        &mut self.state.world.vaults[self.vault]
    }

    /// The body; one that is left out says nothing.
    fn body(&self) -> Result<Value, Answer> {
        if self.request.body.is_empty() {
            return Ok(Value::Null);
        }
        let body: Result<Value, _> = serde_json::from_slice(&self.request.body);
        body.ok().filter(Value::is_object).ok_or_else(|| errors::bad_parameter("The body is no JSON object."))
    }
}

const fn route(
    method: Method,
    path: &'static str,
    operation: &'static str,
    access: Access,
    needs: (&'static str, &'static str),
    handle: fn(&mut Call) -> Result<Answer, Answer>,
) -> Route {
    Route { method, path, operation, access, needs, handle }
}

const ROUTES: &[Route] = &[
    // In front of the paths in which a name may stand.
    route(
        Method::GET,
        "/certificates/contacts",
        "keyVaultCertificates.getContacts",
        Access::Get,
        ("certificates", "managecontacts"),
        contacts::get,
    ),
    route(
        Method::PUT,
        "/certificates/contacts",
        "keyVaultCertificates.setContacts",
        Access::Write,
        ("certificates", "managecontacts"),
        contacts::set,
    ),
    route(
        Method::DELETE,
        "/certificates/contacts",
        "keyVaultCertificates.deleteContacts",
        Access::Write,
        ("certificates", "managecontacts"),
        contacts::delete,
    ),
    route(
        Method::POST,
        "/certificates/restore",
        "keyVaultCertificates.restore",
        Access::Write,
        ("certificates", "restore"),
        backup::restore,
    ),
    route(
        Method::POST,
        "/certificates/{name}/backup",
        "keyVaultCertificates.backup",
        Access::Write,
        ("certificates", "backup"),
        backup::backup,
    ),
    route(
        Method::GET,
        "/certificates",
        "keyVaultCertificates.list",
        Access::List,
        ("certificates", "list"),
        certificates::list,
    ),
    route(
        Method::POST,
        "/certificates/{name}/create",
        "keyVaultCertificates.create",
        Access::Write,
        ("certificates", "create"),
        certificates::create,
    ),
    route(
        Method::POST,
        "/certificates/{name}/import",
        "keyVaultCertificates.import",
        Access::Write,
        ("certificates", "import"),
        certificates::import,
    ),
    route(
        Method::GET,
        "/certificates/{name}/versions",
        "keyVaultCertificates.listVersions",
        Access::List,
        ("certificates", "list"),
        certificates::list_versions,
    ),
    route(
        Method::GET,
        "/certificates/{name}/policy",
        "keyVaultCertificates.getPolicy",
        Access::Get,
        ("certificates", "get"),
        certificates::policy,
    ),
    route(
        Method::PATCH,
        "/certificates/{name}/policy",
        "keyVaultCertificates.patchPolicy",
        Access::Write,
        ("certificates", "update"),
        certificates::patch_policy,
    ),
    route(
        Method::GET,
        "/certificates/{name}/pending",
        "keyVaultCertificates.getPending",
        Access::Get,
        ("certificates", "get"),
        pending::get,
    ),
    route(
        Method::PATCH,
        "/certificates/{name}/pending",
        "keyVaultCertificates.patchPending",
        Access::Write,
        ("certificates", "update"),
        pending::patch,
    ),
    route(
        Method::DELETE,
        "/certificates/{name}/pending",
        "keyVaultCertificates.deletePending",
        Access::Write,
        ("certificates", "update"),
        pending::delete,
    ),
    route(
        Method::POST,
        "/certificates/{name}/pending/merge",
        "keyVaultCertificates.merge",
        Access::Write,
        ("certificates", "create"),
        pending::merge,
    ),
    route(
        Method::GET,
        "/certificates/{name}",
        "keyVaultCertificates.get",
        Access::Get,
        ("certificates", "get"),
        certificates::get,
    ),
    route(
        Method::DELETE,
        "/certificates/{name}",
        "keyVaultCertificates.delete",
        Access::Write,
        ("certificates", "delete"),
        deleted::delete,
    ),
    route(
        Method::PATCH,
        "/certificates/{name}",
        "keyVaultCertificates.patch",
        Access::Write,
        ("certificates", "update"),
        certificates::patch,
    ),
    route(
        Method::GET,
        "/certificates/{name}/{version}",
        "keyVaultCertificates.getVersion",
        Access::Get,
        ("certificates", "get"),
        certificates::get,
    ),
    route(
        Method::PATCH,
        "/certificates/{name}/{version}",
        "keyVaultCertificates.patch",
        Access::Write,
        ("certificates", "update"),
        certificates::patch,
    ),
    route(
        Method::GET,
        "/deletedcertificates",
        "keyVaultCertificates.listDeleted",
        Access::List,
        ("certificates", "list"),
        deleted::list,
    ),
    route(
        Method::GET,
        "/deletedcertificates/{name}",
        "keyVaultCertificates.getDeleted",
        Access::Get,
        ("certificates", "get"),
        deleted::get,
    ),
    route(
        Method::POST,
        "/deletedcertificates/{name}/recover",
        "keyVaultCertificates.recover",
        Access::Write,
        ("certificates", "recover"),
        deleted::recover,
    ),
    route(
        Method::DELETE,
        "/deletedcertificates/{name}",
        "keyVaultCertificates.purge",
        Access::Write,
        ("certificates", "purge"),
        deleted::purge,
    ),
    route(
        Method::GET,
        "/secrets/{name}",
        "keyVaultSecrets.get",
        Access::Get,
        ("secrets", "get"),
        secrets::get,
    ),
    route(
        Method::GET,
        "/secrets/{name}/{version}",
        "keyVaultSecrets.get",
        Access::Get,
        ("secrets", "get"),
        secrets::get,
    ),
];

/// The vault that a host names.
fn vault_name<'a>(names: &Names, host: &'a str) -> Option<&'a str> {
    let own = format!(".vault.{}", names.domain);
    let suffixes = CLOUDS.iter().map(|cloud| format!(".{}", cloud.vault_suffix)).chain([own]);
    suffixes.into_iter().find_map(|suffix| host.strip_suffix(suffix.as_str()))
}

fn serves(names: &Names, host: &str) -> bool {
    vault_name(names, host).is_some_and(|it| !it.is_empty() && !it.contains('.'))
}

fn operation(request: &Request) -> Operation {
    match routes::find(ROUTES.iter(), request) {
        Found::Route(route, _) => Operation { name: route.operation, access: route.access },
        Found::OtherMethods(_) | Found::Nothing => Operation::UNKNOWN,
    }
}

fn answer(state: &mut State, request: &Request) -> Answer {
    let mut answer = let_in(state, request).unwrap_or_else(|refused| refused);
    answer.set("cache-control", "no-cache");
    answer.set("pragma", "no-cache");
    answer.set("x-ms-request-id", random::guid());
    answer.set("x-ms-keyvault-region", "westeurope");
    answer.set("x-ms-keyvault-service-version", "1.9.0.0");
    answer.set("x-content-type-options", "nosniff");
    answer
}

/// The token before anything else, also before the body: clients first send a call without either.
fn let_in(state: &mut State, request: &Request) -> Result<Answer, Answer> {
    let caller = access::caller(state, request)?;
    let name = vault_name(&state.names, &request.host).unwrap_or_default();
    let vault = state.world.vaults.iter().position(|it| it.name.eq_ignore_ascii_case(name));
    // A vault that is not there has no host name in the real world.
    let vault = vault.ok_or_else(|| errors::no_vault(name))?;
    if request.segments.is_none() || request.query.is_none() {
        return Err(errors::bad_parameter("The request URI cannot be read safely."));
    }
    let version = Version::of(request)?;
    let (route, captures) = match routes::find(ROUTES.iter(), request) {
        Found::Route(route, captures) => (route, captures),
        Found::OtherMethods(methods) => return Err(errors::wrong_method(&methods)),
        Found::Nothing => return Err(errors::not_found("NotFound", "The path is not known.")),
    };
    throttled(state, vault, route)?;
    access::authorized(state, vault, &caller, route.needs)?;
    let name = captures.text("name");
    if captures.has("name") && !name.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-') {
        return Err(errors::bad_parameter("The name of a certificate has letters, digits and hyphens."));
    }
    // What a stale read shows is a state of the past, in which nothing comes about any more.
    if !state.looks_back {
        passing::bring_up_to_date(&mut state.world.vaults[vault], state.clock.now());
    }
    let base = format!("https://{}", request.authority);
    (route.handle)(&mut Call { state, request, captures, version, vault, base })
}

/// The published limits of a vault: some 4,000 transactions in 10 s, and 20 that make a key.
fn throttled(state: &mut State, vault: usize, route: &Route) -> Result<(), Answer> {
    let limits = Limits {
        reads: Bucket { size: 4000.0, refill_per_second: 400.0 },
        writes: Bucket { size: 20.0, refill_per_second: 2.0 },
        enabled: state.world.throttle.enabled,
        everybody: 1.0,
        ..Limits::default()
    };
    let kind = if route.operation == "keyVaultCertificates.create" { Kind::Writes } else { Kind::Reads };
    let scope = format!("vault {}", state.world.vaults[vault].name);
    match state.levels.take(&limits, &scope, "", kind, state.clock.now_ms()) {
        Verdict::Pass { .. } => Ok(()),
        Verdict::Refused { retry_after_seconds } => Err(errors::throttled(retry_after_seconds)),
    }
}
