//! Lets the token client of the Azure SDK send through our HTTP client: one request, to one address, and nothing of an
//! answer but a token that was looked at.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::{Error, ErrorKind};
use azure_core::http::headers::Headers;
use azure_core::http::{
    AsyncRawResponse, Body as SdkBody, HttpClient, Method as SdkMethod, Request, StatusCode, Transport,
};
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::PROVIDER;
use super::sign_in::NoToken;
use crate::http::{Body, Call, Endpoint, Http, HttpError, Method, Refusal};
use crate::metrics::TOKEN;

/// Where tokens are issued, and the way there.
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    http: Http,
    endpoint: Endpoint,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    /// Entra, for one tenant.
    Authority { tenant: String },
    /// The machine's own, for managed identities.
    Metadata,
}

/// Where the SDK believes the instance metadata service to be.
const METADATA: &str = "http://169.254.169.254/metadata/identity/oauth2/token";

/// What the SDK asks of it.
const METADATA_QUERY: [&str; 3] = ["api-version", "resource", "client_id"];

/// The transport that a credential sends through.
pub(super) fn transport(issuer: Issuer) -> Transport {
    Transport::new(Arc::new(issuer))
}

impl Issuer {
    /// A tenant's token endpoint.
    pub(super) fn authority(http: Http, endpoint: Endpoint, tenant: String) -> Self {
        Self { http, endpoint, kind: Kind::Authority { tenant } }
    }

    /// An instance metadata service.
    pub(super) fn metadata(http: Http, endpoint: Endpoint) -> Self {
        Self { http, endpoint, kind: Kind::Metadata }
    }

    /// The SDK's request, made anew from what we know; of the SDK's only the form or the query is used, and where it
    /// wanted to go is compared.
    fn call(&self, request: &Request) -> Result<Call, NoToken> {
        match &self.kind {
            Kind::Authority { tenant } => {
                let path = [tenant.as_str(), "oauth2", "v2.0", "token"];
                let wanted = format!("{}/{}", self.endpoint, path.join("/"));
                let form = match request.body() {
                    SdkBody::Bytes(bytes) => Zeroizing::new(bytes.to_vec()),
                    SdkBody::SeekableStream(_) => return Err(NoToken::Client),
                };
                self.expect(request.method() == SdkMethod::Post && request.url().as_str() == wanted)?;
                Ok(Call::new(Method::Post, &self.endpoint, path)
                    .body(Body::form(form))
                    .counted_as(PROVIDER, TOKEN))
            }
            Kind::Metadata => {
                let url = request.url();
                let wanted = url.query().map(|query| format!("{METADATA}?{query}"));
                self.expect(request.method() == SdkMethod::Get && wanted.as_deref() == Some(url.as_str()))?;
                let path = ["metadata", "identity", "oauth2", "token"];
                let mut call = Call::new(Method::Get, &self.endpoint, path)
                    .header("metadata", "true")
                    .counted_as(PROVIDER, TOKEN);
                for (name, value) in url.query_pairs() {
                    let known = METADATA_QUERY.into_iter().find(|it| *it == name);
                    self.expect(known.is_some())?;
                    call = call.query(known.unwrap_or_default(), value);
                }
                Ok(call)
            }
        }
    }

    fn expect(&self, as_planned: bool) -> Result<(), NoToken> {
        if as_planned { Ok(()) } else { Err(self.unanswered(Refusal::Plan.into())) }
    }

    fn unanswered(&self, error: HttpError) -> NoToken {
        let place = match self.kind {
            Kind::Authority { .. } => "token endpoint",
            Kind::Metadata => "instance metadata service",
        };
        NoToken::Unanswered { error, place }
    }

    async fn token(&self, request: &Request) -> Result<AsyncRawResponse, NoToken> {
        let answer = self.http.send(self.call(request)?).await.map_err(|error| self.unanswered(error))?;
        let retry_after = answer.retry_after(Timestamp::now());
        match self.kind {
            Kind::Authority { .. } => NoToken::check(&answer, retry_after)?,
            Kind::Metadata => NoToken::check_metadata(&answer, retry_after)?,
        }
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), answer.body.to_vec()))
    }
}

#[async_trait]
impl HttpClient for Issuer {
    /// Fails with a [`NoToken`] inside, of a kind that the SDK does not retry.
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        self.token(request).await.map_err(|why| Error::new(ErrorKind::Other, why))
    }
}

/// The reason that our transport put into the SDK's error.
pub(super) fn reason(error: &Error) -> NoToken {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(why) = error.downcast_ref::<NoToken>() {
            return why.clone();
        }
        next = error.source();
    }
    NoToken::Client
}
