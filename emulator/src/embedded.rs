//! The emulator without a network: requests and answers are handed over as values, in the process of a test.

use std::io;
use std::path::Path;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::{Request as HttpRequest, Response};

use crate::entra::jwt::Signer;
use crate::names::Names;
use crate::outgoing::Cut;
use crate::pipeline::Cloud;
use crate::request::Request;
use crate::server::response;
use crate::state::State;
use crate::world::World;

/// An emulator in this process, with the seeded world. Its services answer on their hosts under `localhost`, and control
/// on any.
#[derive(Clone)]
pub struct Embedded {
    cloud: Arc<Cloud>,
}

impl Embedded {
    /// Keys are kept in the folder, so that a further one starts faster.
    ///
    /// # Errors
    /// If a key cannot be made or kept.
    pub fn new(folder: &Path) -> io::Result<Self> {
        let names = Names { domain: "localhost".to_owned(), port: 443 };
        let mut state = State::new(names, World::seeded(), World::seeded(), Signer::of_folder(folder)?);
        let now = state.clock.now();
        state.world.complete(now);
        Ok(Self { cloud: Cloud::new(state, None) })
    }

    /// Serves one request as if it had come by network; the URL is whole.
    ///
    /// # Errors
    /// If a fault closed the connection.
    pub async fn call(&self, request: HttpRequest<Vec<u8>>) -> Result<Response<Vec<u8>>, Cut> {
        let (parts, body) = request.into_parts();
        let reply = Arc::clone(&self.cloud).serve(Arc::new(Request::new(&parts, body))).await?;
        let now = self.cloud.state().clock.now();
        let (parts, body) = response(reply, now).into_parts();
        let body = body.collect().await?.to_bytes().to_vec();
        Ok(Response::from_parts(parts, body))
    }
}
