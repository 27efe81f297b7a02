//! A request as received, and an answer as it is meant. No bytes of HTTP here: `server` reads and writes them.

use hyper::header::{HOST, HeaderMap};
use hyper::http::request::Parts;
use hyper::{Method, StatusCode};
use serde::Serialize;

use crate::encoding;

pub(crate) struct Request {
    pub(crate) method: Method,
    /// Host and port as the client named them, in lower case: what its own links back to us are built from.
    pub(crate) authority: String,
    /// The authority without its port.
    pub(crate) host: String,
    pub(crate) raw_path: String,
    pub(crate) raw_query: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
    /// The path's segments, split first and decoded once; `None` if that cannot be done safely.
    pub(crate) segments: Option<Vec<String>>,
    /// The query's pairs; `None` if they cannot be decoded.
    pub(crate) query: Option<Vec<(String, String)>>,
}

impl Request {
    pub(crate) fn new(parts: &Parts, body: Vec<u8>) -> Self {
        let header = || parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let authority = parts.uri.authority().map(|authority| authority.as_str()).or_else(header);
        let authority = authority.unwrap_or_default().to_ascii_lowercase();
        let raw_path = parts.uri.path().to_owned();
        let raw_query = parts.uri.query().map(str::to_owned);
        Self {
            method: parts.method.clone(),
            host: without_port(&authority).trim_end_matches('.').to_owned(),
            authority,
            segments: segments(&raw_path),
            query: encoding::pairs(raw_query.as_deref().unwrap_or_default()),
            raw_path,
            raw_query,
            headers: parts.headers.clone(),
            body,
        }
    }

    /// All values of a query parameter; names compare without regard to case, as ARM does.
    pub(crate) fn query_values(&self, name: &str) -> Vec<&str> {
        let pairs = self.query.iter().flatten();
        pairs.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The media type, in lower case and without parameters.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    pub(crate) fn segments(&self) -> &[String] {
        self.segments.as_deref().unwrap_or_default()
    }
}

fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    }
}

/// `/a/b%2Dc/` → `a`, `b-c`. One slash at the end is allowed. Dot segments are refused, also when escaped: a real
/// front end would remove them, and then the path means another resource than the client named.
fn segments(raw_path: &str) -> Option<Vec<String>> {
    let inner = raw_path.strip_prefix('/')?;
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    if inner.is_empty() {
        return Some(Vec::new());
    }
    inner
        .split('/')
        .map(|segment| {
            let decoded = encoding::percent_decoded(segment, false)?;
            let safe = decoded != "." && decoded != ".." && !decoded.chars().any(char::is_control);
            safe.then_some(decoded)
        })
        .collect()
}

#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // Wire shapes are plain structs with text keys: serde_json cannot fail on them.
        let body = serde_json::to_vec(body).expect("wire shapes serialise");
        let json = ("content-type".to_owned(), "application/json; charset=utf-8".to_owned());
        Self { status, headers: vec![json], body }
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.set(name, value);
        self
    }

    /// Sets a header in place of one of the same name.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.headers.iter().any(|(other, _)| other.eq_ignore_ascii_case(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_split_before_it_is_decoded() {
        assert_eq!(segments("/a/b%2Fc/").as_deref(), Some(["a".to_owned(), "b/c".to_owned()].as_slice()));
        assert_eq!(segments("/").as_deref(), Some([].as_slice()));
        for unsafe_path in ["/a/../b", "/a/%2e%2E/b", "/a/.", "/a%00", "/a%zz", "a"] {
            assert_eq!(segments(unsafe_path), None, "{unsafe_path}");
        }
    }

    #[test]
    fn a_port_is_no_part_of_the_host() {
        assert_eq!(without_port("arm.localhost:443"), "arm.localhost");
        assert_eq!(without_port("arm.localhost"), "arm.localhost");
        assert_eq!(without_port("[::1]"), "[::1]");
    }
}
