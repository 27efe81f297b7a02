//! What happens to every request between the wire and the service: it is written down, a fault may strike, the
//! service answers, the answer is written down.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use openssl::error::ErrorStack;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::faults::{Accepted, Action, When, merge};
use crate::journal::FaultNote;
use crate::outgoing::{Cut, Outgoing};
use crate::request::{Answer, Request};
use crate::routes::{Access, Operation};
use crate::services::{self, Service};
use crate::state::State;
use crate::store::Store;
use crate::{arm, control};

pub(crate) struct Cloud {
    state: Mutex<State>,
    pub(crate) store: Option<Store>,
    /// Lets late effects without a time of their own land.
    pub(crate) released: Notify,
}

/// An answer with the way in which it is to be sent.
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) body: Outgoing,
}

impl From<Answer> for Reply {
    fn from(mut answer: Answer) -> Self {
        let body = Outgoing::whole(std::mem::take(&mut answer.body));
        Self { answer, body }
    }
}

impl Cloud {
    pub(crate) fn new(state: State, store: Option<Store>) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(state), store, released: Notify::new() })
    }

    /// The state. A handler that panicked must not take the others' state away.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has the world written down soon, if it is kept at all.
    pub(crate) fn changed(&self) {
        if let Some(store) = &self.store {
            store.changed();
        }
    }

    pub(crate) async fn serve(self: Arc<Self>, request: Arc<Request>) -> Result<Reply, Cut> {
        if control::is_for(&request) {
            let answer = control::answer(&self, &request);
            return Ok(answer.into());
        }
        let service = services::of(&self.state().names, &request.host);
        let operation = service.map_or(Operation::UNKNOWN, |service| (service.operation)(&request));
        let (sequence, fault) = self.received(&request, service, operation);
        let call = Call { cloud: Arc::clone(&self), request, service, operation, sequence };
        // On a task of its own: a client that goes away does not undo what the service does.
        let reply = tokio::spawn(call.carried_out(fault)).await.unwrap_or_else(|error| {
            tracing::error!(%error, "a handler failed");
            Ok(Answer::empty(StatusCode::INTERNAL_SERVER_ERROR).into())
        });
        self.state().journal.sent(sequence, reply.as_ref().ok().map(|reply| reply.answer.status.as_u16()));
        reply
    }

    fn received(
        &self,
        request: &Request,
        service: Option<&Service>,
        operation: Operation,
    ) -> (u64, Option<Action>) {
        let mut state = self.state();
        let now = state.clock.now_ms();
        let name = service.map_or("unknown", |service| service.name);
        let sequence = state.journal.received(request, name, operation.name, now);
        let fault = state.faults.strike(request, operation.name);
        if let Some((id, action)) = &fault {
            state.journal.faulted(sequence, FaultNote { id: *id, action: action.name() });
        }
        tracing::info!(
            sequence,
            operation = operation.name,
            method = %request.method,
            host = request.host,
            path = request.raw_path,
            fault = fault.as_ref().map(|(_, action)| action.name()),
        );
        (sequence, fault.map(|(_, action)| action))
    }
}

/// One request on its way to its service.
#[derive(Clone)]
struct Call {
    cloud: Arc<Cloud>,
    request: Arc<Request>,
    service: Option<&'static Service>,
    operation: Operation,
    sequence: u64,
}

