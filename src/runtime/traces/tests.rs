use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tracing_subscriber::layer::SubscriberExt;

use super::*;

/// A collector on loopback that hands on what it is sent, and answers or keeps silent.
async fn collector(answers: bool) -> (Url, UnboundedReceiver<ExportTraceServiceRequest>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    let (sender, exports) = unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(receive(stream, sender.clone(), answers));
        }
    });
    (url, exports)
}

async fn receive(mut stream: TcpStream, exports: UnboundedSender<ExportTraceServiceRequest>, answers: bool) {
    let (mut read, end) = (Vec::new(), b"\r\n\r\n");
    loop {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).await.unwrap();
        read.extend_from_slice(&buffer[..count]);
        let Some(head) = read.windows(end.len()).position(|it| it == end) else { continue };
        let text = String::from_utf8(read[..head].to_vec()).unwrap().to_ascii_lowercase();
        let length = text.lines().find_map(|it| it.strip_prefix("content-length: ")).unwrap();
        let body = &read[head + end.len()..];
        if body.len() == length.parse::<usize>().unwrap() {
            assert!(text.starts_with("post /v1/traces http/1.1"), "{text}");
            exports.send(ExportTraceServiceRequest::decode(body).unwrap()).unwrap();
            break;
        }
    }
    match answers {
        true => stream
            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            .await
            .unwrap(),
        false => std::future::pending::<()>().await,
    }
}

fn spans(export: &ExportTraceServiceRequest) -> Vec<Span> {
    let scopes = export.resource_spans.iter().flat_map(|it| &it.scope_spans);
    scopes.flat_map(|it| it.spans.clone()).collect()
}

/// A pass with a call, and what a library tells beside.
fn pass() {
    let pass = tracing::info_span!("reconcile", kind = "Kind", name = "a");
    let _pass = pass.enter();
    let _library = tracing::info_span!(target: "hyper", "request", header = "Bearer secret").entered();
    let call =
        tracing::info_span!("call", otel.kind = "client", operation = "read", status = tracing::field::Empty);
    call.record("status", 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_and_calls_reach_the_collector_and_nothing_of_libraries_does() {
    let (url, mut exports) = collector(true).await;
    let traces = Traces::to(&url, Handle::current()).unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(traces.layer()), pass);
    assert!(tokio::task::spawn_blocking(|| traces.end()).await.unwrap());
    let spans = spans(&exports.recv().await.unwrap());
    let names: Vec<_> = spans.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["call", "reconcile"], "in the order in which they ended");
    assert_eq!(spans[0].parent_span_id, spans[1].span_id);
    let attributes: Vec<_> = spans[0].attributes.iter().map(|it| it.key.as_str()).collect();
    assert!(attributes.contains(&"operation") && attributes.contains(&"status"), "{attributes:?}");
    assert!(!format!("{spans:?}").contains("Bearer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_silent_or_away_costs_spans_and_holds_up_nobody() {
    let (silent, mut exports) = collector(false).await;
    let away = Url::parse("http://127.0.0.1:9").unwrap();
    for (url, asked) in [(silent, true), (away, false)] {
        let traces = Traces::to(&url, Handle::current()).unwrap();
        let subscriber = tracing_subscriber::registry().with(traces.layer());
        // More than the queue holds: a full one blocks nobody.
        tracing::subscriber::with_default(subscriber, || (0..10_000).for_each(|_| pass()));
        assert!(!tokio::task::spawn_blocking(|| traces.end()).await.unwrap(), "the end is not waited for");
        assert_eq!(exports.try_recv().is_ok(), asked);
    }
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
