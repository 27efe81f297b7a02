//! The wire to the cloud: it carries the operator's planned calls to the emulator in this process, and spoils those that
//! a case names. It keeps every state that the cloud went through, and whose doing each was.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use certferry::http::{Answer, HttpError, NoConnection, Plan};
use emulator::Embedded;
use http::{HeaderMap, HeaderValue, Method, Request};
use serde_json::Value;
use tokio::time::Instant;
use tower::Service;

use crate::api_server::ApiServer;
use crate::chaos::{Chaos, CloudFault, Life, Point};

/// Stands in the body of every injected answer, and must get no further than the operator's memory.
pub const MARKER: &str = "canary-of-a-service";

/// All objects of the cloud that a fixture watches, by their id.
pub type Objects = BTreeMap<String, Value>;

/// A call that the cloud took.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its method.
    pub method: Method,
    /// Its path.
    pub path: String,
    /// Whether it took effect long after it was made.
    pub late: bool,
    /// When it was made.
    pub made: Made,
}

/// When a call was made, in states of the cloud.
#[derive(Clone, Copy, Debug)]
pub struct Made {
    /// How many there had been when its pass began.
    pub since: usize,
    /// How many there had been when it was sent.
    pub sent: usize,
}

/// The cloud as it was, and what brought it there.
#[derive(Clone, Debug)]
pub struct Shot {
    /// What there was.
    pub objects: Objects,
    /// The operator's call; `None` where somebody else did it.
    pub by: Option<Call>,
}

/// Tells a fixture's objects from the answers of the emulator's control.
pub type Look = fn(&Cloud) -> Pin<Box<dyn Future<Output = Objects> + Send + '_>>;

/// The emulated cloud of a case.
#[derive(Clone)]
pub struct Cloud {
    emulator: Embedded,
    look: Look,
    shots: Arc<Mutex<Vec<Shot>>>,
    server: ApiServer,
    chaos: Chaos,
    begun: Instant,
}

impl Cloud {
    /// Over this emulator, which is brought back to its first state.
    pub async fn new(emulator: Embedded, look: Look, server: ApiServer, chaos: Chaos) -> Self {
        let cloud = Self { emulator, look, shots: Arc::default(), server, chaos, begun: Instant::now() };
        cloud.control(Method::POST, "reset", &Value::Null).await;
        // How fast calls may come is a matter of real time, which does not pass here.
        cloud.control(Method::PATCH, "throttle", &serde_json::json!({ "enabled": false })).await;
        cloud
    }

    /// Asks the emulator's control. A refusal is a mistake of the suite.
    pub async fn control(&self, method: Method, path: &str, body: &Value) -> Value {
        let bytes = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
        let request =
            Request::builder().method(&method).uri(format!("https://arm.localhost/_emulator/{path}"));
        let request = request.header("host", "arm.localhost").body(bytes).unwrap_or_default();
        let answered = self.emulator.call(request).await.ok();
        let (status, body) = answered.map(|it| (it.status(), it.into_body())).unwrap_or_default();
        assert!(status.is_success(), "control {method} {path}: {status} {}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap_or_default()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Shot>> {
        self.shots.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the cloud as it is now.
    pub async fn shoot(&self, by: Option<Call>) {
        let objects = (self.look)(self).await;
        let mut shots = self.lock();
        shots.push(Shot { objects, by });
        self.server.cloud_states.store(shots.len(), Ordering::SeqCst);
    }

    /// Every state that there was.
    pub fn shots(&self) -> Vec<Shot> {
        self.lock().clone()
    }

    /// How many states there were.
    pub fn states(&self) -> usize {
        self.lock().len()
    }

    /// The state now.
    pub fn now(&self) -> Objects {
        self.lock().last().map(|it| it.objects.clone()).unwrap_or_default()
    }

    /// How many calls the cloud took that may change it.
    pub fn writes(&self) -> usize {
        self.lock().iter().filter(|it| it.by.is_some()).count()
    }

    /// The emulator's clock goes by real time and an offset: time that passed here moves the offset.
    async fn keep_time(&self) {
        let offset = serde_json::json!({ "offsetSeconds": self.begun.elapsed().as_secs() });
        self.control(Method::PUT, "clock", &offset).await;
    }

    fn made(&self) -> Made {
        Made { since: self.server.pass_since.load(Ordering::SeqCst), sent: self.states() }
    }

    /// Whether a call of the operator is still on its way.
    pub fn has_pending(&self) -> bool {
        self.chaos.pending() > 0
    }

    async fn carry(&self, plan: &Plan) -> Result<Answer, HttpError> {
        self.take(plan, false, self.made()).await
    }

    async fn take(&self, plan: &Plan, late: bool, made: Made) -> Result<Answer, HttpError> {
        self.keep_time().await;
        let mut request = Request::new(plan.body.as_ref().map(|it| it.to_vec()).unwrap_or_default());
        (*request.method_mut(), *request.headers_mut()) = (plan.method.clone(), plan.headers.clone());
        *request.uri_mut() = plan.url.as_str().parse().map_err(|_| HttpError::Cut)?;
        let host = plan.url.host_str().unwrap_or_default();
        request.headers_mut().insert("host", HeaderValue::from_str(host).map_err(|_| HttpError::Cut)?);
        let answered = self.emulator.call(request).await.map_err(|_| HttpError::Cut)?;
        if changes(plan) {
            let (method, path) = (plan.method.clone(), plan.url.path().to_owned());
            let call = Call { method, path, late, made };
            self.shoot(Some(call)).await;
        }
        let (parts, body) = answered.into_parts();
        Ok(Answer::new(parts.status.as_u16(), parts.headers, body.into()))
    }

    /// The call takes effect long after the operator gave it up, whatever became of the operator.
    fn carry_late(&self, plan: Plan, minutes: u64) {
        let (cloud, made) = (self.clone(), self.made());
        cloud.chaos.late(false);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(60 * minutes)).await;
            let _ = cloud.take(&plan, true, made).await; // nobody waits for the answer any more
            cloud.chaos.late(true);
        });
    }
}

