use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::*;
use crate::pki::asn1;
use crate::pki::testing::{CAS, certificate, data, key};

fn fault(bytes: &[u8]) -> KeyError {
    PrivateKey::parse(bytes).err().expect("unusable")
}

fn text(file: &str) -> String {
    String::from_utf8(data(file)).unwrap()
}

#[test]
fn keys_are_read_in_every_form() {
    let rsa = ["rsa-2048", "rsa-3072", "rsa-4096"]
        .into_iter()
        .flat_map(|name| ["pkcs8.pem", "pkcs1.pem"].map(|form| (name, form)));
    let elliptic = ["p-256", "p-384", "p-521"]
        .into_iter()
        .flat_map(|name| ["pkcs8.pem", "sec1.pem"].map(|form| (name, form)));
    let der =
        [("rsa-2048", "pkcs8.der"), ("rsa-2048", "pkcs1.der"), ("p-256", "pkcs8.der"), ("p-256", "sec1.der")];
    for (name, form) in rsa.chain(elliptic).chain(der).chain([("p-256", "parameters.pem")]) {
        let read = PrivateKey::parse(&data(&format!("{name}.{form}")));
        assert!(read.is_ok_and(|key| key.matches(&certificate(name))), "{name}.{form}");
    }
}

#[test]
fn pem_of_keys_is_read_leniently() {
    let pem = text("p-256.pkcs8.pem");
    let forms = [
        ("CRLF", pem.replace('\n', "\r\n")),
        ("byte order mark", format!("\u{feff}{pem}")),
        ("text and a certificate around", format!("Bag Attributes\n{}{pem}\nthe end", text("p-256.pem"))),
        ("one line", pem.replace('\n', " ")),
        ("label of SEC1", pem.replace("PRIVATE KEY", "EC PRIVATE KEY")),
        ("label of PKCS#8", text("p-256.sec1.pem").replace("EC PRIVATE KEY", "PRIVATE KEY")),
    ];
    for (form, text) in forms {
        assert!(
            PrivateKey::parse(text.as_bytes()).is_ok_and(|key| key.matches(&certificate("p-256"))),
            "{form}"
        );
    }
}

#[test]
fn what_is_no_usable_key_is_named() {
    let pem = text("p-256.pkcs8.pem");
    let der = data("p-256.pkcs8.der");
    let utf16: Vec<u8> = format!("\u{feff}{pem}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let cases: [(&str, Vec<u8>, KeyError); 27] = [
        ("empty", vec![], KeyError::Empty),
        ("white space", b"\n".to_vec(), KeyError::Empty),
        ("UTF-16", utf16, KeyError::Utf16),
        ("prose", b"hunter2".to_vec(), KeyError::Unrecognized),
        ("certificate", data("p-256.pem"), KeyError::NoKey { found: "a certificate" }),
        (
            "certificate in DER",
            certificate("p-256").der().to_vec(),
            KeyError::NoKey { found: "a certificate" },
        ),
        ("public key", data("p-256.public.pem"), KeyError::NoKey { found: "a public key" }),
        ("PKCS#12", data("pkcs12.der"), KeyError::NoKey { found: "a PKCS#12 file" }),
        ("encrypted PKCS#8", data("rsa-2048.encrypted.pem"), KeyError::Encrypted),
        ("encrypted PKCS#8 in DER", data("p-256.encrypted.der"), KeyError::Encrypted),
        (
            "encrypted PKCS#8, wrong label",
            text("rsa-2048.encrypted.pem").replace("ENCRYPTED ", "").into(),
            KeyError::Encrypted,
        ),
        ("encrypted PKCS#1", data("rsa-2048.legacy-encrypted.pem"), KeyError::Encrypted),
        ("encrypted SEC1", data("p-256.legacy-encrypted.pem"), KeyError::Encrypted),
        (
            "OpenSSH",
            b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----".to_vec(),
            KeyError::Openssh,
        ),
        (
            "two keys",
            [data("p-256.pkcs8.pem"), data("rsa-2048.pkcs1.pem")].concat(),
            KeyError::Several { count: 2 },
        ),
        ("RSA 1024", data("rsa-1024.pkcs8.pem"), KeyError::RsaSize { bits: 1024 }),
        ("RSA 1024, PKCS#1", data("rsa-1024.pkcs1.pem"), KeyError::RsaSize { bits: 1024 }),
        ("RSA-PSS", data("rsa-pss.pkcs8.pem"), KeyError::Algorithm),
        ("Ed25519", data("ed25519.pkcs8.pem"), KeyError::Algorithm),
        ("secp256k1", data("secp256k1.pkcs8.pem"), KeyError::Curve),
        ("secp256k1, SEC1", data("secp256k1.sec1.pem"), KeyError::Curve),
        ("curve spelled out", data("p-256.explicit.pem"), KeyError::Curve),
        ("cut PEM", pem.as_bytes()[..pem.len() / 2].to_vec(), KeyError::Pem(PemFault::Unclosed { block: 1 })),
        ("no base64", pem.replacen("\nM", "\n!", 1).into(), KeyError::Pem(PemFault::NotBase64 { block: 1 })),
        ("cut DER", der[..der.len() - 1].to_vec(), KeyError::Damaged),
        ("DER and more", [der.as_slice(), b"\0"].concat(), KeyError::Damaged),
        ("cut inside", pem::write("PRIVATE KEY", &der[..der.len() / 2]).into(), KeyError::Damaged),
    ];
    for (case, bytes, wanted) in cases {
        assert_eq!(fault(&bytes), wanted, "{case}");
    }
}

