//! Somebody else's token issuer, such as a cluster: its keys, the assertions that it signs, and what the token
//! endpoint makes of them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use openssl::bn::{BigNum, BigNumContext, BigNumRef};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::sha::sha256;
use openssl::sign::Signer;
use serde_json::{Value, json};

use crate::certs::{ec_key, rsa_key};
use crate::client::{ARM_SCOPE, Emulator, Reply, TENANT};

pub(crate) const FEDERATED: &str = "22222222-2222-4222-8222-000000000002";
pub(crate) const ISSUER: &str = "https://oidc.cluster.example/";
pub(crate) const SUBJECT: &str = "system:serviceaccount:certferry:certferry";
pub(crate) const AUDIENCE: &str = "api://AzureADTokenExchange";
const JWT_BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

pub(crate) struct Issuer {
    pub(crate) key: PKey<Private>,
    pub(crate) kid: &'static str,
    pub(crate) alg: &'static str,
}

impl Issuer {
    pub(crate) fn rs256(kid: &'static str) -> Self {
        Self { key: rsa_key(), kid, alg: "RS256" }
    }

    pub(crate) fn es256(kid: &'static str) -> Self {
        Self { key: ec_key(), kid, alg: "ES256" }
    }

    /// Its public key as it publishes it, with members that a reader has to skip.
    pub(crate) fn jwk(&self) -> Value {
        let mut jwk = match self.key.rsa() {
            Ok(rsa) => {
                let text = |number: &BigNumRef| BASE64URL.encode(number.to_vec());
                json!({"kty": "RSA", "n": text(rsa.n()), "e": text(rsa.e())})
            }
            Err(_) => {
                let (key, mut context) = (self.key.ec_key().unwrap(), BigNumContext::new().unwrap());
                let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
                key.public_key().affine_coordinates_gfp(key.group(), &mut x, &mut y, &mut context).unwrap();
                let text = |number: &BigNumRef| BASE64URL.encode(number.to_vec_padded(32).unwrap());
                json!({"kty": "EC", "crv": "P-256", "x": text(&x), "y": text(&y)})
            }
        };
        jwk["kid"] = self.kid.into();
        jwk["use"] = "sig".into();
        jwk["key_ops"] = json!(["verify"]);
        jwk
    }

    /// A federated credential that trusts its subject.
    pub(crate) fn credential(&self) -> Value {
        json!({"issuer": ISSUER, "subject": SUBJECT, "keys": {"keys": [self.jwk()]}})
    }

    /// Good claims at this time, still to be spoilt.
    pub(crate) fn claims(now: i64) -> Value {
        json!({"iss": ISSUER, "sub": SUBJECT, "aud": [AUDIENCE], "iat": now, "nbf": now, "exp": now + 3_600})
    }

    pub(crate) fn assertion(&self, claims: &Value) -> String {
        self.signed(&json!({"alg": self.alg, "kid": self.kid}), claims)
    }

    /// With any header; the signature is what the key makes of it all the same.
    pub(crate) fn signed(&self, header: &Value, claims: &Value) -> String {
        let signed = unsigned(header, claims);
        let signature = match self.alg {
            "RS256" => {
                let mut signer = Signer::new(MessageDigest::sha256(), &self.key).unwrap();
                signer.sign_oneshot_to_vec(signed.as_bytes()).unwrap()
            }
            _ => {
                let halves = EcdsaSig::sign(&sha256(signed.as_bytes()), &self.key.ec_key().unwrap()).unwrap();
                [halves.r(), halves.s()].map(|half| half.to_vec_padded(32).unwrap()).concat()
            }
        };
        format!("{signed}.{}", BASE64URL.encode(signature))
    }
}

pub(crate) fn unsigned(header: &Value, claims: &Value) -> String {
    format!("{}.{}", BASE64URL.encode(header.to_string()), BASE64URL.encode(claims.to_string()))
}

pub(crate) fn trust(emulator: &Emulator, client: &str, credentials: Value) {
    emulator.control("PUT", &format!("/clients/{client}/federated-credentials"), &credentials);
}

pub(crate) fn now(emulator: &Emulator) -> i64 {
    emulator.seen("/clock")["unix"].as_i64().unwrap()
}

pub(crate) fn ask(emulator: &Emulator, client: &str, assertion: &str, more: &[(&str, &str)]) -> Reply {
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", client),
        ("client_assertion_type", JWT_BEARER),
        ("client_assertion", assertion),
        ("scope", ARM_SCOPE),
    ];
    fields.retain(|(name, _)| !more.iter().any(|(other, _)| other == name));
    fields.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    emulator.ask_token(TENANT, &fields)
}

/// Status, error and AADSTS number, which the description has to tell too.
pub(crate) fn refused(reply: &Reply) -> (u16, String, u64) {
    let body = reply.json();
    let number = body["error_codes"][0].as_u64().unwrap_or(0);
    let description = body["error_description"].as_str().unwrap_or_default();
    assert!(description.starts_with(&format!("AADSTS{number}: ")), "{description}");
    (reply.status, body["error"].as_str().unwrap_or_default().to_owned(), number)
}

/// An emulator whose federated client trusts this issuer.
pub(crate) fn trusting(issuer: &Issuer) -> Emulator {
    let emulator = Emulator::start();
    trust(&emulator, FEDERATED, json!([issuer.credential()]));
    emulator
}
