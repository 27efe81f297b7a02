//! Id tokens of another issuer, as a cluster gives them to its workloads: RS256 or ES256, for the agency that trusts them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::huawei::account::Agency;
use crate::jwk::Algorithm;

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Why the agency does not take it, if so. The words are ours.
pub(super) fn check(token: &str, agency: &Agency, now: i64) -> Result<(), &'static str> {
    let malformed = "the id token is malformed";
    let (signed, signature) = token.rsplit_once('.').ok_or(malformed)?;
    let (header, claims) = signed.split_once('.').ok_or(malformed)?;
    let Header { alg, kid } = part(header).ok_or(malformed)?;
    let Claims { iss, sub, aud, exp } = part(claims).ok_or(malformed)?;
    let signature = BASE64URL.decode(signature).map_err(|_| malformed)?;
    let algorithms = [Algorithm::Rs256, Algorithm::Es256];
    let algorithm = algorithms.into_iter().find(|algorithm| algorithm.name() == alg);
    let algorithm = algorithm.ok_or("the id token's algorithm is not supported")?;
    let audience_fits = match aud {
        Audience::One(only) => only == agency.audience,
        Audience::Several(all) => all.contains(&agency.audience),
    };
    if iss != agency.issuer || sub != agency.subject || !audience_fits {
        return Err("issuer, subject or audience of the id token is not trusted");
    }
    let verified = agency.keys.verify(&kid, algorithm, signed.as_bytes(), &signature);
    verified.map_err(|_| "the id token's signature is wrong")?;
    if exp <= now as f64 { Err("the id token is expired") } else { Ok(()) }
}

fn part<T: DeserializeOwned>(text: &str) -> Option<T> {
    serde_json::from_slice(&BASE64URL.decode(text).ok()?).ok()
}
