"""Runs the vendor's own Python clients for Key Vault: makes, imports, merges, changes, deletes and recovers
certificates in the emulator, and reads each back: policy, versions, thumbprint, and a PFX or PEM that OpenSSL opens
and whose key is the certificate's.

    python azure_key_vault.py EMULATOR_BINARY
    python azure_key_vault.py --made VAULT LOGIN CA NAME...

The second form starts nothing and reads back what somebody else made in a vault that is there, such as the operator.
Needs `azure-keyvault-certificates`, `azure-keyvault-secrets`, `azure-identity` and `cryptography`, and `openssl`. The
clients are given no more than addresses: they check the vault's challenge as they do in the cloud.
"""

import argparse
import base64
import datetime
import json
import os
import socket
import subprocess
import sys
import tempfile

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.keyvault.certificates import (
    ApiVersion,
    CertificateClient,
    CertificateContact,
    CertificateContentType,
    CertificatePolicy,
    KeyType,
)
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-000000000001"
SECRET = "emulator-secret"
SUBJECT = "CN=vendor.example,O=Vendor"


def public(key):
    return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def handed_out(secret):
    """The key and the certificates of a secret, as OpenSSL reads them."""
    text = secret.value
    if secret.properties.content_type == CertificateContentType.pkcs12.value:
        with tempfile.NamedTemporaryFile() as file:
            file.write(base64.b64decode(text))
            file.flush()
            command = ["openssl", "pkcs12", "-in", file.name, "-passin", "pass:", "-nodes"]
            text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    key = serialization.load_pem_private_key(text.encode(), None)
    return key, x509.load_pem_x509_certificates(text.encode())


def read_back(certificates, secrets, name):
    """What everybody sees of the certificate agrees; gives it, and what the vault hands out."""
    found = certificates.get_certificate(name)
    leaf = x509.load_der_x509_certificate(bytes(found.cer))
    assert found.properties.x509_thumbprint == leaf.fingerprint(hashes.SHA1()), name
    assert found.properties.enabled and found.properties.expires_on == leaf.not_valid_after_utc, name
    version = found.properties.version
    assert bytes(certificates.get_certificate_version(name, version).cer) == bytes(found.cer)
    versions = {it.version: it for it in certificates.list_properties_of_certificate_versions(name)}
    assert versions[version].x509_thumbprint == found.properties.x509_thumbprint, versions
    assert name in [it.name for it in certificates.list_properties_of_certificates()]
    policy = certificates.get_certificate_policy(name)
    assert policy.issuer_name == found.policy.issuer_name and policy.content_type == found.policy.content_type
    secret = secrets.get_secret(name)
    assert secret.properties.version == version and secret.properties.content_type == policy.content_type.value
    key, chain = handed_out(secret)
    assert leaf in chain, f"{name}: the secret holds {chain}"
    assert public(key.public_key()) == public(leaf.public_key()), f"{name}: the key is another's"
    return found, chain, versions


def own_policy(**more):
    return CertificatePolicy(
        issuer_name="Self", subject=SUBJECT, san_dns_names=["vendor.example"], validity_in_months=6, **more
    )


def made_by_the_vault(certificates, secrets, name):
    certificates.begin_create_certificate(name, own_policy(), tags={"team": "vendor"}).result()
    found, chain, versions = read_back(certificates, secrets, name)
    assert len(chain) == 1 and len(versions) == 1 and found.properties.tags == {"team": "vendor"}
    assert found.policy.key_type == KeyType.rsa and found.policy.key_size == 2048 and found.policy.exportable
    assert found.policy.subject == SUBJECT and found.policy.san_dns_names == ["vendor.example"]
    operation = certificates.get_certificate_operation(name)
    assert operation.status == "completed" and x509.load_der_x509_csr(bytes(operation.csr)).is_signature_valid
    changed = certificates.update_certificate_properties(name, enabled=False, tags={"team": "other"})
    assert changed.properties.enabled is False and changed.properties.tags == {"team": "other"}
    try:
        secrets.get_secret(name)
        raise AssertionError("a disabled secret is given away")
    except HttpResponseError as refused:
        assert refused.status_code == 403, refused
    certificates.update_certificate_properties(name, enabled=True)
    elliptic = own_policy(key_type=KeyType.ec, key_curve_name="P-384", content_type=CertificateContentType.pem)
    certificates.begin_create_certificate(name, elliptic).result()
    found, _, versions = read_back(certificates, secrets, name)
    assert len(versions) == 2 and found.policy.key_curve_name == "P-384"
    elliptic = certificates.get_certificate_policy(name)
    elliptic._validity_in_months = 3  # the client has no setter
    assert certificates.update_certificate_policy(name, elliptic).validity_in_months == 3
    assert len(read_back(certificates, secrets, name)[2]) == 2, "a change of the policy made a version"


def signed(subject, key, issuer, issuer_key):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Vendor root")])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    return builder.sign(issuer_key, hashes.SHA256())


