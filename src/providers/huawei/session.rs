//! One account's calls: signed with its keys, at its pace, and what is known of its projects.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;
use tokio::sync::Mutex as AsyncMutex;

use super::call::Operation;
use super::error_body::{self, Refusal};
use super::failure::{Failure, THROTTLED, What, common};
use super::hosts::Hosts;
use super::place::is_project;
use super::refusals::Refusals;
use super::signer::{DATE, Request, SECURITY_TOKEN, Scheme};
use crate::api::huawei_cloud::HuaweiSigning;
use crate::api::reason::Reason;
use crate::engine::clock::Clock;
use crate::engine::error::CloudError;
use crate::engine::term::Term;
use crate::http::{Answer, Body, Call as HttpCall, Endpoint, Http, HttpError};
use crate::providers::clients::Clients;
use crate::providers::failure::Fault;
use crate::providers::pace::{Pace, Pause, Writers};
use crate::providers::sessions::{Sessions, hash_of};
use crate::source::account::{AccountId, HuaweiAccount, HuaweiEndpoints, HuaweiEnvironment, HuaweiKeys};

/// The sessions of all accounts.
pub struct Huawei {
    sessions: Sessions<Session>,
    clients: Clients,
    writers: Arc<Writers>,
    /// Until when this process may write.
    term: Term,
}

/// An account's way into Huawei Cloud.
pub struct Session {
    http: Http,
    hosts: Hosts,
    keys: HuaweiKeys,
    pace: Pace,
    pauses: Mutex<HashMap<Endpoint, Arc<Pause>>>,
    refusals: Refusals,
    /// The ids of projects, by region.
    projects: AsyncMutex<HashMap<String, String>>,
    writers: Arc<Writers>,
    term: Term,
}

/// A request that is to be signed and sent.
pub(super) struct Outgoing<'a> {
    pub(super) operation: Operation,
    pub(super) endpoint: &'a Endpoint,
    pub(super) scheme: Scheme<'a>,
    pub(super) segments: Vec<&'a str>,
    pub(super) query: Vec<(&'static str, &'a str)>,
    pub(super) headers: Vec<(&'static str, &'a str)>,
    pub(super) body: &'a Body,
}

impl Huawei {
    /// No sessions yet.
    pub fn new(term: Term) -> Self {
        Self { sessions: Sessions::new(), clients: Clients::default(), writers: Arc::default(), term }
    }

    /// The same, calling by these clients.
    #[must_use]
    pub(in crate::providers) fn by(self, clients: Clients) -> Self {
        Self { clients, ..self }
    }

    /// No sessions yet, and all of them over this client.
    pub fn over(http: Http, term: Term) -> Self {
        Self::new(term).by(Clients::over(http))
    }

    /// The account's session: the one before, or a new one if the account or its Secret has changed since.
    pub fn session(&self, id: &AccountId, account: &HuaweiAccount) -> Result<Arc<Session>, CloudError> {
        self.sessions.of(id, fingerprint(account), || self.connect(account))
    }

    /// Drops the session of an account that is gone.
    pub fn forget(&self, id: &AccountId) {
        self.sessions.forget(id);
    }

    fn connect(&self, account: &HuaweiAccount) -> Result<Session, CloudError> {
        let http = match &account.environment {
            HuaweiEnvironment::Public => self.clients.clouds()?,
            HuaweiEnvironment::Custom(own) => self.clients.administrator(own.ca_bundle.as_deref())?,
        };
        let HuaweiKeys { access_key_id, secret, security_token } = &account.keys;
        Ok(Session {
            http,
            hosts: Hosts::of(&account.environment)?,
            keys: HuaweiKeys {
                access_key_id: access_key_id.clone(),
                secret: secret.clone(),
                security_token: security_token.clone(),
            },
            pace: pace(),
            pauses: Mutex::default(),
            refusals: Refusals::default(),
            projects: AsyncMutex::default(),
            writers: self.writers.clone(),
            term: self.term.clone(),
        })
    }
}

/// One account's pace. The vendor tells 200 calls per second for an instance of the enterprise edition, and gateways that
/// stop a user after 200 calls in five minutes were met; an account at rest lists each instance once an hour.
fn pace() -> Pace {
    Pace::new((100.0, 10.0), (50.0, 5.0), (50.0, 5.0))
}

impl Session {
    /// Whether the account may go on: its keys are there, and no call refused them since one let them through.
    pub fn sign_in(&self) -> Result<(), CloudError> {
        self.refusals.standing().map_or(Ok(()), Err)
    }

    pub(super) fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The id of the project that is named as the region: IAM's answer must name exactly one.
    pub(super) async fn project(&self, region: &str, clock: &Clock) -> Result<String, CloudError> {
        let mut projects = self.projects.lock().await; // one flight: the others wait for its outcome
        if let Some(id) = projects.get(region) {
            return Ok(id.clone());
        }
        let endpoint = self.hosts.iam(region)?;
        let outgoing = Outgoing {
            operation: Operation::FindProject,
            endpoint: &endpoint,
            scheme: Scheme::Basic,
            segments: vec!["v3", "projects"],
            query: vec![("name", region)],
            headers: Vec::new(),
            body: &Body::none(),
        };
        let answer = self.call(&outgoing, clock).await?;
        let unreadable = || Failure { operation: outgoing.operation, what: Fault::Unreadable.into() };
        let found: Projects = answer.json().map_err(|_| unreadable())?;
        let [Project { id }] = found.projects.as_slice() else {
            return Err(CloudError::new(
                Reason::TargetNotFound,
                "IAM does not name exactly one project for the region: set `spec.iotda.projectId`.",
            ));
        };
        if !is_project(id) {
            return Err(unreadable().into());
        }
        projects.insert(region.to_owned(), id.clone());
        Ok(id.clone())
    }

