//! What traces and the log tell of a call: who was asked for what, what the answer's status was, and the ids by which a
//! vendor's support finds it. Nothing else of an answer, and not for conditions: ids differ from one attempt to the next.

use std::time::Duration;

use reqwest::header::HeaderMap;
use tracing::Span;
use tracing::field::Empty;

use super::{Answer, HttpError, Label};

/// The id that we give a request, where the service takes one.
const OURS: (&str, &str) = ("client_request_id", "x-ms-client-request-id");

/// The ids that services give: the field, and the headers that it comes from.
const THEIRS: [(&str, &[&str]); 3] = [
    ("request_id", &["x-ms-request-id", "x-request-id"]),
    ("correlation_id", &["x-ms-correlation-request-id"]),
    ("routing_id", &["x-ms-routing-request-id"]),
];

/// The longest id that is told.
const LONGEST: usize = 128;

/// A call begins.
pub(super) fn begin(Label { provider, operation }: Label, headers: &HeaderMap) -> Span {
    let span = tracing::info_span!(
        "call",
        otel.kind = "client",
        provider,
        operation,
        status = Empty,
        client_request_id = Empty,
        request_id = Empty,
        correlation_id = Empty,
        routing_id = Empty,
        otel.status_code = Empty,
    );
    let (field, header) = OURS;
    if let Some(id) = headers.get(header).and_then(|it| id(it.to_str().ok()?)) {
        span.record(field, id);
    }
    span
}

/// It ended. Writes are told to everybody, reads to who asks for more.
pub(super) fn end(span: &Span, write: bool, answer: &Result<Answer, HttpError>, took: Duration) {
    let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    if let Ok(answer) = answer {
        span.record("status", answer.status);
        for (field, headers) in THEIRS {
            if let Some(id) = headers.iter().find_map(|it| id(answer.header(it)?)) {
                span.record(field, id);
            }
        }
    }
    if !answer.as_ref().is_ok_and(Answer::is_success) {
        span.record("otel.status_code", "ERROR");
    }
    let _within = span.enter();
    match answer {
        Ok(_) if write => tracing::info!(duration_ms, "the service answered"),
        Ok(_) => tracing::debug!(duration_ms, "the service answered"),
        Err(error) if write => tracing::info!(duration_ms, %error, "the service did not answer"),
        Err(error) => tracing::debug!(duration_ms, %error, "the service did not answer"),
    }
}

/// The text, if it has the form of an id: what a service sends stands in our logs only so far.
fn id(text: &str) -> Option<&str> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"-_.:/".contains(&b);
    ((1..=LONGEST).contains(&text.len()) && text.bytes().all(fits)).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_what_looks_like_an_id_is_told() {
        for (text, told) in [
            ("6c2d1c1a-5d0e-4a53-8a5b-0b6f1f7b4a55", true),
            ("WESTEUROPE:20300101T000000Z:6c2d1c1a-5d0e", true),
            ("", false),
            ("two words", false),
            ("{\"token\":\"eyJ0\"}", false),
            (&"a".repeat(LONGEST + 1), false),
        ] {
            assert_eq!(id(text).is_some(), told, "{text}");
        }
    }

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    /// What is logged of a call that was answered like that.
    fn logged(headers: &[(&'static str, &'static str)]) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        let subscriber = tracing_subscriber::fmt().json().with_writer(move || to.clone()).finish();
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        let answer = Answer::new(403, headers.collect(), b"canary".to_vec().into());
        tracing::subscriber::with_default(subscriber, || {
            let label = Label { provider: "cloud", operation: "write" };
            let span = begin(
                label,
                &HeaderMap::from_iter([(HeaderName::from_static(OURS.1), HeaderValue::from_static("ours"))]),
            );
            end(&span, true, &Ok(answer), Duration::from_millis(7));
        });
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn the_ids_of_both_clouds_are_told_and_no_body() {
        let azure = [
            ("x-ms-request-id", "one"),
            ("x-ms-correlation-request-id", "two"),
            ("x-ms-routing-request-id", "three"),
        ];
        for (headers, told) in [
            (&azure[..], [r#""request_id":"one""#, r#""correlation_id":"two""#]),
            (&[("x-request-id", "four")], [r#""request_id":"four""#, r#""duration_ms":7"#]),
            (&[], [r#""client_request_id":"ours""#, r#""status":403"#]),
        ] {
            let line = logged(headers);
            assert!(told.iter().all(|it| line.contains(it)) && !line.contains("canary"), "{line}");
        }
    }
}
