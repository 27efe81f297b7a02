//! Certificates and keys, made once for all cases.

use std::sync::OnceLock;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair};

/// A CA.
pub struct Pair {
    /// The certificate, in PEM.
    pub certificate: String,
    /// Its key, in PEM.
    pub key: String,
    /// SHA-1 of the certificate, as Azure writes it.
    pub thumbprint: String,
}

impl Pair {
    fn new(common_name: &str) -> Result<Self, rcgen::Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key)?;
        let certificate = certificate.pem();
        let thumbprint = thumbprint_of(&certificate);
        Ok(Self { certificate, key: key.serialize_pem(), thumbprint })
    }

    /// A part of the key's text that nothing else has.
    pub fn canary(&self) -> &str {
        self.key.lines().nth(1).unwrap_or(&self.key)
    }
}

/// Five of them: the source's first and second, a foreign one, and two of neighbours.
pub fn pairs() -> &'static [Pair] {
    static PAIRS: OnceLock<Vec<Pair>> = OnceLock::new();
    PAIRS.get_or_init(|| {
        let names = ["First root", "Second root", "Foreign root", "Neighbour root", "Other root"];
        let made: Vec<_> = names.into_iter().filter_map(|name| Pair::new(name).ok()).collect();
        assert_eq!(made.len(), names.len(), "the suite's certificates could not be made");
        made
    })
}

/// SHA-1 of the certificate in a PEM text, as Azure writes it.
pub fn thumbprint_of(pem: &str) -> String {
    hex(&digest::SHA1_FOR_LEGACY_USE_ONLY, pem).to_uppercase()
}

/// SHA-256 of it, in lower case.
pub fn sha256_of(pem: &str) -> String {
    hex(&digest::SHA256, pem)
}

fn hex(algorithm: &'static digest::Algorithm, pem: &str) -> String {
    let text: String = pem.lines().filter(|it| !it.starts_with('-')).map(str::trim).collect();
    let der = STANDARD.decode(text).unwrap_or_default();
    digest::digest(algorithm, &der).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As a Secret holds it.
pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}
