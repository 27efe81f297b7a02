//! PKCS#12 files (RFC 7292): opened within limits, and made.
//!
//! The files come from users' Secrets and from vaults. Before a password is tried, the structure is read and the cost of
//! all key derivations is summed, so that a small file cannot keep a processor busy.

mod cost;

use p12_keystore::error::Error;
use p12_keystore::{
    Certificate as Stored, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, Pkcs12Archive,
    PrivateKey as StoredKey, PrivateKeyChain,
};
use zeroize::Zeroizing;

use super::certificate::Certificate;
use super::chain::Identity;
use super::key::PrivateKey;
use cost::TooCostly;

/// The most that is read, in bytes.
const MAX_SIZE: usize = 64 * 1024;
/// The longest chain.
const MAX_CERTIFICATES: usize = 20;

/// Why a PKCS#12 file is of no use. All texts continue "The PKCS#12 file in …: ".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Pkcs12Fault {
    /// More than is read.
    #[error("it has more than 64 KiB")]
    TooLarge,
    /// Not the structure.
    #[error("it is not a PKCS#12 file, or a damaged one")]
    Malformed,
    /// More than a file needs, or a derivation that takes too long.
    #[error(transparent)]
    TooCostly(#[from] TooCostly),
    /// An algorithm that is not read.
    #[error("it is protected by an algorithm that is not read; export it again (openssl pkcs12 -export)")]
    Algorithm,
    /// The password is another.
    #[error("its password is not the given one")]
    WrongPassword,
    /// It holds no key.
    #[error("it holds no private key")]
    NoKey,
    /// Which one is meant cannot be known.
    #[error("it holds several private keys; leave the one that belongs to the certificate")]
    SeveralKeys,
    /// A key that cannot be used.
    #[error("its private key is not accepted; accepted are RSA (2048 to 8192 bits), P-256, P-384 and P-521")]
    Key,
    /// A certificate that cannot be read, or more than a chain has.
    #[error("its certificates cannot be read, or are more than 20")]
    Certificates,
    /// The key belongs to none of the certificates.
    #[error("its private key belongs to none of its certificates")]
    KeyMismatch,
    /// Something failed that does not fail.
    #[error("it could not be made: a cryptographic operation of the operator failed")]
    Unmade,
}

/// How a file that is made is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// 3DES, with SHA-1 for the derivations: what every service reads.
    TripleDes,
    /// AES-256, with SHA-256 for the derivations.
    Aes256,
}

/// Opens a file. It may take some tenths of a second: run it where blocking is allowed.
pub fn open(bytes: &[u8], password: &str) -> Result<Identity, Pkcs12Fault> {
    if bytes.len() > MAX_SIZE {
        return Err(Pkcs12Fault::TooLarge);
    }
    cost::check(bytes)?;
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(fault)?;
    let key = match archive.keys.as_slice() {
        [] => return Err(Pkcs12Fault::NoKey),
        [key] => PrivateKey::parse(key.key.as_der()).map_err(|_| Pkcs12Fault::Key)?,
        [_, _, ..] => return Err(Pkcs12Fault::SeveralKeys),
    };
    if archive.certs.len() > MAX_CERTIFICATES {
        return Err(Pkcs12Fault::Certificates);
    }
    let heap: Result<Vec<_>, _> =
        archive.certs.iter().map(|it| Certificate::from_der(it.cert.as_der())).collect();
    Identity::assemble(key, heap.map_err(|_| Pkcs12Fault::Certificates)?).ok_or(Pkcs12Fault::KeyMismatch)
}

/// A wrong password shows as a check sum that does not fit, or as garbage after decryption.
fn fault(error: Error) -> Pkcs12Fault {
    match error {
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => Pkcs12Fault::WrongPassword,
        Error::UnsupportedEncryptionScheme
        | Error::UnsupportedMacAlgorithm
        | Error::UnsupportedContentType
        | Error::UnsupportedCertificateType => Pkcs12Fault::Algorithm,
        Error::X509Error(_) => Pkcs12Fault::Certificates,
        Error::InvalidPrivateKey => Pkcs12Fault::Key,
        _ => Pkcs12Fault::Malformed,
    }
}

/// Makes a file of a pair and its issuers.
pub fn build(
    identity: &Identity,
    password: &str,
    encryption: Encryption,
) -> Result<Zeroizing<Vec<u8>>, Pkcs12Fault> {
    const ITERATIONS: u32 = 10_000;

    let unmade = |_| Pkcs12Fault::Unmade;
    let der = identity.key().to_pkcs8().ok_or(Pkcs12Fault::Unmade)?;
    let key = StoredKey::from_der(&der).map_err(unmade)?;
    let stored: Result<Vec<_>, _> =
        identity.certificates().iter().map(|it| Stored::from_der(it.der())).collect();
    let id = identity.leaf().sha1_thumbprint();
    let chain = PrivateKeyChain::new(id.to_string().into_bytes(), key, stored.map_err(unmade)?);
    let mut store = KeyStore::new();
    store.add_entry("certificate", KeyStoreEntry::PrivateKeyChain(chain));
    let (algorithm, mac) = match encryption {
        Encryption::TripleDes => (EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc, MacAlgorithm::HmacSha1),
        Encryption::Aes256 => (EncryptionAlgorithm::PbeWithHmacSha256AndAes256, MacAlgorithm::HmacSha256),
    };
    let writer = store.writer(password).encryption_algorithm(algorithm).encryption_iterations(ITERATIONS);
    writer.mac_algorithm(mac).mac_iterations(ITERATIONS).write().map(Zeroizing::new).map_err(unmade)
}

#[cfg(test)]
mod tests;
