use certferry_rig::collector::Collector as Receiver;
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

use super::*;

fn traces(url: &str) -> Traces {
    Traces::to(&Url::parse(url).unwrap(), Handle::current()).unwrap()
}

/// A pass with a call, and what a library tells beside.
fn pass() {
    let _pass = tracing::info_span!("reconcile", kind = "Kind", name = "a").entered();
    let _library = tracing::info_span!(target: "hyper", "request", header = "Bearer secret").entered();
    let call = tracing::info_span!("call", otel.kind = "client", operation = "read", status = Empty);
    call.record("status", 200);
}

async fn end(traces: Traces) -> bool {
    tokio::task::spawn_blocking(|| traces.end()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_and_calls_reach_the_collector_and_nothing_of_libraries_does() {
    let collector = Receiver::start().await.unwrap();
    let traces = traces(&collector.url);
    tracing::subscriber::with_default(tracing_subscriber::registry().with(traces.layer()), pass);
    assert!(end(traces).await);
    let spans = collector.spans();
    let names: Vec<_> = spans.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["call", "reconcile"], "in the order in which they ended");
    assert_eq!(spans[0].parent_span_id, spans[1].span_id);
    let attributes: Vec<_> = spans[0].attributes.iter().map(|it| it.key.as_str()).collect();
    assert!(attributes.contains(&"operation") && attributes.contains(&"status"), "{attributes:?}");
    assert!(!format!("{spans:?}").contains("Bearer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_silent_or_away_costs_spans_and_holds_up_nobody() {
    let silent = Receiver::silent().await.unwrap();
    for url in [&silent.url, "http://127.0.0.1:9"] {
        let traces = traces(url);
        let subscriber = tracing_subscriber::registry().with(traces.layer());
        // More than the queue holds: a full one blocks nobody.
        tracing::subscriber::with_default(subscriber, || (0..10_000).for_each(|_| pass()));
        assert!(!end(traces).await, "nobody took them");
    }
    assert!(!silent.spans().is_empty(), "the silent one was asked");
}

#[test]
fn only_http_is_spoken() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    for (url, fine) in
        [("http://collector:4318", true), ("https://collector/otlp/", true), ("grpc://collector", false)]
    {
        let made = Traces::to(&Url::parse(url).unwrap(), runtime.handle().clone());
        assert_eq!(made.is_ok(), fine, "{url}");
    }
}