def merged_and_imported(certificates, secrets, name):
    ca_key = ec.generate_private_key(ec.SECP256R1())
    root = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Vendor root")])
    ca = signed(root, ca_key.public_key(), None, ca_key)
    certificates.begin_create_certificate(name, CertificatePolicy(issuer_name="Unknown", subject=SUBJECT))
    request = x509.load_der_x509_csr(bytes(certificates.get_certificate_operation(name).csr))
    leaf = signed(request.subject, request.public_key(), ca, ca_key)
    der = [it.public_bytes(serialization.Encoding.DER) for it in (leaf, ca)]
    certificates.merge_certificate(name, der)
    found, chain, _ = read_back(certificates, secrets, name)
    assert bytes(found.cer) == der[0] and len(chain) == 2

    imported = f"{name}-imported"
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = signed(request.subject, key.public_key(), ca, ca_key)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    pem = key.private_bytes(*form) + b"".join(it.public_bytes(serialization.Encoding.PEM) for it in (leaf, ca))
    policy = CertificatePolicy(issuer_name="Unknown", content_type=CertificateContentType.pem)
    certificates.import_certificate(imported, pem, policy=policy)
    found, chain, _ = read_back(certificates, secrets, imported)
    assert x509.load_der_x509_certificate(bytes(found.cer)) == leaf and len(chain) == 2
    assert found.policy.lifetime_actions[0].action == "EmailContacts"


def told_and_kept(certificates, secrets, name):
    assert certificates.set_contacts([CertificateContact(email="a@example.com", name="A")])[0].name == "A"
    assert [it.email for it in certificates.get_contacts()] == ["a@example.com"]
    assert [it.email for it in certificates.delete_contacts()] == ["a@example.com"]
    try:
        certificates.get_contacts()
        raise AssertionError("still there")
    except ResourceNotFoundError:
        pass
    before = bytes(certificates.get_certificate(name).cer)
    kept = certificates.backup_certificate(name)
    certificates.begin_delete_certificate(name).result()
    certificates.purge_deleted_certificate(name)
    certificates.restore_certificate_backup(kept)
    found, _, versions = read_back(certificates, secrets, name)
    assert bytes(found.cer) == before and len(versions) == 2


def deleted_and_recovered(certificates, secrets, name):
    deleted = certificates.begin_delete_certificate(name).result()
    assert deleted.recovery_id and deleted.scheduled_purge_date
    assert name in [it.name for it in certificates.list_deleted_certificates()]
    try:
        certificates.get_certificate(name)
        raise AssertionError("still there")
    except ResourceNotFoundError as gone:
        assert gone.error.code == "CertificateNotFound", gone.error
    certificates.begin_recover_deleted_certificate(name).result()
    read_back(certificates, secrets, name)
    certificates.begin_delete_certificate(name).result()
    certificates.purge_deleted_certificate(name)
    assert name not in [it.name for it in certificates.list_deleted_certificates()]


def lead_to_loopback():
    """Names under .localhost do not resolve everywhere."""
    original = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        return original("127.0.0.1" if name and name.endswith(".localhost") else host, *args, **kwargs)

    socket.getaddrinfo = resolve


def clients(vault, login, ca, **version):
    os.environ["REQUESTS_CA_BUNDLE"] = ca
    credential = ClientSecretCredential(
        TENANT, CLIENT, SECRET, authority=login, disable_instance_discovery=True
    )
    return CertificateClient(vault, credential, **version), SecretClient(vault, credential, **version)


def life_cycles(binary):
    with tempfile.TemporaryDirectory() as folder:
        command = [binary, "--listen", "127.0.0.1:0", "--dir", folder]
        emulator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ready = json.loads(emulator.stdout.readline())
            vault, ran = ready["vault"].replace("{vault}", "vault-1"), []
            for version in sorted(it.value for it in ApiVersion):
                if version == "2016-10-01" or "preview" in version:
                    continue  # not among those that are documented here
                both = clients(vault, ready["login"], ready["ca"], api_version=version)
                name = f"vendor-{version.replace('.', '-')}"
                made_by_the_vault(*both, name)
                merged_and_imported(*both, f"{name}-merged")
                told_and_kept(*both, name)
                deleted_and_recovered(*both, name)
                ran.append(version)
            assert ran, "the installed client has no api-version in common with the emulator"
            print("passed:", ", ".join(ran))
        finally:
            emulator.terminate()
            assert emulator.wait(timeout=30) == 0, "SIGTERM ends it"


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary", nargs="?")
    arguments.add_argument("--made", nargs="+", metavar="VAULT LOGIN CA NAME")
    arguments = arguments.parse_args()
    lead_to_loopback()
    if arguments.made:
        vault, login, ca, *names = arguments.made
        for name in names:
            found, chain, versions = read_back(*clients(vault, login, ca), name)
            print(name, found.properties.x509_thumbprint.hex().upper(), len(chain), len(versions))
    else:
        life_cycles(arguments.binary)


if __name__ == "__main__":
    sys.exit(main())
