//! A request for a certificate (PKCS#10, RFC 2986), as a service that keeps the key itself hands it out.

use der::Tag;
use der::asn1::ObjectIdentifier;

use super::algorithm::PublicKey;
use super::asn1::{Values, constructed, whole_octets};
use super::pem::{self, Label};
use super::profile::{self, Profile};

/// The attribute that holds the extensions that are asked for (RFC 2985 §5.4.2).
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// The most that is read, in bytes of DER.
const MAX_SIZE: usize = 12_000;

/// A request whose signature holds: whoever made it has the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningRequest {
    der: Box<[u8]>,
    subject_der: Box<[u8]>,
    public_key_der: Box<[u8]>,
    /// SEQUENCE OF Extension; empty where none is asked for.
    extensions: Box<[u8]>,
    profile: Profile,
}

/// Why bytes are no request that can be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRequest {
    /// More than is read.
    #[error("it is larger than any request for a certificate")]
    TooLarge,
    /// Not the structure.
    #[error("it is not a PKCS#10 request")]
    Unreadable,
    /// A key that is not accepted.
    #[error("its key is not accepted; accepted are RSA (2048 to 8192 bits), P-256, P-384 and P-521")]
    Key,
    /// The key that it names did not sign it.
    #[error("its own key did not sign it")]
    Signature,
}

impl SigningRequest {
    /// Reads a request in DER.
    pub fn from_der(der: &[u8]) -> Result<Self, NoRequest> {
        if der.len() > MAX_SIZE {
            return Err(NoRequest::TooLarge);
        }
        let parts = Parts::read(der).ok_or(NoRequest::Unreadable)?;
        let key = PublicKey::read(parts.public_key).ok_or(NoRequest::Key)?;
        key.verify(parts.algorithm, parts.signed, parts.signature).map_err(|_| NoRequest::Signature)?;
        let extensions = profile::extensions(parts.extensions).ok_or(NoRequest::Unreadable)?;
        Ok(Self {
            der: der.into(),
            subject_der: parts.subject.into(),
            public_key_der: parts.public_key.into(),
            extensions: parts.extensions.into(),
            profile: Profile::of(&extensions).ok_or(NoRequest::Unreadable)?,
        })
    }

    /// Reads a request in PEM.
    pub fn from_pem(text: &[u8]) -> Result<Self, NoRequest> {
        let blocks = pem::blocks(text).map_err(|_| NoRequest::Unreadable)?;
        let block =
            blocks.iter().find(|it| it.label == Label::CertificateRequest).ok_or(NoRequest::Unreadable)?;
        Self::from_der(&block.der)
    }

    /// The request's bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The request in PEM.
    pub fn to_pem(&self) -> String {
        pem::write("CERTIFICATE REQUEST", &self.der)
    }

    /// The subject, a DER Name, as it stands.
    pub fn subject_der(&self) -> &[u8] {
        &self.subject_der
    }

    /// The public key, a DER SubjectPublicKeyInfo, as it stands.
    pub fn public_key_der(&self) -> &[u8] {
        &self.public_key_der
    }

    /// The names and uses that are asked for.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The extensions that are asked for and that an issuer takes over, one after the other, as they stand.
    pub(super) fn asked_extensions(&self) -> Vec<u8> {
        let all = profile::extensions(&self.extensions).unwrap_or_default(); // they were read once already
        all.iter().filter(|it| it.is_asked_for()).flat_map(|it| it.whole).copied().collect()
    }
}

struct Parts<'a> {
    signed: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
    subject: &'a [u8],
    public_key: &'a [u8],
    extensions: &'a [u8],
}

/// An empty SEQUENCE.
const NONE: &[u8] = &[0x30, 0x00];

