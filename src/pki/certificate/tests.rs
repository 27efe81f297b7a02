use der::Tag;

use super::*;
use crate::pki::asn1;
use crate::pki::certificates;
use crate::pki::testing::{CAS, ODD_SUBJECTS, certificate, data, der_of_size, openssl, path};

#[test]
fn openssl_says_the_same() {
    let others = ["ca-off", "unstated", "chain-leaf", "expired", "endless", "rsa-1024"];
    for name in CAS.iter().chain(&ODD_SUBJECTS).chain(&others) {
        let certificate = certificate(name);
        let file = path(&format!("{name}.pem"));
        let says = |option: &str| openssl(&["x509", "-in", &file, "-noout", option]);
        let digest = |kind: &str| {
            let line = openssl(&["x509", "-in", &file, "-noout", "-fingerprint", kind]);
            line.split_once('=').unwrap().1.replace(':', "")
        };
        assert_eq!(certificate.sha1_thumbprint().to_string(), digest("-sha1"), "{name}");
        assert_eq!(certificate.sha256_fingerprint().to_string(), digest("-sha256"), "{name}");
        assert_eq!(format!("serial={}", certificate.serial_number()), says("-serial"), "{name}");
        assert_eq!(certificate.to_pem().trim_end(), openssl(&["x509", "-in", &file]), "{name}");
        let times = openssl(&["x509", "-in", &file, "-noout", "-dates", "-dateopt", "iso_8601"]);
        let end = certificate.not_after().min("9999-12-30T22:00:00Z".parse().unwrap());
        let ours = format!("notBefore={}\nnotAfter={end}", certificate.not_before()).replace('T', " ");
        assert_eq!(ours, times.replace("9999-12-31 23:59:59Z", "9999-12-30 22:00:00Z"), "{name}");
        let public = super::pem::write("PUBLIC KEY", certificate.public_key_der());
        assert_eq!(public.trim_end(), says("-pubkey"), "{name}");
    }
}

#[test]
fn subjects_read_as_openssl_writes_them() {
    // OpenSSL turns the order inside a multi-valued part as well.
    assert_eq!(certificate("subject-multi").subject(), "CN=two+OU=one+O=Certferry tests");
    for name in CAS.iter().chain(&ODD_SUBJECTS).filter(|name| **name != "subject-multi") {
        let file = path(&format!("{name}.pem"));
        let theirs =
            openssl(&["x509", "-in", &file, "-noout", "-subject", "-nameopt", "RFC2253,utf8,-esc_msb"]);
        assert_eq!(format!("subject={}", certificate(name).subject()), theirs, "{name}");
    }
}

#[test]
fn a_certificate_says_whether_it_is_an_authority() {
    let cases = [
        ("rsa-2048", Authority::Ca),
        ("chain-intermediate", Authority::Ca),
        ("ca-off", Authority::Leaf),
        ("chain-leaf", Authority::Leaf),
        ("unstated", Authority::Unstated),
        ("v1", Authority::Unstated),
    ];
    for (name, authority) in cases {
        assert_eq!(certificate(name).authority(), authority, "{name}");
    }
}

#[test]
fn dates_do_not_stop_reading() {
    assert_eq!(certificate("expired").not_after().to_string(), "2021-01-01T00:00:00Z");
    assert_eq!(certificate("not-yet-valid").not_before().to_string(), "2090-01-01T00:00:00Z");
    assert_eq!(certificate("endless").not_after(), Timestamp::MAX);
}

#[test]
fn a_certificate_knows_its_issuer() {
    let (leaf, intermediate, root) =
        (certificate("chain-leaf"), certificate("chain-intermediate"), certificate("rsa-2048"));
    for (issued, ca, wanted) in [
        (&leaf, &intermediate, Ok(())),
        (&intermediate, &root, Ok(())),
        (&root, &root, Ok(())),
        (&leaf, &root, Err(NotIssued::Issuer)),
        (&root, &leaf, Err(NotIssued::Issuer)),
        (&intermediate, &certificate("twin"), Err(NotIssued::Signature)),
        (&certificate("proof-sha1"), &root, Err(NotIssued::Unsupported)),
        (&certificate("rsa-1024"), &certificate("rsa-1024"), Err(NotIssued::Unsupported)),
    ] {
        assert_eq!(issued.check_issuer(ca), wanted, "{issued:?} by {ca:?}");
        assert_eq!(issued.is_issued_by(ca), wanted.is_ok());
    }
    for name in CAS {
        assert!(certificate(name).is_issued_by(&certificate(name)), "{name}");
    }
}

