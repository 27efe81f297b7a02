//! One identity's tokens: asked for once for all who need them, kept while they last, and not asked for again too soon
//! after a failure.

use std::sync::Arc;
use std::time::Duration;

use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::http::{ClientOptions, RetryOptions};
use azure_identity::{ClientSecretCredential, ClientSecretCredentialOptions};
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::random::jittered;
use super::sign_in::{self, NoToken, Pace};
use super::transport;
use crate::engine::error::CloudError;
use crate::http::{Endpoint, Http};

/// How often a token that a service refused is replaced before its time. Whoever points a resource at another tenant's
/// subscription gets 401 each time; that must not become a token call each time.
const RENEWAL: Duration = Duration::from_secs(60);
/// What a token must still last to be used where a new one failed to come: longer than a call may take.
const LEFT: Duration = Duration::from_secs(45);

/// One identity, and the scope that its tokens are for.
pub(super) struct Credential {
    maker: Maker,
    scope: String,
    state: Mutex<State>,
}

/// What a token client is made from.
pub(super) struct Maker {
    pub(super) http: Http,
    pub(super) authority: Endpoint,
    pub(super) tenant: String,
    pub(super) client: String,
    pub(super) secret: Zeroizing<String>,
}

/// A token's text. Equal text is the same token.
pub(super) type Token = Zeroizing<String>;

#[derive(Default)]
struct State {
    /// The SDK's credential with its cache; none at first, and after its token was refused.
    client: Option<Arc<ClientSecretCredential>>,
    last: Option<Held>,
    failed: Option<Failed>,
    renewed: Option<Instant>,
}

struct Held {
    token: Token,
    until: Instant,
}

/// The last attempt failed; until then nobody asks again.
struct Failed {
    error: CloudError,
    pace: Pace,
    in_a_row: u32,
    until: Instant,
}

impl Credential {
    pub(super) fn new(maker: Maker, scope: String) -> Self {
        Self { maker, scope, state: Mutex::default() }
    }

    /// A token that lasts, from the cache if there is one.
    pub(super) async fn token(&self) -> Result<Token, CloudError> {
        let mut state = self.state.lock().await; // one flight: the others wait for its outcome
        self.token_of(&mut state).await
    }

    /// A token other than the one that a service refused; `None` if such a one was asked for only just now.
    pub(super) async fn renewed(&self, refused: &Token) -> Result<Option<Token>, CloudError> {
        let mut state = self.state.lock().await;
        let another = state.last.as_ref().is_some_and(|held| held.token != *refused);
        let too_soon = state.renewed.is_some_and(|at| at.elapsed() < RENEWAL);
        if !another && too_soon {
            return Ok(None);
        }
        if !another {
            // The SDK's cache cannot be told to forget; a new client has a new cache.
            (state.client, state.last, state.renewed) = (None, None, Some(Instant::now()));
        }
        self.token_of(&mut state).await.map(Some)
    }

    async fn token_of(&self, state: &mut State) -> Result<Token, CloudError> {
        let now = Instant::now();
        if let Some(failed) = &state.failed
            && now < failed.until
        {
            return fallback(state, failed.pace).ok_or_else(|| failed.error(now));
        }
        match self.ask(state).await {
            Ok(held) => {
                let token = held.token.clone();
                (state.last, state.failed) = (Some(held), None);
                Ok(token)
            }
            Err(why) => {
                let failed = Failed::after(state.failed.take(), why);
                let outcome = fallback(state, failed.pace).ok_or_else(|| failed.error(Instant::now()));
                state.failed = Some(failed);
                outcome
            }
        }
    }

    async fn ask(&self, state: &mut State) -> Result<Held, NoToken> {
        let client = match &state.client {
            Some(client) => client.clone(),
            None => state.client.insert(self.maker.client()?).clone(),
        };
        let access =
            client.get_token(&[&self.scope], None).await.map_err(|error| transport::reason(&error))?;
        let left = access.expires_on - azure_core::time::OffsetDateTime::now_utc();
        let left = left.try_into().unwrap_or(Duration::ZERO);
        Ok(Held { token: Zeroizing::new(access.token.secret().to_owned()), until: Instant::now() + left })
    }
}

impl Maker {
    fn client(&self) -> Result<Arc<ClientSecretCredential>, NoToken> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.authority.to_string();
        let client_options = ClientOptions {
            cloud: Some(Arc::new(cloud.into())),
            retry: RetryOptions::none(), // failures are remembered here, for all callers
            transport: Some(transport::transport(
                self.http.clone(),
                self.authority.clone(),
                self.tenant.clone(),
            )),
            ..Default::default()
        };
        ClientSecretCredential::new(
            &self.tenant,
            self.client.clone(),
            Secret::new(self.secret.as_str().to_owned()),
            Some(ClientSecretCredentialOptions { client_options }),
        )
        .map_err(|_| NoToken::Client)
    }
}

impl Failed {
    fn after(before: Option<Self>, why: NoToken) -> Self {
        let (pace, asked) = why.pace();
        let in_a_row = match before {
            Some(before) if before.pace == pace => before.in_a_row.saturating_add(1),
            _ => 1,
        };
        let pause = asked.unwrap_or_else(|| jittered(pace.pause(in_a_row)));
        Self { error: sign_in::error(why), pace, in_a_row, until: Instant::now() + pause }
    }

    fn error(&self, now: Instant) -> CloudError {
        self.error.clone().retry_after(Some(self.until.saturating_duration_since(now)))
    }
}

/// The token before, while it lasts: clients renew minutes ahead, so that an authority that is away for a moment is not
/// felt. Not if the authority refused: then it shall be felt.
fn fallback(state: &State, pace: Pace) -> Option<Token> {
    let held = state.last.as_ref()?;
    let lasts = held.until.saturating_duration_since(Instant::now()) >= LEFT;
    (pace == Pace::Passing && lasts).then(|| held.token.clone())
}
