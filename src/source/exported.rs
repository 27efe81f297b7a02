//! What an exported Secret says of itself, so that it can be told from one that was changed since: a read of the service
//! would show no more than the certificate, and costs the private key's going over the wire.

use aws_lc_rs::digest;

/// The annotation with a hash over the certificates that the operator wrote. The key needs none: it has to be the
/// certificate's.
pub const CONTENT: &str = "certferry.dev/exported-content";

/// The annotation's value for these certificates.
pub fn content(certificates: &[u8]) -> String {
    let digest = digest::digest(&digest::SHA256, certificates);
    digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}