#[test]
fn a_key_whose_numbers_do_not_belong_together_is_damaged() {
    // Where a private exponent, and a private number, stand in these.
    let places = [
        ("rsa-2048.pkcs1.der", 400),
        ("rsa-2048.pkcs8.der", 400),
        ("p-256.sec1.der", 20),
        ("p-256.pkcs8.der", 50),
    ];
    for (file, at) in places {
        let mut der = data(file);
        der[at] ^= 1;
        assert_eq!(fault(&der), KeyError::Damaged, "{file}");
    }
}

#[test]
fn sizes_of_rsa_keys_are_limited() {
    let rsa_of = |bits: usize| {
        let modulus = [&[0], vec![0xff; bits / 8].as_slice()].concat();
        let modulus = asn1::value(Tag::Integer, &modulus).unwrap();
        asn1::values(Tag::Sequence, &[&[0x02, 0x01, 0x00], &modulus]).unwrap()
    };
    for bits in [512, 2_040, 8_200, 16_384] {
        assert_eq!(fault(&rsa_of(bits)), KeyError::RsaSize { bits });
    }
    for bits in [2_048, 8_192] {
        assert_eq!(fault(&rsa_of(bits)), KeyError::Damaged, "it has no other numbers");
    }
}

#[test]
fn the_largest_rsa_key_is_read() {
    assert!(PrivateKey::parse(&data("rsa-8192.pkcs8.pem")).is_ok());
}

#[test]
fn size_is_limited() {
    let pem = text("p-256.pkcs8.pem");
    let padded = |size: usize| format!("{}{pem}", " ".repeat(size - pem.len()));
    assert!(PrivateKey::parse(padded(MAX_SIZE).as_bytes()).is_ok());
    for size in [MAX_SIZE + 1, MAX_SIZE * 10, 1 << 20] {
        assert_eq!(fault(padded(size).as_bytes()), KeyError::TooLarge { size, limit: MAX_SIZE });
    }
}

#[test]
fn a_key_matches_its_own_certificate_only() {
    let names: Vec<_> = CAS.into_iter().chain(["twin"]).collect();
    for ours in &names {
        for theirs in &names {
            assert_eq!(key(ours).matches(&certificate(theirs)), ours == theirs, "{ours} and {theirs}");
        }
    }
}

#[test]
fn a_compressed_point_is_the_same_key() {
    let PrivateKey(Pair::Elliptic(_, pair)) = key("p-384") else { panic!("elliptic") };
    let point = pair.public_key().as_ref();
    let parity = point.last().unwrap() & 1;
    let compressed = [&[2 + parity], &point[1..49]].concat();
    assert!(is_point(&pair, &compressed));
    assert!(!is_point(&pair, &[&[3 - parity], &point[1..49]].concat()));
}

#[test]
fn messages_fit_a_status_and_repeat_nothing() {
    let der = data("p-256.pkcs8.der");
    let secret = STANDARD.encode(&der[40..60]);
    for bytes in [data("p-256.encrypted.der"), [der.as_slice(), &der].concat(), secret.clone().into_bytes()] {
        let message = fault(&bytes).to_string();
        assert!(!message.contains(&secret) && message.len() < 200, "{message}");
    }
}

/// Does not compile once a private key can be printed: the call would be ambiguous.
#[test]
fn a_key_has_no_text_form() {
    struct Debug;
    struct Display;
    trait Unprintable<Form> {
        fn holds() {}
    }
    impl<T> Unprintable<()> for T {}
    impl<T: std::fmt::Debug> Unprintable<Debug> for T {}
    impl<T: std::fmt::Display> Unprintable<Display> for T {}
    <PrivateKey as Unprintable<_>>::holds();
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes: Vec<u8>) {
        let _ = PrivateKey::parse(&bytes);
        let _ = PrivateKey::parse(pem::write("PRIVATE KEY", &bytes).as_bytes());
        let _ = PrivateKey::parse(&[&[0x30, 0x82, 0x01, 0x00], bytes.as_slice()].concat());
    }

    #[test]
    fn any_change_gives_an_answer(
        which in 0_usize..6,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<prop::sample::Index>(),
    ) {
        let files = ["rsa-2048.pkcs8.der", "rsa-2048.pkcs1.der", "p-256.pkcs8.der", "p-256.sec1.der",
            "p-256.encrypted.der", "p-521.sec1.pem"];
        let mut bytes = data(files[which]);
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = PrivateKey::parse(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = PrivateKey::parse(&bytes);
    }
}