/// Whether a call may change more than tokens.
fn changes(plan: &Plan) -> bool {
    let host = plan.url.host_str().unwrap_or_default();
    plan.method != Method::GET && ["arm.", ".vault.", "iotda."].iter().any(|it| host.contains(it))
}

/// The cloud as one life of the operator reaches it.
#[derive(Clone)]
pub struct Wire {
    /// The cloud.
    pub cloud: Cloud,
    /// Whose calls these are.
    pub life: Life,
}

impl Wire {
    async fn send(self, plan: Plan) -> Result<Answer, HttpError> {
        if !self.life.lasts() {
            return std::future::pending().await;
        }
        let ruling = self.life.cloud(&format!("{} {}", plan.method, plan.url.path()));
        self.life.meanwhile(ruling.acts).await;
        if ruling.crash == Some(Point::BeforeSend) {
            return self.life.die().await;
        }
        let answer = match ruling.fault {
            None => self.cloud.carry(&plan).await,
            Some(fault) => self.spoil(plan, fault).await,
        };
        match ruling.crash {
            Some(Point::Unanswered) => return self.life.die().await,
            Some(Point::Answered) => self.life.doom(),
            Some(Point::BeforeSend) | None => {}
        }
        answer
    }

    async fn spoil(&self, plan: Plan, fault: CloudFault) -> Result<Answer, HttpError> {
        match fault {
            CloudFault::NotSent => Err(HttpError::NotSent(NoConnection::Unreachable)),
            CloudFault::LostBefore => Err(HttpError::Cut),
            CloudFault::LostAfter => self.cloud.carry(&plan).await.and(Err(HttpError::Cut)),
            CloudFault::TimeoutBefore => std::future::pending().await,
            CloudFault::TimeoutAfter => {
                self.cloud.carry(&plan).await?;
                std::future::pending().await
            }
            CloudFault::Late(minutes) => {
                self.cloud.carry_late(plan, minutes);
                std::future::pending().await
            }
            CloudFault::Status(status) => Ok(answer(status, None)),
            CloudFault::Throttled => Ok(answer(429, Some("7"))),
            CloudFault::Html => Ok(html(200)),
            CloudFault::StatusAfter(status) => self.cloud.carry(&plan).await.map(|_| answer(status, None)),
        }
    }
}

/// An answer as gateways give it: no code that a service documents.
fn answer(status: u16, retry_after: Option<&'static str>) -> Answer {
    let mut answer = html(status);
    let mut headers = HeaderMap::new();
    if let Some(time) = retry_after {
        headers.insert("retry-after", HeaderValue::from_static(time));
    }
    if (300..400).contains(&status) {
        headers.insert("location", HeaderValue::from_static("https://elsewhere.example/"));
    }
    answer = Answer::new(answer.status, headers, answer.body);
    answer
}

fn html(status: u16) -> Answer {
    let body = format!("<html><body>{MARKER}</body></html>");
    Answer::new(status, HeaderMap::new(), body.into_bytes().into())
}

impl Service<Plan> for Wire {
    type Response = Answer;
    type Error = HttpError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, HttpError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), HttpError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, plan: Plan) -> Self::Future {
        Box::pin(self.clone().send(plan))
    }
}
