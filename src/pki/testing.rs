//! What the tests of this folder share: the files of `tests/data/pki`, and the openssl command as a second opinion.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use der::Tag;
use jiff::Timestamp;

use super::{Certificate, PrivateKey, asn1, time};

/// The keys of which there is a CA.
pub(super) const CAS: [&str; 6] = ["rsa-2048", "rsa-3072", "rsa-4096", "p-256", "p-384", "p-521"];

/// CAs with the RSA 2048 key whose subjects are unusual.
pub(super) const ODD_SUBJECTS: [&str; 8] = [
    "subject-t61",
    "subject-bmp",
    "subject-utf8",
    "subject-printable",
    "subject-ia5",
    "subject-multi",
    "subject-empty",
    "v1",
];

/// A time at which the files' certificates are valid, as long as no name says otherwise.
pub(super) fn now() -> Timestamp {
    "2030-01-01T12:00:00Z".parse().unwrap()
}

/// The bytes of a file.
pub(super) fn data(file: &str) -> Vec<u8> {
    std::fs::read(path(file)).unwrap_or_else(|error| panic!("tests/data/pki/{file}: {error}"))
}

/// The path of a file.
pub(super) fn path(file: &str) -> String {
    format!("{}/tests/data/pki/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// The one certificate of `<name>.pem`.
pub(super) fn certificate(name: &str) -> Certificate {
    let all = super::certificates(&data(&format!("{name}.pem"))).unwrap();
    let [one] = all.try_into().unwrap();
    one
}

/// The key of `<name>.pkcs8.pem`.
pub(super) fn key(name: &str) -> PrivateKey {
    PrivateKey::parse(&data(&format!("{name}.pkcs8.pem"))).map_err(|error| error.to_string()).unwrap()
}

/// A CA certificate with this subject, byte for byte, self-signed by the RSA 2048 key.
pub(super) fn ca_with_subject(subject: &[u8]) -> Certificate {
    Certificate::from_der(&signed(subject, subject)).unwrap()
}

/// A certificate in exactly this many bytes.
pub(super) fn der_of_size(size: usize) -> Vec<u8> {
    let empty = asn1::value(Tag::Sequence, &[]).unwrap();
    let filled = |filling| signed(&empty, &asn1::value(Tag::Sequence, &vec![0x05; filling]).unwrap());
    let der = filled(size - 1_000);
    let der = filled(size - 1_000 + size - der.len());
    assert_eq!(der.len(), size);
    der
}

/// A version 1 certificate of the RSA 2048 key, signed by itself.
fn signed(issuer: &[u8], subject: &[u8]) -> Vec<u8> {
    let (key, ca) = (key("rsa-2048"), certificate("rsa-2048"));
    let algorithm = key.kind().signature_algorithm().unwrap();
    let years =
        ["2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"].map(|at| time::write(at.parse().unwrap()).unwrap());
    let validity = asn1::value(Tag::Sequence, &years.concat()).unwrap();
    let parts = [&[0x02, 0x01, 0x01], algorithm.as_slice(), issuer, &validity, subject, ca.public_key_der()];
    let signed = asn1::values(Tag::Sequence, &parts).unwrap();
    let signature = [&[0], key.sign(&signed).unwrap().as_slice()].concat();
    let signature = asn1::value(Tag::BitString, &signature).unwrap();
    asn1::values(Tag::Sequence, &[&signed, &algorithm, &signature]).unwrap()
}

/// What `openssl` prints; it must succeed.
pub(super) fn openssl(arguments: &[&str]) -> String {
    let (success, text) = try_openssl(arguments);
    assert!(success, "openssl {arguments:?}: {text}");
    text
}

/// Whether `openssl` succeeds, and what it prints.
pub(super) fn try_openssl(arguments: &[&str]) -> (bool, String) {
    let run = Command::new("openssl").args(arguments).output();
    let output = run.expect("the openssl command is needed by these tests");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).trim().to_owned();
    (output.status.success(), text)
}

/// A file that goes when the value goes.
pub(super) struct Scratch(PathBuf);

impl Scratch {
    pub(super) fn holding(bytes: impl AsRef<[u8]>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("certferry-pki-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, bytes).unwrap();
        Self(path)
    }

    pub(super) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
