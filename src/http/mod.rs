//! The one HTTP client to clouds: limits, trust and the check of what is sent where. It knows no provider.
//!
//! It speaks HTTP/1.1 over TLS 1.2 or later, and in the clear only to the machine's own metadata service. It follows no
//! redirect, repeats nothing, keeps no cookies, uses no proxy from the
//! environment, and never sleeps. Each answer, whatever its status, is the caller's to judge.

mod answer;
mod call;
mod endpoint;
mod error;
mod proxy;
mod resolver;
mod retry_after;
mod told;

use std::fmt;
use std::time::Duration;

use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use reqwest::{Certificate, Client, Request, redirect, retry, tls};
use tokio::time::Instant;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt, service_fn};
use tracing::Instrument;

pub use answer::{Answer, Unreadable};
pub use call::{Body, Call, Label, Limit, Method, Plan};
pub use endpoint::{BadEndpoint, Endpoint};
use endpoint::{Host, Scheme};
pub use error::{Distrust, HttpError, NoConnection, Refusal};
pub use proxy::{BadProxy, Proxy};
use resolver::{Reach, Resolver};

use crate::metrics::Metrics;
pub use retry_after::{LONGEST_WAIT, retry_after};

/// Name resolution, TCP and TLS handshake together, until a request can be sent.
const CONNECT: Duration = Duration::from_secs(5);
/// The whole call, to the last byte of the body.
const TOTAL: Duration = Duration::from_secs(30);
/// How long an idle connection is kept; services close theirs after a few minutes.
const IDLE: Duration = Duration::from_secs(60);
/// Idle connections to a host: as many as an account has calls at a time, so that a burst finds those of the last.
const KEPT: usize = 8;
/// An answer's header block.
const HEADER_BLOCK: usize = 64 * 1024;
/// The most that a CA bundle may have, in bytes and certificates. The usual bundle of public CAs has half of each.
const BUNDLE: (usize, usize) = (512 * 1024, 300);

/// The client. Clones share its connections.
#[derive(Clone)]
pub struct Http {
    wire: BoxCloneSyncService<Plan, Answer, HttpError>,
    reach: Reach,
    metrics: Metrics,
}

/// Whom the client trusts, which addresses it may dial, and how it gets there.
pub struct Trust {
    roots: Vec<Certificate>,
    reach: Reach,
    proxy: Option<Proxy>,
}

/// Why there is no trust to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// The bundle is not PEM certificates, or has too many.
    #[error("the CA bundle is not PEM with 1 to 300 certificates")]
    Bundle,
    /// Neither the platform nor the bundle gave a CA certificate.
    #[error("no CA certificates were found; mount a bundle and name it in SSL_CERT_FILE")]
    NoRoots,
}

impl Trust {
    /// The platform's CAs (`SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured), and the clouds' own endpoints.
    pub fn clouds() -> Self {
        Self { roots: Vec::new(), reach: Reach::Clouds, proxy: None }
    }

    /// For the machine's own instance metadata service: plain HTTP, to its one address.
    pub fn instance_metadata() -> Self {
        Self { roots: Vec::new(), reach: Reach::InstanceMetadata, proxy: None }
    }

    /// The platform's CAs and those of an administrator, whose own endpoints may stand at loopback too.
    pub fn administrator(ca_bundle: Option<&str>) -> Result<Self, TrustError> {
        let roots = match ca_bundle {
            Some(pem) if pem.len() > BUNDLE.0 => return Err(TrustError::Bundle),
            Some(pem) => Certificate::from_pem_bundle(pem.as_bytes()).map_err(|_| TrustError::Bundle)?,
            None => Vec::new(),
        };
        if ca_bundle.is_some() && !(1..=BUNDLE.1).contains(&roots.len()) {
            return Err(TrustError::Bundle);
        }
        Ok(Self { roots, reach: Reach::Loopback, proxy: None })
    }

    /// The same, by way of a proxy if there is one.
    #[must_use]
    pub fn through(self, proxy: Option<Proxy>) -> Self {
        Self { proxy, ..self }
    }
}

