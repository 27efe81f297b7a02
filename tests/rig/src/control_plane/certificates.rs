//! The plane's certificates and keys: one CA, the API server's certificate, two client certificates, and the RSA key
//! that signs ServiceAccount tokens. Made anew for each plane.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_RSA_SHA256, RsaKeySize,
};

/// Writes `ca.crt`, `sa.key`, and the pairs `apiserver`, `admin` and `controller-manager` into `folder`.
pub(super) fn write(folder: &Path) -> Result<()> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::default();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    ca.distinguished_name.push(DnType::CommonName, "certferry-test-ca");
    write_private(&folder.join("ca.crt"), &ca.self_signed(&ca_key)?.pem())?;
    let ca = Issuer::new(ca, ca_key);

    write_pair(folder, "apiserver", server()?, &ca)?;
    write_pair(folder, "admin", client("admin", Some("system:masters")), &ca)?;
    write_pair(folder, "controller-manager", client("system:kube-controller-manager", None), &ca)?;

    let tokens = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)?;
    write_private(&folder.join("sa.key"), &tokens.serialize_pem())
}

fn server() -> Result<CertificateParams> {
    // 10.0.0.1 is the first address of the service range, at which pods reach the API server.
    let names = ["localhost", "127.0.0.1", "10.0.0.1", "kubernetes.default.svc"];
    let mut server = CertificateParams::new(names.map(String::from))?;
    server.distinguished_name.push(DnType::CommonName, "kube-apiserver");
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    Ok(server)
}

/// Kubernetes takes the user from the common name and the group from the organization.
fn client(user: &str, group: Option<&str>) -> CertificateParams {
    let mut client = CertificateParams::default();
    client.distinguished_name.push(DnType::CommonName, user);
    if let Some(group) = group {
        client.distinguished_name.push(DnType::OrganizationName, group);
    }
    client.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    client
}

fn write_pair(folder: &Path, name: &str, params: CertificateParams, ca: &Issuer<'_, KeyPair>) -> Result<()> {
    let key = KeyPair::generate()?;
    write_private(&folder.join(name).with_extension("crt"), &params.signed_by(&key, ca)?.pem())?;
    write_private(&folder.join(name).with_extension("key"), &key.serialize_pem())
}

/// Writes a new file of mode 0600.
pub(super) fn write_private(path: &Path, text: &str) -> Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let mut file = file.with_context(|| format!("creating {}", path.display()))?;
    file.write_all(text.as_bytes()).with_context(|| format!("writing {}", path.display()))
}
