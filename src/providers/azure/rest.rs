//! Calls to Resource Manager and to key vaults, in one identity's name.

use std::sync::Arc;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::credential::{Credential, Token};
use super::error_body;
use super::failure::{Failure, What};
use crate::engine::term::Term;
use crate::http::{Answer, Body, Call, Endpoint, Http, Limit, Method};
use crate::providers::failure::Fault;
use crate::providers::pace::{Pace, Pause, Writers};
use crate::providers::random::request_id;

/// The services that are called this way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// Azure Resource Manager.
    ResourceManager,
    /// The data plane of Azure Key Vault.
    KeyVault,
}

impl Service {
    /// Its name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Self::ResourceManager => "Azure Resource Manager",
            Self::KeyVault => "Azure Key Vault",
        }
    }

    /// How many segments name what is written one at a time: a parent such as a hub
    /// (`subscriptions/s/resourceGroups/g/providers/namespace/type/name`), or one certificate of a vault.
    fn writes_apart(self) -> usize {
        match self {
            Self::ResourceManager => 8,
            Self::KeyVault => 2,
        }
    }

    /// Whether 202 says what was asked for, and not only that the service is still at it.
    fn answers_with_accepted(self) -> bool {
        self == Self::KeyVault
    }
}

/// One service, as one identity sees it.
pub struct Rest {
    http: Http,
    endpoint: Endpoint,
    credential: Arc<Credential>,
    pace: Pace,
    /// That the host asked for.
    pause: Pause,
    writers: Arc<Writers>,
    term: Term,
}

/// One call.
#[derive(Clone, Debug)]
pub struct RestCall<'a> {
    /// The service.
    pub service: Service,
    /// The method; all but GET count as writes.
    pub method: Method,
    /// The path's segments; each is checked and encoded.
    pub segments: &'a [&'a str],
    /// The `api-version`.
    pub api_version: &'a str,
    /// Where a listing goes on, and how much of it is asked for, in the service's own parameters.
    pub page: Vec<(&'static str, String)>,
    /// The ETag that the object must still have, as the service gave it.
    pub if_match: Option<&'a str>,
    /// The request's body.
    pub body: Body,
    /// The permission that the call needs, for example `Microsoft.Devices/iotHubs/certificates/write`.
    pub action: &'static str,
    /// How large the answer may be.
    pub limit: Limit,
}

impl<'a> RestCall<'a> {
    /// A call to Resource Manager, without ETag and body.
    pub fn new(method: Method, segments: &'a [&'a str], api_version: &'a str, action: &'static str) -> Self {
        Self {
            service: Service::ResourceManager,
            method,
            segments,
            api_version,
            page: Vec::new(),
            if_match: None,
            body: Body::none(),
            action,
            limit: Limit::Object,
        }
    }

    /// A failure of this call.
    pub fn failed(&self, what: impl Into<What>) -> Failure {
        Failure {
            service: self.service,
            what: what.into(),
            write: self.method != Method::Get,
            action: self.action,
        }
    }
}

impl Rest {
    pub(super) fn new(
        http: Http,
        endpoint: Endpoint,
        credential: Arc<Credential>,
        pace: Pace,
        writers: Arc<Writers>,
        term: Term,
    ) -> Self {
        Self { http, endpoint, credential, pace, pause: Pause::default(), writers, term }
    }

    /// Makes the call when its turn comes. Gives 2xx, other than 202 where that says nothing yet; all else is a [`Failure`]. If the token is refused,
    /// the call is made once more with a new one; nothing else is repeated.
    pub async fn call(&self, call: &RestCall<'_>) -> Result<Answer, Failure> {
        let no_token = |error| call.failed(What::NoToken(error));
        let token = self.credential.token().await.map_err(no_token)?;
        let write = call.method != Method::Get;
        let _writing = match write {
            true => Some(self.writers.turn(written_apart(&self.endpoint, call)).await),
            false => None,
        };
        let paced = |wait| call.failed(Fault::Paced(wait));
        self.pace.admit(call.method, &self.pause).await.map_err(paced)?;
        if write && !self.term.lasts() {
            return Err(call.failed(Fault::TermOver));
        }
        let mut answer = self.send(call, &token).await?;
        if answer.status == 401
            && let Some(token) = self.credential.renewed(&token).await.map_err(no_token)?
        {
            if write && !self.term.lasts() {
                return Err(call.failed(Fault::TermOver));
            }
            answer = self.send(call, &token).await?;
        }
        match answer.status {
            202 if !call.service.answers_with_accepted() => Err(call.failed(What::Working)),
            200..=299 => Ok(answer),
            status => {
                let retry_after = answer.retry_after(Timestamp::now());
                if let (429 | 503, Some(time)) = (status, retry_after) {
                    self.pause.leave_alone(time); // of the host, not of the one object
                }
                Err(call.failed(What::Answered { status, body: error_body::parse(&answer), retry_after }))
            }
        }
    }

    /// Makes the call, and reads the answer's body.
    pub async fn read<T: DeserializeOwned>(&self, call: &RestCall<'_>) -> Result<T, Failure> {
        self.call(call).await?.json().map_err(|_| call.failed(Fault::Unreadable))
    }

    async fn send(&self, call: &RestCall<'_>, token: &Token) -> Result<Answer, Failure> {
        let mut request = Call::new(call.method, &self.endpoint, call.segments.iter().copied())
            .query("api-version", call.api_version)
            .header("x-ms-client-request-id", request_id())
            .bearer(token)
            .body(call.body.clone())
            .limit(call.limit)
            .counted_as(super::PROVIDER, call.action);
        for (parameter, value) in &call.page {
            request = request.query(parameter, value);
        }
        if let Some(etag) = call.if_match {
            request = request.if_match(etag);
        }
        self.http.send(request).await.map_err(|error| call.failed(Fault::Unanswered(error)))
    }
}

/// What a write is one at a time for.
fn written_apart(endpoint: &Endpoint, call: &RestCall<'_>) -> String {
    let depth = call.segments.len().min(call.service.writes_apart());
    format!("{endpoint}/{}", call.segments[..depth].join("/")).to_ascii_lowercase()
}
