//! Listening, TLS and HTTP/1.1. Bytes come in here and become requests; answers become bytes.

use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::{CONNECTION, DATE, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use openssl::ssl::{Ssl, SslAcceptor};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_openssl::SslStream;

use crate::cli::Options;
use crate::clock;
use crate::encoding::hex_lower;
use crate::entra::jwt::Signer;
use crate::names::{Names, Ready};
use crate::outgoing::{Cut, Outgoing};
use crate::pipeline::{Cloud, Reply};
use crate::random;
use crate::request::{Answer, Request};
use crate::services;
use crate::state::State;
use crate::store::{self, Store};
use crate::tls::{Authority, CA_FILE};
use crate::world::World;

/// No service of the sheets takes bodies near this size.
const LARGEST_BODY: usize = 1024 * 1024;
const HANDSHAKE: Duration = Duration::from_secs(10);
const READING: Duration = Duration::from_secs(30);

/// A running emulator.
pub struct Running {
    ready: Ready,
    cloud: Arc<Cloud>,
    tasks: Vec<JoinHandle<()>>,
    /// A folder of this run's own, removed at the end.
    own_folder: Option<PathBuf>,
}

impl Running {
    /// Starts to listen; the emulator answers when this returns.
    ///
    /// # Errors
    /// If the address is taken, a file cannot be read or written, or the world file is no world.
    pub async fn start(options: &Options) -> io::Result<Self> {
        let (dir, own_folder) = match &options.dir {
            Some(dir) => (dir.clone(), None),
            None => {
                let own = std::env::temp_dir().join(format!("emulator-{}", hex_lower(&random::bytes::<8>())));
                (own.clone(), Some(own))
            }
        };
        private_folder(&dir)?;
        let authority = Authority::of_folder(&dir)?;
        let listener = TcpListener::bind(options.listen).await?;
        let names =
            Names { domain: options.domain.to_ascii_lowercase(), port: listener.local_addr()?.port() };
        // The metadata address is certified too, for clients that are led here by a route.
        let metadata = Ipv4Addr::new(169, 254, 169, 254);
        let addresses: [IpAddr; 3] =
            [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into(), metadata.into()];
        let acceptor = authority.acceptor(&names.certified(), &addresses)?;

        let start = match &options.world {
            Some(file) => serde_json::from_slice(&fs::read(file)?)?,
            None => World::seeded(),
        };
        let kept = options.dir.as_deref().map(Store::new);
        let world = match &kept {
            Some(kept) => kept.load()?.unwrap_or_else(|| start.clone()),
            None => start.clone(),
        };
        let mut state = State::new(names.clone(), start, world, Signer::of_folder(&dir)?);
        let now = state.clock.now();
        state.world.complete(now);
        let cloud = Cloud::new(state, kept);
        let ready = names.ready(fs::canonicalize(dir.join(CA_FILE))?);
        let accepting = tokio::spawn(accept(listener, acceptor, Arc::clone(&cloud)));
        let keeper = Arc::clone(&cloud);
        let keeping = tokio::spawn(async move { store::keep(&keeper).await });
        tracing::info!(arm = ready.arm, "ready");
        Ok(Self { ready, cloud, tasks: vec![accepting, keeping], own_folder })
    }

    /// Where everything is.
    #[must_use]
    pub const fn ready(&self) -> &Ready {
        &self.ready
    }

    /// Stops listening and writes the state down.
    ///
    /// # Errors
    /// If the state could not be written.
    pub fn stop(self) -> io::Result<()> {
        for task in &self.tasks {
            task.abort();
        }
        if let Some(own) = &self.own_folder {
            fs::remove_dir_all(own)?;
        }
        match &self.cloud.store {
            Some(store) => store.save(|| self.cloud.state().world.clone()),
            None => Ok(()),
        }
    }
}

fn private_folder(dir: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

async fn accept(listener: TcpListener, acceptor: SslAcceptor, cloud: Arc<Cloud>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let (context, cloud) = (acceptor.clone(), Arc::clone(&cloud));
                tokio::spawn(async move {
                    if let Err(error) = connection(stream, &context, cloud).await {
                        tracing::debug!(error, "connection ended");
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: give others the time to close theirs.
                tracing::warn!(%error, "accept");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, acceptor: &SslAcceptor, cloud: Arc<Cloud>) -> Result<(), String> {
    let text = |error: &dyn std::error::Error| error.to_string();
    stream.set_nodelay(true).map_err(|error| text(&error))?;
    let session = Ssl::new(acceptor.context()).map_err(|error| text(&error))?;
    let mut stream = SslStream::new(session, stream).map_err(|error| text(&error))?;
    let handshake = timeout(HANDSHAKE, Pin::new(&mut stream).accept()).await;
    handshake.map_err(|error| text(&error))?.map_err(|error| text(&error))?;
    hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service_fn(|request| exchange(Arc::clone(&cloud), request)))
        .await
        .map_err(|error| text(&error))
}

async fn exchange(cloud: Arc<Cloud>, request: hyper::Request<Incoming>) -> Result<Response<Outgoing>, Cut> {
    let (parts, body) = request.into_parts();
    let reply = match timeout(READING, Limited::new(body, LARGEST_BODY).collect()).await {
        Ok(Ok(body)) => {
            let request = Arc::new(Request::new(&parts, body.to_bytes().to_vec()));
            Arc::clone(&cloud).serve(request).await?
        }
        Ok(Err(error)) if error.is::<LengthLimitError>() => too_large(&cloud, &parts).into(),
        Ok(Err(_)) | Err(_) => return Err(Cut),
    };
    Ok(response(reply, cloud.state().clock.now()))
}

fn too_large(cloud: &Cloud, parts: &Parts) -> Answer {
    let host = Request::new(parts, Vec::new()).host;
    let service = services::of(&cloud.state().names, &host);
    let answer = service.map_or(services::content_too_large as fn(usize) -> Answer, |it| it.too_large);
    // What is left of the body would be taken for the next request.
    answer(LARGEST_BODY).with(CONNECTION.as_str(), "close")
}

pub(crate) fn response(reply: Reply, now: i64) -> Response<Outgoing> {
    let Reply { mut answer, body } = reply;
    if !answer.has(DATE.as_str()) {
        answer.set(DATE.as_str(), clock::rfc1123(now));
    }
    let mut response = Response::new(body);
    *response.status_mut() = answer.status;
    for (name, value) in &answer.headers {
        match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            (Ok(name), Ok(value)) => {
                response.headers_mut().append(name, value);
            }
            _ => tracing::warn!(name, "a header of a fault is none"),
        }
    }
    response
}
