use super::*;
use crate::pki::Authority;
use crate::pki::asn1::contents;
use crate::pki::testing::{
    CAS, ODD_SUBJECTS, Scratch, ca_with_subject, certificate, key, now, openssl, try_openssl,
};

fn code() -> VerificationCode {
    "OFFLINE-CODE-1".parse().unwrap()
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

/// OpenSSL's verdict at the time of the tests.
fn holds_for_openssl(proof: &Certificate, ca: &Certificate) -> bool {
    let (proof, ca) = (Scratch::holding(proof.to_pem()), Scratch::holding(ca.to_pem()));
    let time = now().as_second().to_string();
    try_openssl(&["verify", "-partial_chain", "-attime", &time, "-CAfile", ca.path(), proof.path()]).0
}

#[test]
fn a_proof_holds_for_every_kind_of_key() {
    let hashes = ["sha256", "sha256", "sha256", "SHA256", "SHA384", "SHA512"];
    for (name, hash) in CAS.into_iter().zip(hashes) {
        let ca = certificate(name);
        let proof = proof(&ca, &key(name), &code(), now()).unwrap();
        assert_eq!(check(&proof, &ca, &code(), now()), Ok(()), "{name}");
        assert!(holds_for_openssl(&proof, &ca), "{name}");
        let file = Scratch::holding(proof.to_pem());
        let text = openssl(&["x509", "-in", file.path(), "-noout", "-text"]);
        let algorithm = text.lines().find(|line| line.contains("Signature Algorithm")).unwrap();
        assert!(algorithm.contains(hash), "{name}: {algorithm}");
    }
}

#[test]
fn a_proof_is_what_the_services_are_known_to_take() {
    let ca = certificate("rsa-2048");
    let proof = proof(&ca, &key("rsa-2048"), &code(), now()).unwrap();
    assert_eq!(proof.subject(), "CN=OFFLINE-CODE-1");
    assert_eq!(proof.issuer_der(), ca.subject_der());
    assert_eq!((proof.not_before(), proof.not_after()), (now() - days(1), now() + days(3)));
    assert_eq!(proof.authority(), Authority::Unstated);
    assert_eq!(proof.serial_number().len(), 32);
    let file = Scratch::holding(proof.to_pem());
    let text = openssl(&["x509", "-in", file.path(), "-noout", "-text"]);
    assert!(text.contains("Version: 3 (0x2)") && text.contains("Public-Key: (2048 bit)"), "{text}");
    let extensions: Vec<_> = text.lines().filter(|line| line.contains("X509v3 ")).map(str::trim).collect();
    assert_eq!(extensions, ["X509v3 extensions:", "X509v3 Authority Key Identifier:"]);
}

#[test]
fn the_ca_is_named_by_its_key_identifier_or_its_key() {
    let cases = [("rsa-2048", true), ("p-384", true), ("v1", false)];
    for (name, has_identifier) in cases {
        let ca = certificate(name);
        assert_eq!(ca.subject_key_identifier().is_some(), has_identifier);
        // OpenSSL gave its CAs the same identifier as RFC 5280's first way, which serves where there is none.
        let like = if has_identifier { ca.clone() } else { certificate("rsa-2048") };
        let wanted = like.subject_key_identifier().unwrap();
        let extensions = extension_list(&authority_key_identifier(&ca).unwrap()).unwrap();
        assert!(extensions.ends_with(wanted), "{name}");
    }
}

#[test]
fn the_issuer_is_the_cas_subject_byte_for_byte() {
    for name in ODD_SUBJECTS {
        let ca = certificate(name);
        let proof = proof(&ca, &key("rsa-2048"), &code(), now()).unwrap();
        assert_eq!(proof.issuer_der(), ca.subject_der(), "{name}");
        assert!(holds_for_openssl(&proof, &ca), "{name}");
    }
}

#[test]
fn even_a_subject_that_no_standard_allows_is_repeated() {
    let attribute =
        |value: &[u8]| [&[0x30, 5 + value.len() as u8, 0x06, 0x03, 0x55, 0x04, 0x03], value].concat();
    let two = [attribute(b"\x0c\x01b"), attribute(b"\x0c\x01a")].concat();
    let set = |contents: &[u8]| asn1::value(Tag::Set, contents).unwrap();
    let names = [
        set(&two),                           // a set that is not sorted
        set(&attribute(b"\x1c\x04\0\0\0a")), // UniversalString
        set(&attribute(b"\x13\x03a@\xff")),  // not PrintableString's characters
        set(&attribute(b"\x0c\x00")),        // an empty value
        set(&[]),                            // an empty relative name
        vec![0x05, 0x00],                    // no relative name at all
        vec![0xff; 5],                       // no DER
    ];
    for name in names {
        let ca = ca_with_subject(&asn1::value(Tag::Sequence, &name).unwrap());
        let proof = proof(&ca, &key("rsa-2048"), &code(), now()).unwrap();
        assert_eq!(contents(Tag::Sequence, proof.issuer_der()), Some(name.as_slice()));
    }
}

#[test]
fn two_proofs_share_no_number_and_their_key_is_not_the_cas() {
    let ca = certificate("p-256");
    let [one, other] = [(), ()].map(|()| proof(&ca, &key("p-256"), &code(), now()).unwrap());
    assert_ne!(one.serial_number(), other.serial_number());
    assert_ne!(one.public_key_der(), ca.public_key_der());
}

#[test]
fn the_key_of_another_ca_is_refused() {
    for (ca, other) in
        [("rsa-2048", "twin"), ("rsa-2048", "p-256"), ("p-256", "p-384"), ("p-384", "rsa-3072")]
    {
        assert_eq!(
            proof(&certificate(ca), &key(other), &code(), now()),
            Err(ProofError::WrongKey),
            "{ca} {other}"
        );
    }
}

#[test]
fn proofs_are_made_at_any_time() {
    let ca = certificate("p-256");
    let times =
        ["1970-01-01T00:00:00Z", "1970-01-01T23:00:00Z", "2049-12-30T00:00:00Z", "9999-12-30T21:00:00Z"];
    for at in times.map(|at| at.parse().unwrap()) {
        let proof = proof(&ca, &key("p-256"), &code(), at).unwrap();
        assert!(proof.not_before() >= Timestamp::UNIX_EPOCH);
        assert_eq!(check(&proof, &ca, &code(), at), Ok(()), "{at}");
    }
    // Before the epoch there is no proof, but an answer.
    let early = proof(&ca, &key("p-256"), &code(), Timestamp::MIN);
    assert!(matches!(early, Err(ProofError::Unsound(ProofFault::NotYetValid { .. }))), "{early:?}");
}

#[test]
fn a_fraction_of_a_second_is_left_out() {
    let at: Timestamp = "2030-01-01T12:00:00.999Z".parse().unwrap();
    let proof = proof(&certificate("p-256"), &key("p-256"), &code(), at).unwrap();
    assert_eq!(proof.not_after(), now() + days(3));
}

#[test]
fn a_proof_made_elsewhere_is_judged() {
    let cases = [
        ("proof", "rsa-2048", Ok(())),
        ("proof-sha512", "rsa-2048", Ok(())),
        ("proof-of-p-521", "p-521", Ok(())),
        ("proof-sha1", "rsa-2048", Err(ProofFault::Unsupported)),
        ("proof-of-rsa-1024", "rsa-1024", Err(ProofFault::Unsupported)),
        ("proof-two-names", "rsa-2048", Err(ProofFault::WrongCode)),
        ("proof-no-name", "rsa-2048", Err(ProofFault::WrongCode)),
        ("rsa-2048", "rsa-2048", Err(ProofFault::WrongCode)),
        ("proof", "rsa-3072", Err(ProofFault::WrongIssuer)),
        ("proof-of-twin", "rsa-2048", Err(ProofFault::BadSignature)),
    ];
    for (proof, ca, wanted) in cases {
        assert_eq!(check(&certificate(proof), &certificate(ca), &code(), now()), wanted, "{proof} by {ca}");
    }
}

#[test]
fn a_proof_is_for_one_code() {
    for other in ["OFFLINE-CODE-2", "offline-code-1", "OFFLINE-CODE-", "OFFLINE-CODE-11"] {
        let other = other.parse().unwrap();
        let verdict = check(&certificate("proof"), &certificate("rsa-2048"), &other, now());
        assert_eq!(verdict, Err(ProofFault::WrongCode), "{other}");
    }
}

#[test]
fn a_proof_holds_for_its_time_both_ends_included() {
    let (proof, ca) = (certificate("proof"), certificate("rsa-2048"));
    let (from, until) = (proof.not_before(), proof.not_after());
    let second = SignedDuration::from_secs(1);
    assert_eq!(check(&proof, &ca, &code(), from - second), Err(ProofFault::NotYetValid { from }));
    assert_eq!(check(&proof, &ca, &code(), from), Ok(()));
    assert_eq!(check(&proof, &ca, &code(), until), Ok(()));
    assert_eq!(check(&proof, &ca, &code(), until + second), Err(ProofFault::Expired { at: until }));
}

#[test]
fn messages_fit_a_status() {
    let at = Timestamp::MAX;
    let faults = [
        ProofFault::WrongCode,
        ProofFault::WrongIssuer,
        ProofFault::BadSignature,
        ProofFault::Unsupported,
        ProofFault::NotYetValid { from: at },
        ProofFault::Expired { at },
    ];
    for fault in faults {
        let message = ProofError::from(fault).to_string();
        assert!(message.len() < 220, "{message}");
    }
}
