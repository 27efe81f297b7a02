//! A cloud inside the process: it answers what it is told to, and no socket is opened.

use std::future::{Future, ready};
use std::sync::mpsc;

use certferry::engine::term::Term;
use certferry::http::{Answer, Call, Http, HttpError, Plan};
use certferry::providers::azure::Azure;
use certferry::source::account::{Account, AccountId, AzureAccount, AzureEnvironment, AzureIdentity, Cloud};
use http::header::{ETAG, RETRY_AFTER};
use http::{HeaderMap, HeaderValue};
use tokio::runtime::Runtime;
use tower::service_fn;

pub(crate) const TENANT: &str = "11111111-1111-4111-8111-111111111111";
const CLIENT: &str = "22222222-2222-4222-8222-222222222222";
const AUTHORITY: &str = "login.microsoftonline.com";
const TOKEN: &str = r#"{"token_type":"Bearer","expires_in":3599,"access_token":"a-token"}"#;

/// An answer.
#[derive(Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<&'static str>,
    pub(crate) etag: Option<&'static str>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, retry_after: None, etag: None, body: body.into() }
    }

    pub(crate) fn answer(self) -> Answer {
        let headers = [(RETRY_AFTER, self.retry_after), (ETAG, self.etag)];
        let headers =
            headers.into_iter().filter_map(|(name, it)| Some((name, HeaderValue::from_static(it?))));
        Answer::new(self.status, headers.collect(), self.body.into())
    }
}

/// Azure where tokens come at once, and Resource Manager answers like that.
pub(crate) fn azure(manager: impl Fn(&Plan) -> Reply + Clone + Send + Sync + 'static) -> Azure {
    azure_with(Reply::new(200, TOKEN), manager)
}

/// Azure where the authority answers like that too.
pub(crate) fn azure_with(
    authority: Reply,
    manager: impl Fn(&Plan) -> Reply + Clone + Send + Sync + 'static,
) -> Azure {
    let wire = service_fn(move |plan: Plan| {
        let from_authority = plan.url.host_str() == Some(AUTHORITY);
        let reply = if from_authority { authority.clone() } else { manager(&plan) };
        ready(Ok::<_, HttpError>(reply.answer()))
    });
    Azure::over(Http::over(wire), Term::endless("only"))
}

pub(crate) fn account() -> Account {
    Account {
        id: AccountId { display: "CloudAccount `azure`".to_owned(), uid: "1".to_owned() },
        cloud: Cloud::Azure(Box::new(azure_account())),
        allowed_targets: None,
    }
}

pub(crate) fn azure_account() -> AzureAccount {
    let identity =
        AzureIdentity::ClientSecret { client_id: CLIENT.to_owned(), secret: "a-secret".to_owned().into() };
    AzureAccount { environment: AzureEnvironment::Public, tenant_id: TENANT.to_owned(), identity }
}

/// What would be sent for the call.
pub(crate) fn planned(call: Call) -> Result<Plan, HttpError> {
    let (sender, plans) = mpsc::channel();
    let wire = service_fn(move |plan: Plan| {
        let taken = sender.send(plan).map_err(|_| HttpError::Cut);
        ready(taken.map(|()| Answer::new(200, HeaderMap::new(), Vec::new().into())))
    });
    wait(Http::over(wire).send(call))?;
    Ok(plans.recv().expect("the call was answered, so it was carried"))
}

/// Runs to the end what only waits for the cloud above.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    thread_local! {
        static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without sockets needs nothing of the system");
    }
    RUNTIME.with(|it| it.block_on(future))
}
