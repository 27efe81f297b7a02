//! A certificate with its key, its issuers behind it in their order.

use super::certificate::Certificate;
use super::key::PrivateKey;

/// A private key, the certificate for it, and the certificates of its issuers.
#[derive(Clone)]
pub struct Identity {
    key: PrivateKey,
    certificates: Vec<Certificate>,
}

impl Identity {
    /// The pair in this heap of certificates, whatever their order: the one that the key belongs to, then issuer by
    /// issuer. What is no issuer of it is left out. `None` if the key belongs to none.
    pub fn assemble(key: PrivateKey, mut heap: Vec<Certificate>) -> Option<Self> {
        let leaf = heap.iter().position(|it| key.matches(it))?;
        let mut certificates = vec![heap.remove(leaf)];
        heap.retain(|it| !certificates.contains(it));
        while let Some(issuer) = certificates.last().and_then(|last| issuer_of(last, &heap)) {
            let next = heap.remove(issuer);
            heap.retain(|it| *it != next);
            certificates.push(next);
        }
        Some(Self { key, certificates })
    }

    /// The key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The certificate, then its issuers.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The certificate that the key belongs to.
    pub fn leaf(&self) -> &Certificate {
        &self.certificates[0] // there is one: it is assembled around it
    }

    /// The issuers.
    pub fn issuers(&self) -> &[Certificate] {
        &self.certificates[1..]
    }

    /// Certificate and issuers in PEM, one after the other.
    pub fn to_pem(&self) -> String {
        self.certificates.iter().map(Certificate::to_pem).collect()
    }
}

/// By the signature; by the name alone where the signature is of a kind that is not read here.
fn issuer_of(certificate: &Certificate, heap: &[Certificate]) -> Option<usize> {
    if certificate.issuer_der() == certificate.subject_der() {
        return None;
    }
    let signed = heap.iter().position(|it| certificate.is_issued_by(it));
    signed.or_else(|| heap.iter().position(|it| certificate.issuer_der() == it.subject_der()))
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::pki::request::tests::request;
    use crate::pki::testing::{certificate, key, now};
    use crate::pki::{SigningRequest, issue};

    #[test]
    fn the_pair_comes_first_and_strangers_are_left_out() {
        let (ca, stranger) = (certificate("rsa-2048"), certificate("p-384"));
        let request = SigningRequest::from_der(&request("p-256", &[])).unwrap();
        let leaf = issue(&request, &ca, &key("rsa-2048"), SignedDuration::from_hours(24), now()).unwrap();
        let orders: [&[&Certificate]; 4] =
            [&[&leaf, &ca], &[&ca, &leaf], &[&stranger, &ca, &leaf, &leaf], &[&ca, &stranger, &leaf, &ca]];
        for order in orders {
            let heap = order.iter().map(|it| (*it).clone()).collect();
            let identity = Identity::assemble(key("p-256"), heap).unwrap();
            assert_eq!(identity.certificates(), [leaf.clone(), ca.clone()]);
        }
        assert!(Identity::assemble(key("p-521"), vec![leaf, ca]).is_none());
    }
}
