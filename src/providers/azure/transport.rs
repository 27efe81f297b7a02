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

use super::sign_in::NoToken;
use crate::http::{Body, Call, Endpoint, Http, Method, Refusal};

/// The way to one tenant's token endpoint.
#[derive(Debug)]
struct TokenEndpoint {
    http: Http,
    authority: Endpoint,
    tenant: String,
}

/// The transport that a credential for this tenant sends through.
pub(super) fn transport(http: Http, authority: Endpoint, tenant: String) -> Transport {
    Transport::new(Arc::new(TokenEndpoint { http, authority, tenant }))
}

impl TokenEndpoint {
    /// The SDK's request, made anew from what we know; of the SDK's only the form is used, and where it wanted to go is
    /// compared.
    fn call(&self, request: &Request) -> Result<Call, NoToken> {
        let path = [self.tenant.as_str(), "oauth2", "v2.0", "token"];
        let wanted = format!("{}/{}", self.authority, path.join("/"));
        let form = match request.body() {
            SdkBody::Bytes(bytes) => Zeroizing::new(bytes.to_vec()),
            SdkBody::SeekableStream(_) => return Err(NoToken::Client),
        };
        if request.method() != SdkMethod::Post || request.url().as_str() != wanted {
            return Err(NoToken::Unanswered(Refusal::Plan.into()));
        }
        Ok(Call::new(Method::Post, &self.authority, path).body(Body::form(form)))
    }

    async fn token(&self, request: &Request) -> Result<AsyncRawResponse, NoToken> {
        let answer = self.http.send(self.call(request)?).await?;
        NoToken::check(&answer, answer.retry_after(Timestamp::now()))?;
        Ok(AsyncRawResponse::from_bytes(StatusCode::Ok, Headers::new(), answer.body.to_vec()))
    }
}

#[async_trait]
impl HttpClient for TokenEndpoint {
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
            return *why;
        }
        next = error.source();
    }
    NoToken::Client
}
