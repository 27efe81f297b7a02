//! A call, planned: what is to be sent, checked before anything is sent. Text that reaches a URL or a header does so
//! only through here.

use std::fmt;

use reqwest::Url;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde::Serialize;
use zeroize::Zeroizing;

use super::endpoint::Endpoint;
use super::error::Refusal;

/// The longest path segment. The longest legal name of the services is 260 characters.
const SEGMENT: usize = 300;
/// The longest query or header value; tokens are a few thousand characters.
const VALUE: usize = 32 * 1024;
/// Headers that belong to the client itself.
const RESERVED: [&str; 8] = [
    "host",
    "connection",
    "content-length",
    "content-type",
    "transfer-encoding",
    "te",
    "upgrade",
    "accept-encoding",
];

/// How large an answer's body may be: 1 MiB, or 4 MiB for a page of a listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// One object.
    Object,
    /// A page of a listing.
    Page,
}

impl Limit {
    pub(super) fn bytes(self) -> usize {
        match self {
            Self::Object => 1024 * 1024,
            Self::Page => 4 * 1024 * 1024,
        }
    }
}

/// A request method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Reads.
    Get,
    /// Creates or replaces.
    Put,
    /// Does something else.
    Post,
    /// Changes parts.
    Patch,
    /// Removes.
    Delete,
}

impl Method {
    /// As a request says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Put => "PUT",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// A request body.
#[derive(Clone)]
pub struct Body(Content);

#[derive(Clone)]
enum Content {
    None,
    Json(Zeroizing<Vec<u8>>),
    Form(Zeroizing<Vec<u8>>),
    Unwritable,
}

/// One request, not yet checked: [`Http::send`](super::Http::send) refuses what breaks a rule.
#[derive(Clone)]
pub struct Call {
    method: Method,
    endpoint: Endpoint,
    segments: Vec<String>,
    query: Vec<(&'static str, String)>,
    headers: Vec<(&'static str, Value)>,
    body: Body,
    limit: Limit,
    label: Label,
}

/// What a call counts as: the cloud, and what is asked of it. Both are literals, so that there are few.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The cloud.
    pub provider: &'static str,
    /// What is asked.
    pub operation: &'static str,
}

#[derive(Clone)]
enum Value {
    Plain(String),
    Secret(Zeroizing<String>),
}

/// A call that may be sent, and what its final form is compared with.
pub struct Plan {
    /// Where it goes.
    pub url: Url,
    /// The method.
    pub method: reqwest::Method,
    /// The headers, those with secrets marked as sensitive.
    pub headers: HeaderMap,
    /// The body's bytes.
    pub body: Option<Zeroizing<Vec<u8>>>,
    /// How large the answer may be.
    pub limit: Limit,
    scheme: &'static str,
    host: String,
    port: u16,
    path: String,
    query: Option<String>,
}

impl Body {
    /// No body. A method that usually has one says so with `Content-Length: 0`.
    pub fn none() -> Self {
        Self(Content::None)
    }

    /// The value as JSON.
    pub fn json(value: &impl Serialize) -> Self {
        Self(serde_json::to_vec(value).map_or(Content::Unwritable, |bytes| Content::Json(bytes.into())))
    }

    /// The bytes that are sent.
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Content::Json(bytes) | Content::Form(bytes) => bytes,
            Content::None | Content::Unwritable => &[],
        }
    }

    /// Bytes that are already a form (`application/x-www-form-urlencoded`).
    pub fn form(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(Content::Form(bytes))
    }
}

