//! Files of OpenSSL's making and of ours, each opened by both.

use jiff::SignedDuration;

use super::*;
use crate::pki::request::tests::request;
use crate::pki::testing::{Scratch, certificate, key, now, openssl, path, try_openssl};
use crate::pki::{SigningRequest, issue};

fn identity(leaf_key: &str) -> Identity {
    let ca = certificate("rsa-3072");
    let request = SigningRequest::from_der(&request(leaf_key, &[])).unwrap();
    let leaf = issue(&request, &ca, &key("rsa-3072"), SignedDuration::from_hours(24), now()).unwrap();
    Identity::assemble(key(leaf_key), vec![ca, leaf]).unwrap()
}

/// A file of OpenSSL's making.
fn exported(identity: &Identity, leaf_key: &str, options: &[&str]) -> Vec<u8> {
    let (chain, out) = (Scratch::holding(identity.to_pem()), Scratch::holding(""));
    let key = path(&format!("{leaf_key}.pkcs8.pem"));
    let mut arguments = vec!["pkcs12", "-export", "-in", chain.path(), "-inkey", &key, "-out", out.path()];
    arguments.extend(options);
    openssl(&arguments);
    std::fs::read(out.path()).unwrap()
}

#[test]
fn what_openssl_writes_is_opened() {
    let options: [&[&str]; 6] = [
        &["-passout", "pass:secret"],
        &["-passout", "pass:secret", "-legacy"],
        &[
            "-passout",
            "pass:secret",
            "-keypbe",
            "PBE-SHA1-3DES",
            "-certpbe",
            "PBE-SHA1-3DES",
            "-macalg",
            "sha1",
        ],
        &["-passout", "pass:secret", "-keypbe", "AES-128-CBC", "-certpbe", "NONE"],
        &["-passout", "pass:secret", "-nomac"],
        &["-passout", "pass:secret", "-iter", "100000"],
    ];
    for leaf_key in ["rsa-2048", "rsa-4096", "p-256", "p-384", "p-521"] {
        let identity = identity(leaf_key);
        for options in options {
            let file = exported(&identity, leaf_key, options);
            let opened = open(&file, "secret").unwrap_or_else(|fault| panic!("{options:?}: {fault}"));
            assert_eq!(opened.certificates(), identity.certificates(), "{options:?}");
            if !options.contains(&"-nomac") {
                assert_eq!(open(&file, "Secret").err(), Some(Pkcs12Fault::WrongPassword), "{options:?}");
            }
        }
    }
}

#[test]
fn what_is_made_is_opened_by_openssl_with_the_password_alone() {
    for leaf_key in ["rsa-2048", "p-256", "p-384", "p-521"] {
        let identity = identity(leaf_key);
        for encryption in [Encryption::TripleDes, Encryption::Aes256] {
            let file = build(&identity, "pass word", encryption).unwrap();
            assert_eq!(open(&file, "pass word").unwrap().certificates(), identity.certificates());
            let file = Scratch::holding(&*file);
            let read = ["pkcs12", "-in", file.path(), "-nodes", "-legacy", "-passin"];
            let text = openssl(&[&read[..], &["pass:pass word"]].concat());
            assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{text}");
            assert!(text.contains("PRIVATE KEY"), "{text}");
            assert!(!try_openssl(&[&read[..], &["pass:other"]].concat()).0);
        }
    }
}

#[test]
fn a_file_without_a_password_is_opened_without_one() {
    let identity = identity("p-256");
    let file = exported(&identity, "p-256", &["-passout", "pass:"]);
    assert_eq!(open(&file, "").unwrap().certificates(), identity.certificates());
}

#[test]
fn what_a_file_costs_is_known_before_a_password_is_tried() {
    let identity = identity("p-256");
    // Three derivations: of the certificates, of the key, of the check sum.
    for (iterations, fault) in
        [("200000", None), ("200001", Some(TooCostly::Iterations)), ("2000000", Some(TooCostly::Iterations))]
    {
        let file = exported(&identity, "p-256", &["-passout", "pass:x", "-iter", iterations]);
        assert_eq!(cost::check(&file), fault.map_or(Ok(()), |it| Err(it.into())), "{iterations}");
    }
}

#[test]
fn damaged_files_are_told_and_never_panic() {
    let identity = identity("p-256");
    let file = build(&identity, "x", Encryption::Aes256).unwrap();
    assert_eq!(open(&vec![0x30; MAX_SIZE + 1], "x").err(), Some(Pkcs12Fault::TooLarge));
    for bytes in [&b""[..], b"garbage", identity.leaf().der(), &file[..file.len() - 1]] {
        assert_eq!(open(bytes, "x").err(), Some(Pkcs12Fault::Malformed));
    }
    for at in 0..file.len() {
        let mut damaged = file.to_vec();
        damaged[at] ^= 0x41;
        if cost::check(&damaged).is_ok() && at % 7 == 0 {
            let _ = open(&damaged, "x"); // any fault, or none where the byte means nothing
        }
    }
}

#[test]
fn a_file_has_one_key_and_its_certificate() {
    let identity = identity("p-256");
    let chain = Scratch::holding(identity.to_pem());
    let no_key = Scratch::holding("");
    openssl(&[
        "pkcs12",
        "-export",
        "-nokeys",
        "-in",
        chain.path(),
        "-out",
        no_key.path(),
        "-passout",
        "pass:x",
    ]);
    assert_eq!(open(&std::fs::read(no_key.path()).unwrap(), "x").err(), Some(Pkcs12Fault::NoKey));
}
