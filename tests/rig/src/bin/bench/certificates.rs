//! Certificates for all objects, of one key: making keys is not what is measured.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use certferry_rig::installation::Pair;
use rcgen::{BasicConstraints, CertificateParams, DistinguishedName, DnType, IsCa, KeyPair};

pub(crate) struct Certificates {
    key: KeyPair,
    /// What was made already: signed anew, it would be another.
    made: Mutex<HashMap<String, Pair>>,
}

impl Certificates {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { key: KeyPair::generate()?, made: Mutex::default() })
    }

    /// The CA's certificate of that name, which no other object of the kind has.
    pub(crate) fn of(&self, kind: &str, name: &str) -> Result<Pair> {
        let name = format!("{kind} {name}");
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pair) = made.get(&name) {
            return Ok(pair.clone());
        }
        let pair = self.make(&name)?;
        made.insert(name, pair.clone());
        Ok(pair)
    }

    fn make(&self, name: &str) -> Result<Pair> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&self.key)?;
        let der = certificate.der().to_vec();
        Ok(Pair { certificate: certificate.pem(), key: self.key.serialize_pem(), der })
    }
}
