//! One identity's tokens: asked for once for all who need them, kept while they last, and not asked for again too soon
//! after a failure.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use azure_core::cloud::CustomConfiguration;
use azure_core::credentials::{Secret, TokenCredential};
use azure_core::error::{Error, ErrorKind};
use azure_core::http::{ClientMethodOptions, ClientOptions, RetryOptions};
use azure_identity::{
    ClientAssertion, ClientAssertionCredential, ClientAssertionCredentialOptions, ClientSecretCredential,
    ClientSecretCredentialOptions, ManagedIdentityCredential, ManagedIdentityCredentialOptions,
    UserAssignedId,
};
use tokio::sync::Mutex;
use tokio::time::Instant;
use zeroize::Zeroizing;

use super::sign_in::{self, NoToken, Pace};
use super::transport::{self, Issuer};
use crate::engine::error::CloudError;
use crate::http::Endpoint;
use crate::providers::random::jittered;
use crate::source::assertion::Assertion;

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
#[derive(Clone)]
pub(super) struct Maker {
    pub(super) issuer: Issuer,
    pub(super) authority: Endpoint,
    pub(super) tenant: String,
    pub(super) identity: Identity,
}

/// Who asks for tokens, and how that is shown.
#[derive(Clone)]
pub(super) enum Identity {
    /// An application with a secret.
    Secret { client: String, secret: Zeroizing<String> },
    /// An application that trusts a Kubernetes ServiceAccount.
    Federated { client: String, assertion: Assertion },
    /// The machine, as the client if it has several identities.
    Managed { client: Option<String> },
}

/// A token's text. Equal text is the same token.
pub(super) type Token = Zeroizing<String>;

#[derive(Default)]
struct State {
    /// The SDK's credential with its cache; none at first, and after its token was refused.
    client: Option<Arc<dyn TokenCredential>>,
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
            // No token call was made; when there is a Kubernetes token, one may follow at once.
            Err(why @ NoToken::NoAssertion(_)) => Err(sign_in::error(&why)),
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
        let left = left.try_into().unwrap_or(Duration::ZERO).min(sign_in::LONGEST_LIFE);
        Ok(Held { token: Zeroizing::new(access.token.secret().to_owned()), until: Instant::now() + left })
    }
}

impl Maker {
    fn client(&self) -> Result<Arc<dyn TokenCredential>, NoToken> {
        let mut cloud = CustomConfiguration::default();
        cloud.authority_host = self.authority.to_string();
        let client_options = ClientOptions {
            cloud: Some(Arc::new(cloud.into())),
            retry: RetryOptions::none(), // failures are remembered here, for all callers
            transport: Some(transport::transport(self.issuer.clone())),
            ..Default::default()
        };
        let tenant = self.tenant.clone();
        let made: azure_core::Result<Arc<dyn TokenCredential>> = match &self.identity {
            Identity::Secret { client, secret } => {
                let secret = Secret::new(secret.as_str().to_owned());
                let options = ClientSecretCredentialOptions { client_options };
                ClientSecretCredential::new(&tenant, client.clone(), secret, Some(options)).map(|it| it as _)
            }
            Identity::Federated { client, assertion } => {
                let assertion = Supplied(assertion.clone());
                let options = ClientAssertionCredentialOptions { client_options };
                ClientAssertionCredential::new(tenant, client.clone(), assertion, Some(options))
                    .map(|it| it as _)
            }
            Identity::Managed { client } => {
                let user_assigned_id = client.clone().map(UserAssignedId::ClientId);
                let options = ManagedIdentityCredentialOptions { user_assigned_id, client_options };
                ManagedIdentityCredential::new(Some(options)).map(|it| it as _)
            }
        };
        made.map_err(|_| NoToken::Client)
    }
}

/// The SDK asks it for the Kubernetes token at each token call, so a rotated one is never missed.
struct Supplied(Assertion);

#[async_trait]
impl ClientAssertion for Supplied {
    async fn secret(&self, _: Option<ClientMethodOptions<'_>>) -> azure_core::Result<String> {
        let token = self.0.token().await;
        token.map(|it| it.to_string()).map_err(|why| Error::new(ErrorKind::Other, NoToken::NoAssertion(why)))
    }
}

impl fmt::Debug for Supplied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Supplied").finish_non_exhaustive()
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
        Self { error: sign_in::error(&why), pace, in_a_row, until: Instant::now() + pause }
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
