//! The signatures of assertions, and the keys that they are held against.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::json;

use crate::issuer::{FEDERATED, Issuer, ask, now, refused, trust, trusting, unsigned};

#[test]
fn the_public_key_is_no_shared_secret() {
    let issuer = Issuer::rs256("k");
    let emulator = trusting(&issuer);
    let body = unsigned(&json!({"alg": "HS256", "kid": "k"}), &Issuer::claims(now(&emulator)));
    for public in [issuer.key.public_key_to_pem().unwrap(), issuer.key.public_key_to_der().unwrap()] {
        let secret = PKey::hmac(&public).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &secret).unwrap();
        let signature = BASE64URL.encode(signer.sign_oneshot_to_vec(body.as_bytes()).unwrap());
        let reply = ask(&emulator, FEDERATED, &format!("{body}.{signature}"), &[]);
        assert_eq!(refused(&reply).2, 5_002_738);
    }
}

#[test]
fn the_key_has_to_be_of_the_kind_that_the_algorithm_needs() {
    let (rsa, ec) = (Issuer::rs256("k"), Issuer::es256("k"));
    let emulator = trusting(&rsa);
    let claims = Issuer::claims(now(&emulator));
    let number = |issuer: &Issuer| refused(&ask(&emulator, FEDERATED, &issuer.assertion(&claims), &[])).2;
    assert_eq!(number(&ec), 5_002_730, "ES256 with the name of an RSA key");
    trust(&emulator, FEDERATED, json!([ec.credential()]));
    assert_eq!(number(&rsa), 5_002_730, "RS256 with the name of an EC key");
    for (member, value) in [("alg", "RS512"), ("n", "not base64url!")] {
        let mut credential = rsa.credential();
        credential["keys"]["keys"][0][member] = value.into();
        trust(&emulator, FEDERATED, json!([credential]));
        assert_eq!(number(&rsa), 5_002_730, "{member}");
    }
    let mut credential = ec.credential();
    credential["keys"]["keys"][0]["y"] = credential["keys"]["keys"][0]["x"].clone();
    trust(&emulator, FEDERATED, json!([credential]));
    assert_eq!(number(&ec), 5_002_730, "a point off the curve");
}

#[test]
fn a_signature_in_another_form_is_none() {
    let issuer = Issuer::es256("k");
    let emulator = trusting(&issuer);
    let whole = issuer.assertion(&Issuer::claims(now(&emulator)));
    let (signed, signature) = whole.rsplit_once('.').unwrap();
    let halves = BASE64URL.decode(signature).unwrap();
    let der = {
        let number = |half: &[u8]| openssl::bn::BigNum::from_slice(half).unwrap();
        let signature =
            openssl::ecdsa::EcdsaSig::from_private_components(number(&halves[..32]), number(&halves[32..]));
        signature.unwrap().to_der().unwrap()
    };
    for other in [der, vec![0; 64], Vec::new(), halves[..63].to_vec()] {
        let assertion = format!("{signed}.{}", BASE64URL.encode(&other));
        assert_eq!(refused(&ask(&emulator, FEDERATED, &assertion, &[])).2, 700_027, "{} bytes", other.len());
    }
}

#[test]
fn rotated_keys_are_known_once_they_are_published() {
    let (old, new) = (Issuer::rs256("old"), Issuer::es256("new"));
    let emulator = trusting(&old);
    let ask_with =
        |issuer: &Issuer| ask(&emulator, FEDERATED, &issuer.assertion(&Issuer::claims(now(&emulator))), &[]);
    assert_eq!(refused(&ask_with(&new)), (401, "invalid_client".to_owned(), 7_000_272));
    let mut credential = old.credential();
    credential["keys"]["keys"] = json!([old.jwk(), new.jwk()]);
    trust(&emulator, FEDERATED, json!([credential]));
    assert_eq!((ask_with(&old).status, ask_with(&new).status), (200, 200));
    trust(&emulator, FEDERATED, json!([new.credential()]));
    assert_eq!(refused(&ask_with(&old)).2, 7_000_272);
}
