use base64::{Engine, engine::general_purpose::STANDARD};
use proptest::prelude::*;

use super::*;
use crate::pki::PemFault;
use crate::pki::testing::{CAS, ODD_SUBJECTS, certificate, data, der_of_size};

fn fault(bytes: &[u8]) -> Malformed {
    certificates(bytes).expect_err("malformed")
}

fn text(file: &str) -> String {
    String::from_utf8(data(file)).unwrap()
}

#[test]
fn one_certificate_is_read_in_every_form() {
    let wanted = [certificate("rsa-2048")];
    let pem = text("rsa-2048.pem");
    let der = wanted[0].der();
    let base64 = STANDARD.encode(der);
    let label = |label: &str| pem.replace("CERTIFICATE", label);
    let forms: [(&str, Vec<u8>); 17] = [
        ("PEM", pem.clone().into()),
        ("CRLF", pem.replace('\n', "\r\n").into()),
        ("CR", pem.replace('\n', "\r").into()),
        ("spaces for line ends", pem.replace('\n', " ").into()),
        ("one long line", pem.replace('\n', "").into()),
        ("indented", pem.replace('\n', "\n    ").into()),
        ("byte order mark", format!("\u{feff}{pem}").into()),
        ("text around", format!("subject=x\r\n\r\n{pem}\nthe end: -- --").into()),
        ("bytes around", [b"0\xff\0 ".as_slice(), pem.as_bytes(), b"\xfe"].concat()),
        ("old label", label("X509 CERTIFICATE").into()),
        ("header line", pem.replacen('\n', "\nX-Note: a\n\n", 1).into()),
        ("with its key", format!("{}{pem}", text("rsa-2048.pkcs8.pem")).into()),
        ("DER", der.to_vec()),
        ("base64 of DER", base64.clone().into()),
        (
            "base64 of DER, no padding, in lines",
            format!("\n{}\r\n{}\n", &base64[..64], base64[64..].trim_end_matches('=')).into(),
        ),
        ("base64 of PEM", STANDARD.encode(&pem).into()),
        (
            "base64 of PEM with CRLF and byte order mark",
            STANDARD.encode(format!("\u{feff}{}", pem.replace('\n', "\r\n"))).into(),
        ),
    ];
    for (form, bytes) in forms {
        assert_eq!(certificates(&bytes).as_deref(), Ok(&wanted[..]), "{form}");
    }
}

#[test]
fn a_chain_keeps_its_order() {
    let chain = certificates(&data("chain.pem")).unwrap();
    let names: Vec<_> = chain.iter().map(Certificate::subject).collect();
    assert_eq!(
        names,
        ["CN=device-1", "CN=intermediate,O=Certferry tests", "CN=RSA 2048,O=Certferry tests,C=DE"]
    );
    assert!(chain.windows(2).all(|pair| pair[0].is_issued_by(&pair[1])));
    assert_eq!(certificates(&data("surrounded.pem")).unwrap(), chain);
}

