//! The CA that the emulator makes, the server's certificate, and TLS.

use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::ssl::{SslAcceptor, SslMethod};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509, X509Builder, X509NameBuilder, X509NameRef};

use crate::store::write_private;

pub(crate) const CA_FILE: &str = "ca.pem";
const KEY_FILE: &str = "ca.key";

pub(crate) struct Authority {
    certificate: X509,
    key: PKey<Private>,
}

impl Authority {
    /// The CA of this folder; made when it is not there yet.
    pub(crate) fn of_folder(dir: &Path) -> io::Result<Self> {
        let (certificate, key) = (dir.join(CA_FILE), dir.join(KEY_FILE));
        if certificate.exists() && key.exists() {
            let certificate = X509::from_pem(&fs::read(certificate)?)?;
            let key = PKey::private_key_from_pem(&fs::read(key)?)?;
            return Ok(Self { certificate, key });
        }
        let made = Self::make()?;
        write_private(&key, &made.key.private_key_to_pem_pkcs8()?)?;
        fs::write(certificate, made.certificate.to_pem()?)?;
        Ok(made)
    }

    fn make() -> Result<Self, ErrorStack> {
        let key = ec_key()?;
        let name = common_name("Certferry emulator CA")?;
        let mut builder = builder(&name, &name, &key, 3650)?;
        builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
        builder.append_extension(KeyUsage::new().critical().key_cert_sign().crl_sign().build()?)?;
        let id = SubjectKeyIdentifier::new().build(&builder.x509v3_context(None, None))?;
        builder.append_extension(id)?;
        builder.sign(&key, MessageDigest::sha256())?;
        Ok(Self { certificate: builder.build(), key })
    }

    /// A TLS acceptor with a fresh certificate for these names and addresses. No ALPN: HTTP/1.1 alone is spoken.
    pub(crate) fn acceptor(&self, names: &[String], addresses: &[IpAddr]) -> Result<SslAcceptor, ErrorStack> {
        let key = ec_key()?;
        let subject = common_name("Certferry emulator")?;
        let mut builder = builder(&subject, self.certificate.subject_name(), &key, 397)?;
        builder.append_extension(BasicConstraints::new().critical().build()?)?;
        builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
        builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
        let mut alternatives = SubjectAlternativeName::new();
        for name in names {
            alternatives.dns(name);
        }
        for address in addresses {
            alternatives.ip(&address.to_string());
        }
        let context = builder.x509v3_context(Some(&self.certificate), None);
        let alternatives = alternatives.build(&context)?;
        let id = SubjectKeyIdentifier::new().build(&context)?;
        let issuer = AuthorityKeyIdentifier::new().keyid(true).build(&context)?;
        for extension in [alternatives, id, issuer] {
            builder.append_extension(extension)?;
        }
        builder.sign(&self.key, MessageDigest::sha256())?;

        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        acceptor.set_certificate(&builder.build())?;
        acceptor.set_private_key(&key)?;
        acceptor.check_private_key()?;
        Ok(acceptor.build())
    }
}

fn ec_key() -> Result<PKey<Private>, ErrorStack> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&curve)?)
}

fn common_name(text: &str) -> Result<openssl::x509::X509Name, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_nid(Nid::COMMONNAME, text)?;
    Ok(name.build())
}

/// A version 3 certificate with a random serial, valid from yesterday on.
fn builder(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PKey<Private>,
    days: u32,
) -> Result<X509Builder, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::ONE, false)?;
    let now = crate::clock::Clock::default().now();
    let mut builder = X509Builder::new()?;
    builder.set_version(2)?; // counted from 0
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_pubkey(key)?;
    builder.set_not_before(&*Asn1Time::from_unix(now - 86_400)?)?;
    builder.set_not_after(&*Asn1Time::from_unix(now + i64::from(days) * 86_400)?)?;
    Ok(builder)
}