    /// Makes the call when its turn comes; see [`Place::call`](super::Place::call).
    pub(super) async fn call(&self, outgoing: &Outgoing<'_>, clock: &Clock) -> Result<Answer, Failure> {
        let operation = outgoing.operation;
        let failed = |what| Failure { operation, what };
        let fault = |it: Fault| failed(it.into());
        let write = operation.is_write();
        let _writing = match write {
            true => Some(self.writers.turn(outgoing.endpoint.to_string()).await),
            false => None,
        };
        let pause = self.pause(outgoing.endpoint);
        self.pace.admit(operation.method(), &pause).await.map_err(|wait| fault(Fault::Paced(wait)))?;
        // Asked after the turn has come: those who waited learn of a refusal meanwhile.
        if let Some(error) = self.refusals.of(outgoing.endpoint) {
            return Err(failed(What::Held(error)));
        }
        let mut tries = 0;
        let (status, body, retry_after) = loop {
            if write && !self.term.lasts() {
                return Err(fault(Fault::TermOver));
            }
            let now = clock.now();
            let sent = self.send(outgoing, now).await;
            let answer = sent.map_err(|error| fault(Fault::Unanswered(error)))?;
            if answer.is_success() {
                self.refusals.accepted(outgoing.endpoint);
                return Ok(answer);
            }
            let body = error_body::parse(&answer, now);
            tries += 1;
            // The request may have been long on its way: its date was right when it was signed.
            if body.refusal != Some(Refusal::Clock) || tries > 1 {
                break (answer.status, body, answer.retry_after(Timestamp::now()));
            }
        };
        match (status, retry_after) {
            (429, asked) => pause.leave_alone(asked.unwrap_or_default().max(THROTTLED)),
            (503, Some(asked)) => pause.leave_alone(asked),
            _ => {}
        }
        let let_through = body.code.as_ref().is_some_and(|it| it.as_str().starts_with("IOTDA."));
        let failure = failed(What::Answered { status, body, retry_after });
        if status == 401 {
            self.refusals.refused(outgoing.endpoint, &common(&failure));
        } else if let_through {
            self.refusals.accepted(outgoing.endpoint);
        }
        Err(failure)
    }

    /// Signs it with the time now, and sends it once.
    async fn send(&self, outgoing: &Outgoing<'_>, now: Timestamp) -> Result<Answer, HttpError> {
        let Outgoing { operation, endpoint, scheme, segments, query, headers, body } = outgoing;
        let method = operation.method();
        let mut query = query.clone();
        query.sort_unstable(); // sent as it is signed
        let content_type = (!body.bytes().is_empty()).then_some(("content-type", "application/json"));
        let signed_headers: Vec<_> = headers.iter().copied().chain(content_type).collect();
        let signed = Request {
            method: method.name(),
            host: &endpoint.authority(),
            path: &format!("/{}", segments.join("/")),
            query: &query,
            headers: &signed_headers,
            body: body.bytes(),
        }
        .sign(*scheme, &self.keys, now);
        let mut call = HttpCall::new(method, endpoint, segments.iter().copied())
            .body((*body).clone())
            .limit(operation.limit())
            .counted_as("huaweicloud", operation.action())
            .header(DATE, signed.date)
            .secret_header("authorization", signed.authorization);
        for (name, value) in query {
            call = call.query(name, value);
        }
        for (name, value) in headers {
            call = call.header(name, *value);
        }
        if let Some(token) = &self.keys.security_token {
            call = call.secret_header(SECURITY_TOKEN, token.clone());
        }
        self.http.send(call).await
    }

    fn pause(&self, endpoint: &Endpoint) -> Arc<Pause> {
        let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.retain(|_, it| Arc::strong_count(it) > 1 || it.left() > Duration::ZERO);
        pauses.entry(endpoint.clone()).or_default().clone()
    }
}

#[derive(Deserialize)]
struct Projects {
    projects: Vec<Project>,
}

#[derive(Deserialize)]
struct Project {
    id: String,
}

/// A hash over every member. Destructured without `..`: a new member does not compile until it is in the hash.
fn fingerprint(account: &HuaweiAccount) -> [u8; 32] {
    let HuaweiAccount { environment, keys } = account;
    let HuaweiKeys { access_key_id, secret, security_token } = keys;
    let mut parts = match environment {
        HuaweiEnvironment::Public => vec!["public"],
        HuaweiEnvironment::Custom(HuaweiEndpoints { iotda, iotda_instance, iam, signing, ca_bundle }) => {
            vec![
                "custom",
                iotda,
                iotda_instance.as_deref().unwrap_or("none"),
                iam.as_deref().unwrap_or("none"),
                match signing {
                    HuaweiSigning::Auto => "auto",
                    HuaweiSigning::Basic => "basic",
                    HuaweiSigning::Derived => "derived",
                },
                ca_bundle.as_deref().unwrap_or("none"),
            ]
        }
    };
    parts.extend([access_key_id.as_str(), secret, security_token.as_ref().map_or("", |it| it.as_str())]);
    hash_of(&parts)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