impl Http {
    /// A client with this trust. Reads the platform's CA certificates.
    pub fn new(trust: &Trust) -> Result<Self, TrustError> {
        let builder = Client::builder().no_proxy(); // none from the environment
        let builder = match &trust.proxy {
            Some(proxy) => builder.proxy(proxy.way()),
            None => builder,
        };
        let client = builder
            .https_only(trust.reach != Reach::InstanceMetadata)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .referer(false)
            .http1_only()
            .tls_version_min(tls::Version::TLS_1_2)
            .tls_certs_merge(trust.roots.iter().cloned())
            .dns_resolver(Resolver { reach: trust.reach })
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(KEPT)
            .user_agent(concat!("certferry/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|_| if trust.roots.is_empty() { TrustError::NoRoots } else { TrustError::Bundle })?;
        let proxied = trust.proxy.is_some();
        let carry = move |plan: Plan| carry(client.clone(), proxied, plan);
        Ok(Self {
            wire: BoxCloneSyncService::new(service_fn(carry)),
            reach: trust.reach,
            metrics: Metrics::default(),
        })
    }

    /// A client whose calls, checked and planned as ever, are carried by something else: a simulation.
    pub fn over<S>(wire: S) -> Self
    where
        S: Service<Plan, Response = Answer, Error = HttpError> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        Self { wire: BoxCloneSyncService::new(wire), reach: Reach::Loopback, metrics: Metrics::default() }
    }

    /// The same client, whose calls are counted there.
    #[must_use]
    pub fn recording(self, metrics: &Metrics) -> Self {
        Self { metrics: metrics.clone(), ..self }
    }

    /// Sends the call once, and gives the whole answer or says what is known of a missing one.
    pub async fn send(&self, call: Call) -> Result<Answer, HttpError> {
        if let Host::Address(address) = call.endpoint().host()
            && !self.reach.allows(*address)
        {
            return Err(Refusal::Address.into()); // the resolver sees names only
        }
        if (call.endpoint().scheme() == Scheme::Http) != (self.reach == Reach::InstanceMetadata) {
            return Err(Refusal::Address.into());
        }
        let (label, write) = (call.label(), call.is_write());
        let plan = call.plan()?;
        let (begun, span) = (Instant::now(), told::begin(label, &plan.headers));
        // Longer than the limit for connecting, so when it ends, the request may have been sent.
        let answer =
            tokio::time::timeout(TOTAL, self.wire.clone().oneshot(plan)).instrument(span.clone()).await;
        let answer = answer.unwrap_or(Err(HttpError::TimedOut));
        let (status, took) = (answer.as_ref().ok().map(|it| it.status), begun.elapsed());
        let Label { provider, operation } = label;
        self.metrics.called(provider, operation, write, status, took);
        told::end(&span, write, &answer, took);
        answer
    }
}

/// Over the network.
async fn carry(client: Client, proxied: bool, plan: Plan) -> Result<Answer, HttpError> {
    let mut request = Request::new(plan.method.clone(), plan.url.clone());
    *request.headers_mut() = plan.headers.clone();
    *request.body_mut() = plan.body.as_ref().map(|bytes| bytes.to_vec().into());
    if !plan.describes(request.url()) {
        tracing::error!("the final form of a request differs from its plan; it was not sent");
        return Err(Refusal::Plan.into());
    }
    let mut response = client.execute(request).await.map_err(|error| HttpError::of(&error, proxied))?;
    let headers = std::mem::take(response.headers_mut());
    if block_size(&headers) > HEADER_BLOCK {
        return Err(HttpError::TooLarge);
    }
    if headers
        .get_all(CONTENT_ENCODING)
        .iter()
        .any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(HttpError::Encoded);
    }
    let mut body = zeroize::Zeroizing::new(Vec::new());
    while let Some(chunk) = response.chunk().await.map_err(|_| HttpError::Cut)? {
        if body.len() + chunk.len() > plan.limit.bytes() {
            return Err(HttpError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer::new(response.status().as_u16(), headers, body))
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("reach", &self.reach).finish_non_exhaustive()
    }
}

/// Names, values, and `: ` and the line's end of each.
fn block_size(headers: &HeaderMap) -> usize {
    headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum()
}

#[cfg(test)]
pub(crate) use proxy::tests as test_proxy;
#[cfg(test)]
pub(crate) mod test_server;
#[cfg(test)]
mod tests;
