//! The body of an answer as it goes out: whole, cut short, or in drops.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::body::{Body, Bytes, Frame, SizeHint};
use tokio::time::{Sleep, sleep};

/// How long what was sent of a truncated body has to leave.
const LINGER: Duration = Duration::from_millis(50);

/// The connection ends here on purpose.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cut by a fault")
    }
}

impl std::error::Error for Cut {}

pub(crate) struct Outgoing {
    left: Bytes,
    /// What the headers promise.
    promised: u64,
    /// Bytes that are never sent.
    withheld: u64,
    /// Before breaking off: what was sent has to leave first, or the client sees nothing at all.
    linger: Option<Pin<Box<Sleep>>>,
    drip: Option<Drip>,
}

struct Drip {
    bytes: usize,
    every: Duration,
    pause: Pin<Box<Sleep>>,
}

impl Outgoing {
    pub(crate) fn whole(body: Vec<u8>) -> Self {
        let promised = body.len() as u64;
        Self { left: body.into(), promised, withheld: 0, linger: None, drip: None }
    }

    /// Promises all of `body`, sends `bytes` of it, then breaks off.
    pub(crate) fn truncated(body: Vec<u8>, bytes: Option<usize>) -> Self {
        let mut outgoing = Self::whole(body);
        let sent = bytes.unwrap_or(outgoing.left.len() / 2).min(outgoing.left.len());
        outgoing.withheld = (outgoing.left.len() - sent) as u64;
        outgoing.left.truncate(sent);
        outgoing
    }

    pub(crate) fn dripping(body: Vec<u8>, bytes: usize, every: Duration) -> Self {
        let drip = Drip { bytes: bytes.max(1), every, pause: Box::pin(sleep(Duration::ZERO)) };
        Self { drip: Some(drip), ..Self::whole(body) }
    }
}

impl Body for Outgoing {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if self.left.is_empty() {
            if self.withheld == 0 {
                return Poll::Ready(None);
            }
            let linger = self.linger.get_or_insert_with(|| Box::pin(sleep(LINGER)));
            ready!(linger.as_mut().poll(context));
            return Poll::Ready(Some(Err(Cut)));
        }
        let mut size = self.left.len();
        if let Some(drip) = &mut self.drip {
            ready!(drip.pause.as_mut().poll(context));
            drip.pause = Box::pin(sleep(drip.every));
            size = size.min(drip.bytes);
        }
        let drop = self.left.split_to(size);
        Poll::Ready(Some(Ok(Frame::data(drop))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty() && self.withheld == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.promised)
    }
}
