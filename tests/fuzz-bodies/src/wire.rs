//! Endpoints, planned calls and `Retry-After`: what outside text may make of a request, and of a wait.

use std::time::Duration;

use certferry::http::{
    Answer, Body, Call, Endpoint, HttpError, LONGEST_WAIT, Method, Plan, retry_after as wait,
};
use http::{HeaderMap, HeaderValue, Uri, header};
use jiff::Timestamp;
use url::Url;

use crate::{cloud, plain};

/// Moments at which a wait is asked for: the epoch, some day, the last that a certificate can name.
const MOMENTS: [i64; 4] = [0, 1_893_456_000, 4_102_444_800, 253_402_207_200];

/// A `Retry-After` value.
pub fn retry_after(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    for moment in MOMENTS {
        let now = Timestamp::from_second(moment).expect("it is in range");
        let asked = wait(&text, now);
        assert_eq!(asked, wait(&text, now), "one input, two results");
        assert!(asked.is_none_or(|it| Duration::ZERO < it && it <= LONGEST_WAIT), "{asked:?}");
        let Ok(value) = HeaderValue::from_bytes(input) else { continue };
        let headers = HeaderMap::from_iter([(header::RETRY_AFTER, value)]);
        let heard = Answer::new(429, headers, Vec::new().into()).retry_after(now);
        assert!(heard.is_none() || heard == asked, "{heard:?} was heard, {asked:?} was said");
    }
}

/// The URL of an endpoint.
pub fn endpoint(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let read = Endpoint::parse(&text);
    assert_eq!(read, Endpoint::parse(&text), "one input, two results");
    match read {
        Ok(endpoint) => {
            let shown = endpoint.to_string();
            assert!(shown.is_ascii() && shown.starts_with("https://"), "{shown}");
            assert_eq!(Endpoint::parse(&shown).as_ref(), Ok(&endpoint), "{shown}");
            // Another parser reads the same from what was written and from what is shown.
            for text in [&*text, &shown] {
                let url = Url::parse(text).expect("another parser reads it");
                let known = Url::parse(&shown).expect("what is shown is read");
                assert_eq!(url.origin(), known.origin(), "{text:?}");
                assert_eq!(url.port_or_known_default(), Some(endpoint.port()), "{text:?}");
                assert_eq!((url.path(), url.query(), url.fragment()), ("/", None, None), "{text:?}");
                assert!(url.username().is_empty() && url.password().is_none(), "{text:?}");
            }
        }
        Err(error) => plain::error(&error, input),
    }
}

/// A call: fields with `|` between them. The first is the endpoint, then path segments; one that begins with `?` is a
/// query value, one with `!` an ETag, one with `&` the body.
pub fn call(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let mut fields = text.split('|');
    let Ok(endpoint) = Endpoint::parse(fields.next().unwrap_or_default()) else { return };
    let (mut segments, mut queries, mut etag, mut body) = (Vec::new(), Vec::new(), None, None);
    for field in fields {
        match field.split_at_checked(1) {
            Some(("?", value)) => queries.push(value),
            Some(("!", value)) => etag = Some(value),
            Some(("&", value)) => body = Some(value),
            _ => segments.push(field),
        }
    }
    let method = if body.is_some() { Method::Put } else { Method::Get };
    let mut call = Call::new(method, &endpoint, segments.iter().copied()).bearer("a-token");
    for value in &queries {
        call = call.query("api-version", *value);
    }
    if let Some(etag) = etag {
        call = call.if_match(etag);
    }
    call = call.body(body.map_or_else(Body::none, |it| Body::json(&it)));
    match cloud::planned(call) {
        Ok(plan) => as_asked(&plan, &endpoint, &segments, &queries, etag, body),
        Err(error) => {
            assert!(error.certainly_unseen() && matches!(error, HttpError::Refused(_)), "{error:?}");
            plain::error(&error, input);
        }
    }
}

/// What would be sent is what was asked for, part by part, and another parser reads it the same way.
fn as_asked(
    plan: &Plan,
    endpoint: &Endpoint,
    segments: &[&str],
    queries: &[&str],
    etag: Option<&str>,
    body: Option<&str>,
) {
    let url = &plan.url;
    assert_eq!(url.origin().ascii_serialization(), endpoint.to_string());
    let path: Vec<_> = url.path_segments().into_iter().flatten().map(decoded).collect();
    let wanted = if segments.is_empty() { &[""][..] } else { segments };
    assert_eq!(path, wanted, "{url}");
    assert!(
        path.iter().all(|it| *it != "." && *it != ".." && !it.contains(['/', '\\', '%', '\r', '\n', '\0']))
    );
    let pairs: Vec<_> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
    let wanted: Vec<_> = queries.iter().map(|it| ("api-version".to_owned(), (*it).to_owned())).collect();
    assert_eq!(pairs, wanted, "{url}");
    assert_eq!(url.fragment(), None);
    let uri: Uri = url.as_str().parse().expect("another parser reads it");
    assert_eq!((uri.path(), uri.query()), (url.path(), url.query()));
    assert_eq!(uri.host(), url.host_str());

    let header = |name| plan.headers.get(name).map(HeaderValue::as_bytes);
    assert_eq!(header(header::IF_MATCH).is_some(), etag.is_some());
    assert!(plan.headers.values().all(|it| it.as_bytes().iter().all(|b| (b' '..=b'~').contains(b))));
    assert!(plan.headers[header::AUTHORIZATION].is_sensitive());
    let sent = plan.body.as_ref().map(|it| serde_json::from_slice::<String>(it).expect("it is JSON"));
    assert_eq!(sent.as_deref(), body);
}

fn decoded(segment: &str) -> String {
    let as_query = segment.replace('+', "%2B");
    let mut pairs = url::form_urlencoded::parse(as_query.as_bytes());
    pairs.next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}