impl<'a> Parts<'a> {
    fn read(der: &'a [u8]) -> Option<Self> {
        let mut outer = Values::of(Tag::Sequence, der)?;
        let signed = outer.next()?;
        let algorithm = outer.next()?;
        let signature = outer.take(Tag::BitString).and_then(whole_octets)?;
        outer.is_finished().then_some(())?;
        let mut inner = Values::of(Tag::Sequence, signed)?;
        inner.take(Tag::Integer)?; // the version
        let subject = inner.next()?;
        Values::of(Tag::Sequence, subject)?;
        let public_key = inner.next()?;
        let extensions = inner.take_if(constructed(0)).map_or(Some(NONE), extension_request)?;
        inner.is_finished().then_some(Self { signed, algorithm, signature, subject, public_key, extensions })
    }
}

/// Among the attributes, the extensions that are asked for.
fn extension_request(attributes: &[u8]) -> Option<&[u8]> {
    let mut attributes = Values::within(attributes)?;
    while !attributes.is_finished() {
        let mut attribute = Values::within(attributes.take(Tag::Sequence)?)?;
        let kind = attribute.take(Tag::ObjectIdentifier)?;
        let values = attribute.take(Tag::Set)?;
        if kind == EXTENSION_REQUEST.as_bytes() {
            return Values::within(values)?.next();
        }
    }
    Some(NONE)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::pki::AlternativeName;
    use crate::pki::testing::{Scratch, openssl, path};

    pub(in crate::pki) fn request(key: &str, extensions: &[&str]) -> Vec<u8> {
        let out = Scratch::holding("");
        let key = path(&format!("{key}.pkcs8.pem"));
        let mut arguments =
            vec!["req", "-new", "-key", &key, "-subj", "/O=Example/CN=web", "-outform", "DER"];
        extensions.iter().for_each(|it| arguments.extend(["-addext", it]));
        arguments.extend(["-out", out.path()]);
        openssl(&arguments);
        std::fs::read(out.path()).unwrap()
    }

    #[test]
    fn a_request_says_what_is_asked_for() {
        let san = "subjectAltName=DNS:Web.Example,IP:10.0.0.1,IP:::1,email:a@example.com,URI:https://example.com/x,\
                   otherName:1.3.6.1.4.1.311.20.2.3;UTF8:user@example.com";
        let uses =
            ["keyUsage=critical,digitalSignature,keyEncipherment", "extendedKeyUsage=serverAuth,1.2.3.4"];
        for key in ["rsa-2048", "p-256", "p-384", "p-521"] {
            let request = SigningRequest::from_der(&request(key, &[san, uses[0], uses[1]])).unwrap();
            let Profile { names, key_usages, extended_key_usages } = request.profile();
            let expected = [
                AlternativeName::dns("web.example"),
                AlternativeName::Email("a@example.com".into()),
                AlternativeName::Upn("user@example.com".into()),
                AlternativeName::Uri("https://example.com/x".into()),
                AlternativeName::ip("10.0.0.1"),
                AlternativeName::ip("::1"),
            ];
            assert_eq!(names, &expected.into());
            assert_eq!(key_usages, &Some(["digitalSignature", "keyEncipherment"].into()));
            let purposes = ["1.3.6.1.5.5.7.3.1", "1.2.3.4"].map(str::to_owned);
            assert_eq!(extended_key_usages, &Some(purposes.into()));
            assert_eq!(SigningRequest::from_pem(request.to_pem().as_bytes()), Ok(request));
        }
        let bare = SigningRequest::from_der(&request("p-256", &[])).unwrap();
        assert_eq!(bare.profile(), &Profile::default());
    }

    #[test]
    fn a_request_that_its_own_key_did_not_sign_is_refused() {
        let good = request("p-256", &[]);
        let mut bad = good.clone();
        let at = bad.windows(3).position(|it| it == b"web").unwrap();
        bad[at] = b'W';
        assert_eq!(SigningRequest::from_der(&bad), Err(NoRequest::Signature));
        assert_eq!(SigningRequest::from_der(&good[..good.len() - 1]), Err(NoRequest::Unreadable));
        assert_eq!(SigningRequest::from_der(&[]), Err(NoRequest::Unreadable));
        assert_eq!(SigningRequest::from_der(&vec![0x30; MAX_SIZE + 1]), Err(NoRequest::TooLarge));
    }
}
