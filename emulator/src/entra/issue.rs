//! Making access tokens: which resources there are tokens for, and the claims. The one place for all ways to sign in.

use super::jwt::Claims;
use crate::clouds;
use crate::random;
use crate::state::State;
use crate::world::Client;

/// What the client signed in with, as the claim `appidacr` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proof {
    Secret,
    /// A certificate or a token of somebody else's, as managed identities do too.
    Assertion,
}

pub(crate) struct AccessToken {
    pub(crate) text: String,
    pub(crate) claims: Claims,
}

impl AccessToken {
    pub(crate) fn new(state: &State, client: &Client, audience: String, proof: Proof) -> Self {
        let now = state.clock.now();
        let class = match proof {
            Proof::Secret => "1",
            Proof::Assertion => "2",
        };
        let claims = Claims {
            aud: audience,
            iss: format!("https://sts.windows.net/{}/", client.tenant_id),
            iat: now,
            nbf: now,
            exp: now + state.world.switches.token_life_seconds.0,
            appid: client.client_id.clone(),
            appidacr: class.to_owned(),
            idtyp: "app".to_owned(),
            oid: client.object_id.clone(),
            sub: client.object_id.clone(),
            tid: client.tenant_id.clone(),
            uti: random::guid(),
            ver: "1.0".to_owned(),
            emulator_generation: state.world.token_generation,
        };
        Self { text: state.signer.sign(&claims), claims }
    }

    /// Seconds from its making to its end.
    pub(crate) const fn life(&self) -> i64 {
        self.claims.exp - self.claims.iat
    }
}

/// Whether there are tokens for this resource, when they are asked for at `host`. Graph itself is not emulated; vendor
/// tools read a token for it to learn who they are.
pub(crate) fn is_known_resource(state: &State, host: &str, resource: &str) -> bool {
    clouds::is_arm_audience(host, resource)
        || clouds::is_vault_audience(host, resource)
        || ["arm", "vault", "graph"].iter().any(|it| resource.trim_end_matches('/') == state.names.base(it))
}