impl Call {
    async fn carried_out(self, fault: Option<Action>) -> Result<Reply, Cut> {
        let Some(action) = fault else { return Ok(self.apply().into()) };
        match action {
            Action::Answer(canned) => Ok(canned.answer().into()),
            Action::Redirect { location, status } => {
                let status = StatusCode::from_u16(status).unwrap_or(StatusCode::TEMPORARY_REDIRECT);
                Ok(Answer::empty(status).with("location", location).into())
            }
            Action::Cut { when: When::Before } => Err(Cut),
            Action::Cut { when: When::After } => {
                self.apply();
                Err(Cut)
            }
            Action::Delay { ms, when: When::Before } => {
                sleep(Duration::from_millis(ms)).await;
                Ok(self.apply().into())
            }
            Action::Delay { ms, when: When::After } => {
                let answer = self.apply();
                sleep(Duration::from_millis(ms)).await;
                Ok(answer.into())
            }
            Action::Truncate { bytes } => {
                let mut answer = self.apply();
                let body = Outgoing::truncated(std::mem::take(&mut answer.body), bytes);
                Ok(Reply { answer, body })
            }
            Action::Drip { bytes, every_ms } => {
                let mut answer = self.apply();
                let every = Duration::from_millis(every_ms);
                let body = Outgoing::dripping(std::mem::take(&mut answer.body), bytes, every);
                Ok(Reply { answer, body })
            }
            Action::Garble { text } => {
                let mut answer = self.apply().with("content-type", "text/html");
                answer.body = text.into_bytes();
                Ok(answer.into())
            }
            Action::Accepted(accepted) => Ok(self.accepted(&accepted).into()),
            Action::Late { ms, answer } => {
                tokio::spawn(self.late(ms));
                answer.map(|canned| canned.answer().into()).ok_or(Cut)
            }
            Action::Stale { reads, which } => {
                let before = self.cloud.state().world.clone();
                let answer = self.apply();
                if answer.status.is_success() && self.operation.access == Access::Write && reads > 0 {
                    self.cloud.state().stale.add(&self.request, self.operation, which, reads, before);
                }
                Ok(answer.into())
            }
            Action::Rewrite { status, headers, merge: patch } => {
                let mut answer = self.apply();
                if let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) {
                    answer.status = status;
                }
                for (name, value) in headers {
                    answer.set(&name, value);
                }
                if let Some(patch) = patch {
                    let mut body: Value = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
                    merge(&mut body, &patch);
                    answer.body = body.to_string().into_bytes();
                }
                Ok(answer.into())
            }
        }
    }

    /// Hands the call to its service.
    fn apply(&self) -> Answer {
        let Some(service) = self.service else { return services::misdirected(&self.request) };
        let mut state = self.cloud.state();
        let old = state.stale.take(&self.request, self.operation);
        let answer = match old {
            Some(mut before) => {
                state.world.swap_resources(&mut before);
                state.looks_back = true;
                let answer = (service.answer)(&mut state, &self.request);
                state.looks_back = false;
                state.world.swap_resources(&mut before);
                answer
            }
            None => (service.answer)(&mut state, &self.request),
        };
        // OpenSSL's error queue belongs to the thread. A signature that did not verify leaves an entry there, and TLS
        // on the same thread would take it for its own.
        drop(ErrorStack::get());
        state.journal.applied(self.sequence, answer.status.as_u16());
        drop(state);
        if self.operation.access == Access::Write && answer.status.is_success() {
            self.cloud.changed();
        }
        answer
    }

    async fn late(self, ms: Option<u64>) {
        match ms {
            Some(ms) => sleep(Duration::from_millis(ms)).await,
            None => self.cloud.released.notified().await,
        }
        self.apply();
    }

    fn accepted(&self, accepted: &Accepted) -> Answer {
        let mut answer = self.apply();
        if !answer.status.is_success() {
            return answer;
        }
        answer.status = StatusCode::ACCEPTED;
        answer.body.clear();
        answer.headers.retain(|(name, _)| name != "content-type");
        if let Some(location) = &accepted.location {
            answer.set("location", location.clone());
        }
        if let Some(url) = &accepted.azure_async_operation {
            answer.set("azure-asyncoperation", url.clone());
        }
        if accepted.location.is_none() && accepted.azure_async_operation.is_none() {
            let mut state = self.cloud.state();
            let url = arm::operations::start(&mut state, &self.request, accepted);
            answer.set("azure-asyncoperation", url);
        }
        if let Some(seconds) = &accepted.retry_after {
            answer.set("retry-after", seconds.clone());
        }
        answer
    }
}