impl Call {
    /// A call of `method` on the path that the segments make at the endpoint.
    pub fn new<S: Into<String>>(
        method: Method,
        endpoint: &Endpoint,
        segments: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            method,
            endpoint: endpoint.clone(),
            segments: segments.into_iter().map(Into::into).collect(),
            query: Vec::new(),
            headers: Vec::new(),
            body: Body::none(),
            limit: Limit::Object,
            label: Label { provider: "unknown", operation: "unknown" },
        }
    }

    /// What it counts as.
    #[must_use]
    pub fn counted_as(mut self, provider: &'static str, operation: &'static str) -> Self {
        self.label = Label { provider, operation };
        self
    }

    pub(super) fn label(&self) -> Label {
        self.label
    }

    /// Whether it may change something.
    pub(super) fn is_write(&self) -> bool {
        self.method != Method::Get
    }

    /// With a query parameter more.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.query.push((name, value.into()));
        self
    }

    /// With a header more.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, Value::Plain(value.into())));
        self
    }

    /// With a header more whose value is a secret.
    #[must_use]
    pub fn secret_header(mut self, name: &'static str, value: Zeroizing<String>) -> Self {
        self.headers.push((name, Value::Secret(value)));
        self
    }

    /// With a bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.secret_header("authorization", Zeroizing::new(format!("Bearer {token}")))
    }

    /// Only if the object still has this ETag: its bytes as the service gave them.
    #[must_use]
    pub fn if_match(self, etag: &str) -> Self {
        self.header("if-match", etag)
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }

    /// With this limit on the answer's body.
    #[must_use]
    pub fn limit(mut self, limit: Limit) -> Self {
        self.limit = limit;
        self
    }

    /// The endpoint that it goes to.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Checks every part, and writes down what the final form must be.
    pub(super) fn plan(&self) -> Result<Plan, Refusal> {
        let segments: Vec<String> =
            self.segments.iter().map(|text| segment(text)).collect::<Result<_, _>>()?;
        let path = format!("/{}", segments.join("/"));
        let pairs: Vec<String> =
            self.query.iter().map(|(name, value)| pair(name, value)).collect::<Result<_, _>>()?;
        let query = (!pairs.is_empty()).then(|| pairs.join("&"));
        let mut text = format!("{}{path}", self.endpoint);
        if let Some(query) = &query {
            text.push('?');
            text.push_str(query);
        }
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in &self.headers {
            let name = header_name(name)?;
            if headers.insert(name.clone(), header_value(value)?).is_some() && name != ACCEPT {
                return Err(Refusal::Header); // twice
            }
        }
        let plan = Plan {
            url: Url::parse(&text).map_err(|_| Refusal::Plan)?,
            body: self.add_body(&mut headers)?,
            method: self.method.into(),
            headers,
            limit: self.limit,
            scheme: self.endpoint.scheme().text(),
            host: self.endpoint.host().to_string(),
            port: self.endpoint.port(),
            path,
            query,
        };
        plan.describes(&plan.url).then_some(plan).ok_or(Refusal::Plan)
    }

    fn add_body(&self, headers: &mut HeaderMap) -> Result<Option<Zeroizing<Vec<u8>>>, Refusal> {
        let takes_one = match self.method {
            Method::Get | Method::Delete => false,
            Method::Put | Method::Post | Method::Patch => true,
        };
        let (bytes, kind) = match &self.body.0 {
            Content::None if takes_one => {
                headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
                return Ok(None);
            }
            Content::None => return Ok(None),
            Content::Json(bytes) if takes_one => (bytes, "application/json"),
            Content::Form(bytes) if takes_one => (bytes, "application/x-www-form-urlencoded"),
            Content::Json(_) | Content::Form(_) | Content::Unwritable => return Err(Refusal::Body),
        };
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
        Ok(Some(bytes.clone()))
    }
}

impl Plan {
    /// Whether a URL is, part by part, the one that was planned.
    pub(super) fn describes(&self, url: &Url) -> bool {
        url.scheme() == self.scheme
            && url.username().is_empty()
            && url.password().is_none()
            && url.host_str() == Some(&self.host)
            && url.port_or_known_default() == Some(self.port)
            && url.path() == self.path
            && url.query() == self.query.as_deref()
            && url.fragment().is_none()
    }
}

impl From<Method> for reqwest::Method {
    fn from(method: Method) -> Self {
        match method {
            Method::Get => Self::GET,
            Method::Put => Self::PUT,
            Method::Post => Self::POST,
            Method::Patch => Self::PATCH,
            Method::Delete => Self::DELETE,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Content::None => "none",
            Content::Json(_) => "JSON",
            Content::Form(_) => "form",
            Content::Unwritable => "unwritable",
        })
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}/{}", self.method, self.endpoint, self.segments.join("/").escape_debug())
    }
}

/// One path segment, percent-encoded. Characters that servers or proxies read as a separator, as an escape or as the
/// start of a parameter are refused rather than encoded: what lies behind may decode them once more.
fn segment(text: &str) -> Result<String, Refusal> {
    let bad = |b: u8| !b.is_ascii_graphic() || matches!(b, b'/' | b'\\' | b'%' | b'?' | b'#' | b';');
    if text.is_empty() || text.len() > SEGMENT || text == "." || text == ".." || text.bytes().any(bad) {
        return Err(Refusal::Segment);
    }
    Ok(percent_encoded(text))
}

fn pair(name: &str, value: &str) -> Result<String, Refusal> {
    let fine = |text: &str| text.len() <= VALUE && text.bytes().all(|b| (b' '..=b'~').contains(&b));
    if name.is_empty() || !fine(name) || !fine(value) {
        return Err(Refusal::Query);
    }
    Ok(format!("{}={}", percent_encoded(name), percent_encoded(value)))
}

fn header_name(name: &'static str) -> Result<HeaderName, Refusal> {
    let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Refusal::Header)?;
    if RESERVED.contains(&name.as_str()) { Err(Refusal::Header) } else { Ok(name) }
}

fn header_value(value: &Value) -> Result<HeaderValue, Refusal> {
    let (text, secret) = match value {
        Value::Plain(text) => (text.as_str(), false),
        Value::Secret(text) => (text.as_str(), true),
    };
    let fine = !text.is_empty()
        && text.len() <= VALUE
        && text.bytes().all(|b| (b' '..=b'~').contains(&b))
        && text.trim_matches(' ') == text;
    let mut value = HeaderValue::from_str(text).ok().filter(|_| fine).ok_or(Refusal::Header)?;
    value.set_sensitive(secret);
    Ok(value)
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn percent_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

#[cfg(test)]
#[path = "call_tests.rs"]
mod tests;