#[test]
fn the_algorithm_beside_the_signature_must_be_the_signed_one() {
    let ca = certificate("rsa-2048");
    let fields = Fields::read(ca.der()).unwrap();
    let mut signature = vec![0];
    signature.extend_from_slice(fields.signature);
    let signature = asn1::value(Tag::BitString, &signature).unwrap();
    // The same name without its NULL.
    let bare = asn1::value(Tag::Sequence, &fields.algorithm[2..fields.algorithm.len() - 2]).unwrap();
    let der = asn1::values(Tag::Sequence, &[fields.signed, &bare, &signature]).unwrap();
    assert_eq!(Certificate::from_der(&der).unwrap().check_issuer(&ca), Err(NotIssued::Signature));
}

#[test]
fn a_flipped_bit_is_noticed() {
    let ca = certificate("p-256");
    for at in 0..ca.der().len() {
        let mut der = ca.der().to_vec();
        der[at] ^= 1;
        let holds = Certificate::from_der(&der).is_ok_and(|other| other.is_issued_by(&ca));
        assert!(!holds, "byte {at}");
    }
}

#[test]
fn a_cut_certificate_is_told_from_a_wrong_one() {
    let der = certificate("rsa-2048").der().to_vec();
    for cut in [2, 10, der.len() / 2, der.len() - 1] {
        assert_eq!(Certificate::from_der(&der[..cut]), Err(Malformed::WrongLength { position: 1 }), "{cut}");
    }
    assert_eq!(Certificate::from_der(&[der, vec![0]].concat()), Err(Malformed::WrongLength { position: 1 }));
    let part = |der: &[u8]| match Certificate::from_der(der) {
        Err(Malformed::Unreadable { part, .. }) => part,
        other => panic!("{other:?}"),
    };
    assert_eq!(part(&[0x30, 0x00]), "its signed part");
    assert_eq!(part(&data("rsa-2048.pkcs1.der")), "its signature");
    assert_eq!(part(&with_serial_number(&[])), "its serial number");
    assert_eq!(part(&with_serial_number(&[1; 33])), "its serial number");
}

#[test]
fn serial_numbers_are_shown_without_the_octet_of_the_sign() {
    for (bytes, wanted) in
        [(&[0][..], "00"), (&[0, 0xff], "FF"), (&[1, 2], "0102"), (&[0x7f; 32], &"7F".repeat(32))]
    {
        assert_eq!(Certificate::from_der(&with_serial_number(bytes)).unwrap().serial_number(), wanted);
    }
}

#[test]
fn size_is_limited() {
    let limit = Certificate::MAX_SIZE;
    assert!(limit >= 36_500 / 65 * 48 - 100, "the limit in PEM");
    let largest = Certificate::from_der(&der_of_size(limit)).unwrap();
    let pem = largest.to_pem();
    assert!(pem.len() <= 36_500, "{}", pem.len());
    assert_eq!(certificates(pem.as_bytes()).unwrap(), [largest]);
    for size in [limit + 1, limit * 10] {
        assert_eq!(Certificate::from_der(&der_of_size(size)), Err(Malformed::TooLarge { size, limit }));
    }
}

#[test]
fn debug_text_is_short() {
    let text = format!("{:?}", certificate("rsa-4096"));
    assert!(text.contains("CN=RSA 4096") && text.len() < 300, "{text}");
}

/// A certificate with this serial number, whose signature is therefore wrong.
fn with_serial_number(number: &[u8]) -> Vec<u8> {
    let ca = certificate("v1");
    let fields = Fields::read(ca.der()).unwrap();
    let number = asn1::value(Tag::Integer, number).unwrap();
    let mut values = asn1::Values::of(Tag::Sequence, fields.signed).unwrap();
    values.next().unwrap();
    let signed = asn1::values(Tag::Sequence, &[&number, values.rest().unwrap()]).unwrap();
    let signature = asn1::value(Tag::BitString, &[&[0], fields.signature].concat()).unwrap();
    asn1::values(Tag::Sequence, &[&signed, fields.algorithm, &signature]).unwrap()
}
