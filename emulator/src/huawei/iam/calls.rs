//! The six calls.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Call, errors, id_token, issue};
use crate::huawei::account::{Agency, Holder, Project};
use crate::huawei::gateway::{self, Demands};
use crate::huawei::signature::Scheme;
use crate::request::Answer;

/// Seconds that a temporary key may live.
const KEY_LIFE: std::ops::RangeInclusive<i64> = 900..=86_400;

#[derive(Deserialize)]
struct Auth<T> {
    auth: T,
}

#[derive(Deserialize)]
struct PasswordAuth {
    identity: PasswordIdentity,
    #[serde(default)]
    scope: Option<Scope>,
}

#[derive(Deserialize)]
struct PasswordIdentity {
    methods: Vec<String>,
    password: Password,
}

#[derive(Deserialize)]
struct Password {
    user: PasswordUser,
}

#[derive(Deserialize)]
struct PasswordUser {
    name: String,
    password: String,
    domain: Named,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Scope {
    #[serde(default)]
    project: Option<ProjectName>,
}

#[derive(Deserialize)]
struct ProjectName {
    id: Option<String>,
    name: Option<String>,
}

impl ProjectName {
    fn means(&self, project: &Project) -> bool {
        match (&self.id, &self.name) {
            (Some(id), _) => *id == project.id,
            (None, Some(name)) => *name == project.name,
            (None, None) => false,
        }
    }
}

/// For a user's name and password.
pub(super) fn token(call: &mut Call) -> Result<Answer, Answer> {
    let Auth { auth: PasswordAuth { identity, scope } } = call.body()?;
    if identity.methods != ["password"] {
        return Err(errors::bad_request("methods must be password"));
    }
    let (now, sent, account) = (call.now(), identity.password.user, call.account());
    let wrong = || errors::unauthorized("The username or password is wrong.");
    let user = account.user(&sent.name).filter(|user| {
        !user.password.is_empty() && user.password == sent.password && sent.domain.name == account.name
    });
    let user = user.ok_or_else(wrong)?.clone();
    let project = match scope.and_then(|scope| scope.project) {
        None => None,
        Some(name) => {
            let found = account.projects.iter().find(|project| name.means(project)).cloned();
            Some(found.ok_or_else(|| errors::unauthorized("The project is not found."))?)
        }
    };
    let holder = Holder::User(user.name.clone());
    let issued = issue::token(account, holder, project.as_ref().map(|it| it.id.clone()), now);
    let domain = json!({"id": account.id, "name": account.name});
    let mut token = json!({
        "expires_at": issue::micros(issued.expires),
        "issued_at": issue::micros(now),
        "methods": ["password"],
        "user": {"id": user.id, "name": user.name, "domain": domain},
    });
    if let Some(Project { id, name }) = project {
        token["project"] = json!({"id": id, "name": name, "domain": domain});
    }
    let asks_none = call.request.query_values("nocatalog").first().is_some_and(|text| !text.is_empty());
    if !asks_none {
        token["catalog"] = json!([]);
    }
    let answer = Answer::json(StatusCode::CREATED, &json!({ "token": token }));
    Ok(answer.with("x-subject-token", issued.value))
}

/// Zero, one or several; a region's sub-projects have names of their own.
pub(super) fn projects(call: &mut Call) -> Result<Answer, Answer> {
    let demands = Demands { scheme: Some(Scheme::Basic), ..Demands::default() };
    let caller = gateway::caller(call.state, call.request, &demands)?;
    let action = "iam:projects:list";
    if !call.state.world.huawei.allows(&caller.holder, action) {
        return Err(errors::forbidden(&format!("You are not authorized to perform {action}.")));
    }
    let wanted = call.request.query_values("name").first().copied();
    let account = &call.state.world.huawei;
    let fits = account.projects.iter().filter(|project| wanted.is_none_or(|name| name == project.name));
    let shown = |project: &Project| {
        let Project { id, name } = project;
        json!({"id": id, "name": name, "domain_id": account.id, "enabled": true, "is_domain": false})
    };
    Ok(Answer::json(StatusCode::OK, &json!({ "projects": fits.map(shown).collect::<Vec<Value>>() })))
}

#[derive(Deserialize)]
struct IdTokenAuth {
    id_token: IdToken,
}

#[derive(Deserialize)]
struct IdToken {
    id: String,
}

/// The older IAM's first step for a workload: a token without a project.
pub(super) fn token_for_id_token(call: &mut Call) -> Result<Answer, Answer> {
    let Auth { auth: IdTokenAuth { id_token: IdToken { id: token } } } = call.body()?;
    let idp = call.request.header("x-idp-id").ok_or_else(|| errors::bad_request("X-Idp-Id is missing"))?;
    let agency = trusting(call, &token, |agency| agency.idp_id == idp)?;
    let (now, holder) = (call.now(), Holder::Agency(agency));
    let issued = issue::token(call.account(), holder, None, now);
    let times = json!({"expires_at": issue::micros(issued.expires), "issued_at": issue::micros(now)});
    Ok(Answer::json(StatusCode::CREATED, &json!({ "token": times })).with("x-subject-token", issued.value))
}

#[derive(Deserialize)]
struct TokenAuth {
    identity: TokenIdentity,
}

#[derive(Deserialize)]
struct TokenIdentity {
    methods: Vec<String>,
    #[serde(default)]
    token: TokenLife,
}

#[derive(Deserialize, Default)]
struct TokenLife {
    id: Option<String>,
    duration_seconds: Option<i64>,
}

/// A temporary key for a token, which stands in the body or in X-Auth-Token.
pub(super) fn security_token(call: &mut Call) -> Result<Answer, Answer> {
    let Auth { auth: TokenAuth { identity } } = call.body()?;
    if identity.methods != ["token"] {
        return Err(errors::bad_request("methods must be token; the emulator has no assume_role"));
    }
    let now = call.now();
    let sent = identity.token.id.or_else(|| call.request.header("x-auth-token").map(str::to_owned));
    let tokens = &call.state.world.huawei.tokens;
    let token = tokens.iter().find(|token| token.expires > now && sent.as_ref() == Some(&token.value));
    let holder = token.ok_or_else(|| errors::unauthorized("The token must be updated."))?.holder.clone();
    let seconds = life(identity.token.duration_seconds, 900)?;
    let key = issue::temporary_key(call.account(), holder, seconds, now);
    Ok(Answer::json(StatusCode::CREATED, &json!({ "credential": issue::credential(&key) })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AssumeWithOidc {
    provider_urn: String,
    agency_urn: String,
    agency_session_name: String,
    id_token: String,
    duration_seconds: Option<i64>,
    #[serde(rename = "policy")]
    _policy: Option<String>,
    #[serde(rename = "policy_ids")]
    _policy_ids: Option<Vec<String>>,
}

/// The newer IAM's one step for a workload. Session policies are read and not applied.
pub(super) fn assume_with_oidc(call: &mut Call) -> Result<Answer, Answer> {
    let sent: AssumeWithOidc = call.body()?;
    if sent.agency_session_name.is_empty() {
        return Err(errors::bad_request("agency_session_name is empty"));
    }
    let seconds = life(sent.duration_seconds, 3600)?;
    let agency = trusting(call, &sent.id_token, |agency| {
        agency.urn == sent.agency_urn && agency.provider_urn == sent.provider_urn
    })?;
    let now = call.now();
    let key = issue::temporary_key(call.account(), Holder::Agency(agency), seconds, now);
    Ok(Answer::json(StatusCode::OK, &json!({ "credentials": issue::sts_credential(&key) })))
}

/// The agent on a node: it takes a pod's token and finds the agency itself.
pub(super) fn pod_identity(call: &mut Call) -> Result<Answer, Answer> {
    let _: serde_json::Map<String, Value> = call.body()?;
    let token = call.request.header("authorization").unwrap_or_default().to_owned();
    let agency = trusting(call, &token, |_| true)?;
    let now = call.now();
    let key = issue::temporary_key(call.account(), Holder::Agency(agency), 6 * 3600, now);
    Ok(Answer::json(StatusCode::OK, &json!({ "credential": issue::credential(&key) })))
}

/// The name of the agency among these that trusts the id token.
fn trusting(call: &Call, token: &str, among: impl Fn(&Agency) -> bool) -> Result<String, Answer> {
    let now = call.now();
    let mut why = "no such identity provider or agency";
    for agency in call.state.world.huawei.agencies.iter().filter(|agency| among(agency)) {
        match id_token::check(token, agency, now) {
            Ok(()) => return Ok(agency.name.clone()),
            Err(refused) => why = refused,
        }
    }
    Err(errors::unauthorized(&format!("The request you have made requires authentication: {why}.")))
}

fn life(sent: Option<i64>, default: i64) -> Result<i64, Answer> {
    let seconds = sent.unwrap_or(default);
    let fits = KEY_LIFE.contains(&seconds);
    if fits { Ok(seconds) } else { Err(errors::bad_request("duration_seconds is out of its range")) }
}
