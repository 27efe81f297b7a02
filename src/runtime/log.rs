//! The log: one JSON object a line, in which the fields of a pass and of a call stand beside those of the event, each under
//! one name wherever it comes from; or text for people.

use std::fmt;
use std::io::IsTerminal;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{EnvFilter, Layer, fmt as log};

use super::LogFormat;

/// What is written to standard error.
pub(super) fn layer<S>(format: LogFormat, filter: EnvFilter) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    match format {
        LogFormat::Json => json(std::io::stderr).with_filter(filter).boxed(),
        LogFormat::Text => {
            let text = log::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
            text.with_filter(filter).boxed()
        }
    }
}

/// JSON lines, written there.
fn json<S, W>(to: W) -> impl Layer<S>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    log::layer().fmt_fields(JsonFields::new()).event_format(Flat).with_writer(to)
}

/// One flat object: the fields of the spans from the outermost on, then those of the event.
struct Flat;

impl<S, N> FormatEvent<S, N> for Flat
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        within: &FmtContext<'_, S, N>,
        mut to: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        for span in within.event_scope().into_iter().flat_map(|it| it.from_root()) {
            if let Some(written) = span.extensions().get::<FormattedFields<N>>() {
                let of_span: Map<String, Value> = serde_json::from_str(written).unwrap_or_default();
                fields.0.extend(of_span.into_iter().filter(|(name, _)| !name.starts_with("otel.")));
            }
        }
        event.record(&mut fields);
        let about = event.metadata();
        for (name, text) in [
            ("timestamp", Timestamp::now().to_string()),
            ("level", about.level().to_string()),
            ("target", about.target().to_owned()),
        ] {
            fields.0.insert(name.to_owned(), text.into());
        }
        writeln!(to, "{}", serde_json::to_string(&fields.0).map_err(|_| fmt::Error)?)
    }
}

#[derive(Default)]
struct Fields(Map<String, Value>);

impl Fields {
    fn add(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }
}

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::json;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;

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

    #[test]
    fn the_fields_of_a_pass_and_of_its_call_stand_beside_those_of_the_event() {
        let lines = Lines::default();
        let to = lines.clone();
        let subscriber = tracing_subscriber::registry().with(json(move || to.clone()));
        tracing::subscriber::with_default(subscriber, || {
            let pass = tracing::info_span!("reconcile", kind = "Kind", name = "a");
            let _pass = pass.enter();
            let call = tracing::info_span!(
                "call",
                otel.kind = "client",
                operation = "read",
                status = tracing::field::Empty
            );
            call.record("status", 200);
            let _call = call.enter();
            tracing::info!(duration_ms = 5, reason = %"Ready", "the service \"answered\"");
        });
        let line = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        let mut line: Value = serde_json::from_str(&line).unwrap();
        assert!(line["timestamp"].take().as_str().unwrap().ends_with('Z'));
        assert_eq!(
            line,
            json!({
                "timestamp": null, "level": "INFO", "target": "certferry::runtime::log::tests",
                "message": "the service \"answered\"", "kind": "Kind", "name": "a", "operation": "read",
                "status": 200, "duration_ms": 5, "reason": "Ready",
            })
        );
    }
}
