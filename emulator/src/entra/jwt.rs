//! Access tokens: JSON Web Tokens signed with RS256 (RFC 7519, RFC 7518 §3.3), made and read through OpenSSL.

use std::fs;
use std::io;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use openssl::error::ErrorStack;
use openssl::hash::{MessageDigest, hash};
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sign::{Signer as Signing, Verifier};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::store::write_private;

const KEY_FILE: &str = "token.key";

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) aud: String,
    pub(crate) iss: String,
    pub(crate) iat: i64,
    pub(crate) nbf: i64,
    pub(crate) exp: i64,
    pub(crate) appid: String,
    /// `1`: signed in by a secret; `2`: by an assertion.
    pub(crate) appidacr: String,
    pub(crate) idtyp: String,
    pub(crate) oid: String,
    pub(crate) sub: String,
    pub(crate) tid: String,
    pub(crate) uti: String,
    pub(crate) ver: String,
    /// The emulator's own: see `World::token_generation`.
    pub(crate) emulator_generation: u64,
}

/// Why a bearer is no token of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Invalid {
    Form,
    Signature,
}

#[derive(Clone)]
pub(crate) struct Signer {
    key: PKey<Private>,
    key_id: String,
}

impl Signer {
    /// The key of this folder, so that tokens outlive a restart as they do in the real world.
    pub(crate) fn of_folder(dir: &Path) -> io::Result<Self> {
        let file = dir.join(KEY_FILE);
        if file.exists() {
            return Ok(Self::new(PKey::private_key_from_pem(&fs::read(file)?)?)?);
        }
        let key = PKey::from_rsa(Rsa::generate(2048)?)?;
        write_private(&file, &key.private_key_to_pem_pkcs8()?)?;
        Ok(Self::new(key)?)
    }

    fn new(key: PKey<Private>) -> Result<Self, ErrorStack> {
        let digest = hash(MessageDigest::sha1(), &key.public_key_to_der()?)?;
        Ok(Self { key, key_id: BASE64URL.encode(digest) })
    }

    pub(crate) fn sign(&self, claims: &Claims) -> String {
        let header = json!({"typ": "JWT", "alg": "RS256", "x5t": self.key_id, "kid": self.key_id});
        // Claims are texts and numbers: they serialise.
        let claims = serde_json::to_vec(claims).expect("claims serialise");
        let signed = format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims));
        // The key is RSA and in memory; OpenSSL has no reason to refuse.
        let signature = self.signature(signed.as_bytes()).expect("the key can sign");
        format!("{signed}.{}", BASE64URL.encode(signature))
    }

    fn signature(&self, bytes: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signing = Signing::new(MessageDigest::sha256(), &self.key)?;
        signing.sign_oneshot_to_vec(bytes)
    }

    /// Reads a token and checks its signature; audience and time are the caller's to judge.
    pub(crate) fn read(&self, token: &str) -> Result<Claims, Invalid> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Invalid::Form)?;
        let (header, claims) = signed.split_once('.').ok_or(Invalid::Form)?;
        let bytes = |part: &str| BASE64URL.decode(part).map_err(|_| Invalid::Form);
        let header: Value = serde_json::from_slice(&bytes(header)?).map_err(|_| Invalid::Form)?;
        if header["alg"] != "RS256" {
            return Err(Invalid::Form); // `none` and the like
        }
        let genuine = Verifier::new(MessageDigest::sha256(), &self.key).and_then(|mut verifier| {
            verifier.verify_oneshot(&bytes(signature).unwrap_or_default(), signed.as_bytes())
        });
        if !matches!(genuine, Ok(true)) {
            return Err(Invalid::Signature);
        }
        serde_json::from_slice(&bytes(claims)?).map_err(|_| Invalid::Form)
    }

    /// The public key as a JSON Web Key (RFC 7517).
    pub(crate) fn public(&self) -> Result<Value, ErrorStack> {
        let rsa = self.key.rsa()?;
        let (n, e) = (BASE64URL.encode(rsa.n().to_vec()), BASE64URL.encode(rsa.e().to_vec()));
        Ok(json!({"kty": "RSA", "use": "sig", "kid": self.key_id, "x5t": self.key_id, "n": n, "e": e}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims() -> Claims {
        let text = String::new;
        Claims {
            aud: "a".into(),
            iss: text(),
            iat: 0,
            nbf: 0,
            exp: 1,
            appid: text(),
            appidacr: text(),
            idtyp: text(),
            oid: text(),
            sub: text(),
            tid: text(),
            uti: text(),
            ver: text(),
            emulator_generation: 0,
        }
    }

    fn signer() -> Signer {
        Signer::new(PKey::from_rsa(Rsa::generate(2048).expect("a key")).expect("a key")).expect("a signer")
    }

    #[test]
    fn only_what_this_key_signed_is_read() {
        let signer = signer();
        let token = signer.sign(&claims());
        assert_eq!(signer.read(&token).map(|claims| claims.aud).as_deref(), Ok("a"));
        assert_eq!(self::signer().read(&token).unwrap_err(), Invalid::Signature);
        let (rest, signature) = token.rsplit_once('.').expect("three parts");
        let forged = format!("{}.{}.{signature}", rest.split_once('.').unwrap().0, BASE64URL.encode("{}"));
        assert_eq!(signer.read(&forged).unwrap_err(), Invalid::Signature);
        let none = format!("{}.{}.", BASE64URL.encode(r#"{"alg":"none"}"#), BASE64URL.encode("{}"));
        assert_eq!(signer.read(&none).unwrap_err(), Invalid::Form);
        assert_eq!(signer.read("nonsense").unwrap_err(), Invalid::Form);
    }
}
