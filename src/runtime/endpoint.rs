//! A small HTTP endpoint of the process: probes, metrics. Each answer is a text that is ready at once.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// An answer.
pub struct Response {
    pub status: StatusCode,
    /// Its media type.
    pub kind: &'static str,
    pub text: String,
}

impl Response {
    /// A line for people.
    pub fn plain(status: StatusCode, text: &str) -> Self {
        Self { status, kind: "text/plain; charset=utf-8", text: format!("{text}\n") }
    }
}

/// Answers requests for paths until told to stop. `what` is served, for the log.
pub async fn serve(
    address: SocketAddr,
    what: &'static str,
    stop: CancellationToken,
    answer: impl Fn(&str) -> Response + Send + Sync + 'static,
) -> Result<()> {
    let listener = listen(address).await.with_context(|| format!("cannot listen on {address}"))?;
    tracing::info!(address = %listener.local_addr()?, "serving {what}");
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let answer = answer.clone();
                        let service = service_fn(move |request: Request<Incoming>| {
                            let response = written(answer(request.uri().path()));
                            async move { Ok::<_, Infallible>(response) }
                        });
                        tokio::spawn(
                            http1::Builder::new()
                                .timer(TokioTimer::new())
                                .header_read_timeout(Duration::from_secs(5))
                                .keep_alive(false)
                                .serve_connection(TokioIo::new(stream), service),
                        );
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection for {what} was not accepted");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                    }
                },
            }
        }
    });
    Ok(())
}

async fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    match TcpListener::bind(address).await {
        Err(error) => match instead(address, &error) {
            Some(other) => TcpListener::bind(other).await,
            None => Err(error),
        },
        bound => bound,
    }
}

/// All addresses of IPv4 in place of all of both, on a node that has no IPv6.
fn instead(address: SocketAddr, error: &io::Error) -> Option<SocketAddr> {
    let all = address.ip() == Ipv6Addr::UNSPECIFIED;
    let ours = matches!(error.kind(), io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied);
    (all && !ours).then(|| (Ipv4Addr::UNSPECIFIED, address.port()).into())
}

fn written(Response { status, kind, text }: Response) -> http::Response<String> {
    let mut response = http::Response::new(text);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_ipv6_listens_on_all_of_ipv4() {
        // As Linux numbers them: EAFNOSUPPORT, EADDRNOTAVAIL, EADDRINUSE, EACCES.
        for (address, number, other) in [
            ("[::]:8080", 97, Some("0.0.0.0:8080")),
            ("[::]:8080", 99, Some("0.0.0.0:8080")),
            ("[::]:8080", 98, None),
            ("[::]:80", 13, None),
            ("[::1]:8080", 97, None),
            ("10.0.0.1:8080", 99, None),
        ] {
            let error = io::Error::from_raw_os_error(number);
            let other = other.map(|it| it.parse().unwrap());
            assert_eq!(instead(address.parse().unwrap(), &error), other, "{address} {error}");
        }
    }
}