#[test]
fn what_is_no_certificate_is_named() {
    let pem = text("p-256.pem");
    let utf16: Vec<u8> = format!("\u{feff}{pem}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    let no_certificate = |found| Malformed::NoCertificate { found };
    let unclosed = |block| Malformed::Pem(PemFault::Unclosed { block });
    let cases: [(&str, Vec<u8>, Malformed); 22] = [
        ("empty", vec![], Malformed::Empty),
        ("white space", b" \r\n\t".to_vec(), Malformed::Empty),
        ("byte order mark", b"\xef\xbb\xbf".to_vec(), Malformed::Empty),
        ("UTF-16", utf16, Malformed::Utf16),
        ("prose", b"to be filled in".to_vec(), Malformed::Unrecognized),
        ("base64 of prose", STANDARD.encode("to be filled in").into(), Malformed::Unrecognized),
        ("base64 twice", STANDARD.encode(STANDARD.encode(&pem)).into(), Malformed::Unrecognized),
        ("key", data("p-256.pkcs8.pem"), no_certificate("a private key")),
        ("key in DER", data("p-256.pkcs8.der"), no_certificate("a private key")),
        ("key in DER, SEC1", data("p-256.sec1.der"), no_certificate("a private key")),
        ("encrypted key", data("rsa-2048.encrypted.pem"), no_certificate("a private key")),
        ("public key", data("p-256.public.pem"), no_certificate("a public key")),
        ("request", data("request.pem"), no_certificate("a certificate request")),
        ("PKCS#7", data("chain.p7b.pem"), no_certificate("a PKCS#7 bundle")),
        ("PKCS#12", data("pkcs12.der"), no_certificate("a PKCS#12 file")),
        ("trusted", data("trusted.pem"), no_certificate("a certificate with OpenSSL trust settings")),
        ("cut in the middle", pem.as_bytes()[..pem.len() / 2].to_vec(), unclosed(1)),
        ("cut in the end line", pem.as_bytes()[..pem.len() - 3].to_vec(), unclosed(1)),
        ("other end", pem.replace("END CERTIFICATE", "END PRIVATE KEY").into(), unclosed(1)),
        (
            "no end before the next",
            format!("{pem}-----BEGIN CERTIFICATE-----\nMIIB\n{pem}").into(),
            unclosed(2),
        ),
        ("no base64", pem.replacen("\nM", "\n!", 1).into(), Malformed::Pem(PemFault::NotBase64 { block: 1 })),
        (
            "empty block",
            format!("{pem}-----BEGIN CERTIFICATE----------END CERTIFICATE-----").into(),
            Malformed::WrongLength { position: 2 },
        ),
    ];
    for (case, bytes, wanted) in cases {
        assert_eq!(fault(&bytes), wanted, "{case}");
    }
}

#[test]
fn a_cut_certificate_is_told_in_der_and_base64() {
    let der = data("p-256.pem");
    let der = certificates(&der).unwrap()[0].der().to_vec();
    let cut = &der[..der.len() - 5];
    for bytes in [cut.to_vec(), STANDARD.encode(cut).into_bytes(), [der.as_slice(), &der].concat()] {
        assert_eq!(fault(&bytes), Malformed::WrongLength { position: 1 });
    }
}

#[test]
fn the_number_is_limited() {
    let pem = text("p-256.pem");
    assert_eq!(certificates(pem.repeat(MAX_COUNT).as_bytes()).unwrap().len(), MAX_COUNT);
    assert_eq!(fault(pem.repeat(MAX_COUNT + 1).as_bytes()), Malformed::TooMany { count: 21, limit: 20 });
    assert!(matches!(
        fault(pem.repeat(MAX_COUNT * 10).as_bytes()),
        Malformed::TooLarge { .. } | Malformed::TooMany { .. }
    ));
}

#[test]
fn size_is_limited() {
    let padded = |size: usize| {
        let pem = text("p-256.pem");
        format!("{}{pem}", "#".repeat(size - pem.len()))
    };
    assert!(certificates(padded(MAX_SIZE).as_bytes()).is_ok());
    assert!(certificates(STANDARD.encode(padded(MAX_SIZE)).as_bytes()).is_ok());
    for size in [MAX_SIZE + 1, MAX_SIZE * 10] {
        assert_eq!(fault(padded(size).as_bytes()), Malformed::TooLarge { size, limit: MAX_SIZE });
    }
    let wrapped = STANDARD.encode(padded(MAX_SIZE + 1));
    assert_eq!(fault(wrapped.as_bytes()), Malformed::TooLarge { size: MAX_SIZE + 1, limit: MAX_SIZE });
    let noise: Vec<u8> = (0_u32..1 << 20).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    assert_eq!(fault(&noise), Malformed::TooLarge { size: 1 << 20, limit: MAX_SIZE });
    let big = der_of_size(Certificate::MAX_SIZE + 1);
    assert!(matches!(fault(pem::write("CERTIFICATE", &big).as_bytes()), Malformed::TooLarge { .. }));
}

#[test]
fn messages_fit_a_status_and_repeat_nothing() {
    let marked = text("p-256.pem").replace("\nM", "\n!CANARY!").replace("CERTIFICATE", "CANARY CERTIFICATE");
    for bytes in [marked.into_bytes(), data("p-256.pkcs8.pem"), b"CANARY!".to_vec(), b"0\x82CANARY".to_vec()]
    {
        let message = fault(&bytes).to_string();
        assert!(!message.contains("CANARY") && message.len() < 200, "{message}");
    }
}

#[test]
fn pem_that_is_written_is_read_again() {
    for name in CAS.iter().chain(&ODD_SUBJECTS) {
        let one = certificate(name);
        let pem = one.to_pem();
        assert!(pem.ends_with("-----END CERTIFICATE-----\n") && pem.lines().all(|line| line.len() <= 64));
        assert_eq!(certificates(pem.as_bytes()), Ok(vec![one]));
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_answer(bytes: Vec<u8>) {
        let _ = certificates(&bytes);
        let _ = certificates(STANDARD.encode(&bytes).as_bytes());
        let _ = certificates(pem::write("CERTIFICATE", &bytes).as_bytes());
        let _ = certificates(&[&[0x30, 0x82, 0x01, 0x00], bytes.as_slice()].concat());
    }

    #[test]
    fn any_change_gives_an_answer(
        which in 0..CAS.len() + ODD_SUBJECTS.len(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let name = CAS.iter().chain(&ODD_SUBJECTS).nth(which).unwrap();
        for mut bytes in [data(&format!("{name}.pem")), certificate(name).der().to_vec()] {
            for (at, byte) in &changes {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
            if let Ok(read) = certificates(&bytes) {
                for one in read {
                    prop_assert_eq!(certificates(one.to_pem().as_bytes()), Ok(vec![one.clone()]));
                    let _ = one.check_issuer(&one);
                }
            }
            bytes.truncate(cut.index(bytes.len()));
            let _ = certificates(&bytes);
        }
    }
}
