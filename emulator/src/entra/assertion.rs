//! Client assertions: tokens that another issuer signed (RFC 7523, workload identity federation). Read strictly here,
//! then judged in Entra's order: record, signature, time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::errors::Refusal;
use super::federation;
use crate::jwk::{Algorithm, Disbelief};
use crate::switches::AssertionAlgorithms;
use crate::world::Client;

/// Seconds by which an issuer's clock may be ahead.
const SKEW: f64 = 300.0;

/// One that is well formed; nothing of it is believed yet.
pub(super) struct Assertion {
    pub(super) issuer: String,
    pub(super) subject: String,
    pub(super) audiences: Vec<String>,
    algorithm: Algorithm,
    key_id: String,
    times: Times,
    signed: Vec<u8>,
    signature: Vec<u8>,
}

/// Unix seconds, which need not be whole (RFC 7519 §2).
#[derive(Deserialize)]
struct Times {
    exp: Option<f64>,
    nbf: Option<f64>,
    iat: Option<f64>,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none is.
    crit: Option<Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: Option<String>,
    sub: Option<String>,
    aud: Option<Audiences>,
    #[serde(flatten)]
    times: Times,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audiences {
    One(String),
    Several(Vec<String>),
}

/// Whether this assertion signs the client in now.
pub(super) fn check(
    client: &Client,
    text: &str,
    algorithms: AssertionAlgorithms,
    now: i64,
) -> Result<(), Refusal> {
    let assertion = Assertion::read(text, algorithms)?;
    if client.federated_credentials.is_empty() {
        return Err(Refusal::no_federation(&client.client_id, &client.display_name));
    }
    let record = federation::matching(&client.federated_credentials, &assertion)?;
    let Assertion { issuer, algorithm, key_id, signed, signature, .. } = &assertion;
    let verified = record.keys.verify(key_id, *algorithm, signed, signature);
    verified.map_err(|disbelief| match disbelief {
        Disbelief::NoSuchKey => Refusal::unknown_key(key_id, issuer),
        Disbelief::KeyOfOtherKind => Refusal::unsupported_key(),
        Disbelief::Signature => Refusal::wrong_signature(key_id),
    })?;
    assertion.times.include(now)
}

impl Assertion {
    fn read(text: &str, algorithms: AssertionAlgorithms) -> Result<Self, Refusal> {
        let (signed, signature) = text.rsplit_once('.').ok_or_else(Refusal::malformed_assertion)?;
        let (header, claims) = signed.split_once('.').ok_or_else(Refusal::malformed_assertion)?;
        let Header { alg, kid, crit: None } = part(header)? else {
            return Err(Refusal::malformed_assertion());
        };
        let Claims { iss, sub, aud, times } = part(claims)?;
        let signature = BASE64URL.decode(signature).map_err(|_| Refusal::malformed_assertion())?;
        let taken = taken(algorithms);
        let algorithm = taken.iter().find(|algorithm| algorithm.name() == alg);
        Ok(Self {
            algorithm: *algorithm.ok_or_else(|| {
                let names: Vec<_> = taken.iter().map(|algorithm| algorithm.name()).collect();
                Refusal::unsupported_algorithm(&alg, &names.join(","))
            })?,
            key_id: kid.ok_or_else(Refusal::no_key_id)?,
            issuer: iss.ok_or_else(|| Refusal::missing_claim("iss"))?,
            subject: sub.ok_or_else(|| Refusal::missing_claim("sub"))?,
            audiences: match aud.ok_or_else(|| Refusal::missing_claim("aud"))? {
                Audiences::One(only) => vec![only],
                Audiences::Several(all) => all,
            },
            times,
            signed: signed.as_bytes().to_vec(),
            signature,
        })
    }
}

const fn taken(algorithms: AssertionAlgorithms) -> &'static [Algorithm] {
    match algorithms {
        AssertionAlgorithms::Rs256AndEs256 => &[Algorithm::Rs256, Algorithm::Es256],
        AssertionAlgorithms::Rs256 => &[Algorithm::Rs256],
    }
}

fn part<T: DeserializeOwned>(text: &str) -> Result<T, Refusal> {
    let bytes = BASE64URL.decode(text).map_err(|_| Refusal::malformed_assertion())?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::malformed_assertion())
}

impl Times {
    fn include(&self, now: i64) -> Result<(), Refusal> {
        let Self { exp, nbf, iat } = *self;
        let at = now as f64;
        let begun = [nbf, iat].into_iter().flatten().all(|from| from <= at + SKEW);
        // Without an end it never was valid: Entra counts it as 1970.
        if begun && exp.is_some_and(|end| at < end) {
            return Ok(());
        }
        Err(Refusal::not_valid_now(now, nbf.or(iat).unwrap_or(0.0) as i64, exp.unwrap_or(0.0) as i64))
    }
}
