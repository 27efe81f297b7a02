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
        let sha1 = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate.der());
        let thumbprint = sha1.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        Ok(Self { certificate: certificate.pem(), key: key.serialize_pem(), thumbprint })
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

/// As a Secret holds it.
pub fn base64(text: &str) -> String {
    STANDARD.encode(text)
}
