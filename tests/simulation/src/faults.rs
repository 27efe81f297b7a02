//! What goes wrong, and at which external call. Calls to the cloud and to the API server are counted together.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// What a call to the cloud meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloudFault {
    /// No connection.
    NotSent,
    /// The connection ends, and the service has not seen the request.
    CutBefore,
    /// The connection ends after the service did what was asked.
    CutAfter,
    /// No answer in time, and nothing done.
    SilentBefore,
    /// No answer in time after it was done.
    SilentAfter,
    /// No answer in time; it is done some minutes later.
    Late,
    /// This status, perhaps with `Retry-After`, and nothing done.
    Status(u16, Option<u32>),
    /// This status after it was done.
    StatusAfter(u16),
    /// A success with a page of HTML, after it was done.
    Html,
}

/// What a call to the API server meets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServerFault {
    /// This status, and nothing done.
    Status(u16),
    /// The connection ends; nothing done.
    CutBefore,
    /// The connection ends after it was done.
    CutAfter,
}

/// What happens at one call. The answer of a call that is killed after it was answered is as lost as one before the next
/// call is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Cloud(CloudFault),
    Server(ServerFault),
    /// The process dies before the request is sent.
    CrashBefore,
    /// The process dies when the request has taken effect and before its answer arrives.
    CrashAfter,
}

/// An external call, as it was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Called {
    Cloud(String),
    Server(String),
}

/// The plan of what goes wrong, and what was called so far.
#[derive(Clone, Default)]
pub struct Faults(Arc<Inner>);

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    crashed: Notify,
}

#[derive(Default)]
struct State {
    armed: bool,
    plan: Vec<(usize, Fault)>,
    calls: Vec<Called>,
    /// Of the present pass.
    struck: bool,
    cloud: usize,
}

impl Faults {
    /// From now on calls are counted from zero and go by this plan.
    pub fn arm(&self, plan: Vec<(usize, Fault)>) {
        let mut state = self.lock();
        (state.armed, state.plan, state.calls) = (true, plan, Vec::new());
    }

    /// From now on nothing goes wrong; the calls so far.
    pub fn disarm(&self) -> Vec<Called> {
        let mut state = self.lock();
        state.armed = false;
        std::mem::take(&mut state.calls)
    }

    /// A pass begins.
    pub fn pass(&self) {
        let mut state = self.lock();
        (state.struck, state.cloud) = (false, 0);
    }

    /// Whether the pass called the cloud, and nothing went wrong in it.
    pub fn undisturbed(&self) -> bool {
        let state = self.lock();
        !state.struck && state.cloud > 0
    }

    /// Counts a call; gives what it meets. A fault of the other side is none.
    pub fn at(&self, call: Called) -> Option<Fault> {
        let mut state = self.lock();
        let cloud = matches!(call, Called::Cloud(_));
        state.cloud += usize::from(cloud);
        if !state.armed {
            return None;
        }
        let number = state.calls.len();
        state.calls.push(call);
        let (_, fault) = state.plan.iter().find(|(at, _)| *at == number)?;
        match fault {
            Fault::Cloud(_) if !cloud => None,
            Fault::Server(_) if cloud => None,
            fault => {
                let fault = *fault;
                state.struck = true;
                Some(fault)
            }
        }
    }

    /// The process dies here: whoever waits in [`Faults::crash`] learns it, and this call never ends.
    pub async fn die(&self) -> ! {
        self.0.crashed.notify_one();
        std::future::pending().await
    }

    /// Ends when the process is to die.
    pub async fn crash(&self) {
        self.0.crashed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
