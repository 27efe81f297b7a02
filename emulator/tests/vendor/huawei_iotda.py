"""Runs the vendor's own Python client against the emulator: upload, list, verify, update, show, delete, with both
signing schemes, and every way in which that client gets temporary keys.

    python huawei_iotda.py EMULATOR_BINARY [--real-names]
    python huawei_iotda.py --made ENDPOINT INSTANCE CA ID...

The second form starts nothing and reads back, with both signing schemes, what somebody else made in an instance that is
there, such as the operator.
Needs `huaweicloudsdkiotda` and `cryptography`. With --real-names the emulator listens on port 443 and the client calls
the public cloud's names, which this script leads to the loopback address, as a hosts file would: there the host alone
decides on the scheme.
"""

import argparse
import base64
import datetime
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.auth.provider import OidcStsCredentialProvider, PodIdentityCredentialProvider
from huaweicloudsdkcore.exceptions.exceptions import ServiceResponseException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkiotda.v5 import (
    AddCertificateRequest,
    CheckCertificateRequest,
    CreateCertificateDTO,
    DeleteCertificateRequest,
    IoTDAClient,
    ListCertificatesRequest,
    ShowCertificateRequest,
    UpdateCertificateDTO,
    UpdateCertificateRequest,
    VerifyCertificateDTO,
)

PROJECT = "0123456789abcdef0123456789abcdef"
REGION = "cn-north-4"
ACCESS, SECRET = "HPUAEXAMPLEACCESSKEY", "example-secret-key-of-the-emulator"
INSTANCE, BASIC_INSTANCE = "55555555-5555-4555-8555-000000000001", "55555555-5555-4555-8555-000000000003"
TEMPLATE = "61c970ce2d63eb6ee655dbf0"
DERIVED = BasicCredentials.get_default_derived_predicate()


def certificate(subject, key, issuer=None, issuer_key=None, days=30):
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
    )
    return builder.sign(issuer_key or key, hashes.SHA256())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def refused(status, code, call, request):
    try:
        call(request)
    except ServiceResponseException as error:
        assert (error.status_code, error.error_code) == (status, code), error
        return error
    raise AssertionError(f"expected {status} {code}")


def client(ready, credentials, endpoint):
    config = HttpConfig.get_default_config()
    config.ssl_ca_cert = ready["ca"]
    builder = IoTDAClient.new_builder().with_http_config(config).with_credentials(credentials)
    return builder.with_region(Region(REGION, endpoint)).build()


def uploaded(iotda, subject, key):
    ca = certificate(subject, key)
    made = iotda.add_certificate(AddCertificateRequest(body=CreateCertificateDTO(content=pem(ca))))
    assert made.status is False and made.cn_name == subject and len(made.certificate_id) == 24, made
    return ca, made


def proven(iotda, ca, key, made):
    proof = certificate(made.verify_code, ec.generate_private_key(ec.SECP256R1()), ca, key, days=2)
    check = CheckCertificateRequest(certificate_id=made.certificate_id, action_id="verify")
    check.body = VerifyCertificateDTO(verify_content=pem(certificate("another", key, ca, key)))
    refused(400, "IOTDA.014307", iotda.check_certificate, check)
    stranger = ec.generate_private_key(ec.SECP256R1())
    check.body = VerifyCertificateDTO(verify_content=pem(certificate(made.verify_code, stranger, ca, stranger)))
    refused(400, "IOTDA.014308", iotda.check_certificate, check)
    check.body = VerifyCertificateDTO(verify_content=pem(proof))
    iotda.check_certificate(check)


def life_cycle(iotda, subject):
    """On an instance with self-registration."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ca, made = uploaded(iotda, subject, key)
    one = made.certificate_id
    again = AddCertificateRequest(body=CreateCertificateDTO(content=pem(ca)))
    refused(400, "IOTDA.014303", iotda.add_certificate, again)
    listed = iotda.list_certificates(ListCertificatesRequest(instance_id=INSTANCE, limit=50, app_id="app-1"))
    assert listed.page.count == 1 and listed.certificates[0].certificate_id == one, listed
    update = UpdateCertificateRequest(certificate_id=one)
    update.body = UpdateCertificateDTO(template_id=TEMPLATE, provision_enable=True, ocsp_enable=False)
    refused(403, "IOTDA.014319", iotda.update_certificate, update)
    proven(iotda, ca, key, made)
    changed = iotda.update_certificate(update)
    assert changed.provision_enable is True and changed.template_id == TEMPLATE, changed
    assert changed.status is True and changed.ocsp_enable is False and changed.ocsp_ssl_enable is None, changed
    # The client drops None from its own classes: null takes a plain dictionary.
    update.body = {"template_id": None, "provision_enable": False}
    changed = iotda.update_certificate(update)
    assert changed.template_id is None and changed.provision_enable is False, changed
    seen = iotda.show_certificate(ShowCertificateRequest(certificate_id=one))
    assert seen.content == pem(ca) and seen.ocsp_enable is False and seen.name is None, seen
    gone(iotda, one)


def basic_life_cycle(iotda, subject):
    """On the shared host, where there is no self-registration."""
    key = ec.generate_private_key(ec.SECP256R1())
    ca, made = uploaded(iotda, subject, key)
    proven(iotda, ca, key, made)
    update = UpdateCertificateRequest(certificate_id=made.certificate_id, instance_id=BASIC_INSTANCE)
    update.body = UpdateCertificateDTO(ocsp_enable=True)
    refused(403, "IOTDA.014319", iotda.update_certificate, update)
    gone(iotda, made.certificate_id)


def gone(iotda, one):
    iotda.delete_certificate(DeleteCertificateRequest(certificate_id=one))
    refused(404, "IOTDA.014306", iotda.delete_certificate, DeleteCertificateRequest(certificate_id=one))
    refused(404, "IOTDA.014306", iotda.show_certificate, ShowCertificateRequest(certificate_id=one))
    assert iotda.list_certificates(ListCertificatesRequest()).certificates == []


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def trusted_token(ready):
    """An id token such as a cluster gives to a pod, of an issuer that the agency trusts from now on."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": "k", "n": base64url(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    trust = urllib.request.Request(
        f"{ready['control']}/agencies/certferry", data=json.dumps({"keys": {"keys": [jwk]}}).encode(), method="PUT"
    )
    context = ssl.create_default_context(cafile=ready["ca"])
    with urllib.request.urlopen(trust, context=context) as answer:
        agency = json.load(answer)
    claims = {
        "iss": agency["issuer"],
        "sub": agency["subject"],
        "aud": [agency["audience"]],
        "exp": int(time.time()) + 600,
    }
    parts = [base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "k"}, claims)]
    signature = key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
    return ".".join([*parts, base64url(signature)]), agency


def temporary(ready, folder):
    """One credential for each way to temporary keys."""
    token, agency = trusted_token(ready)
    file = os.path.join(folder, "token")
    with open(file, "w") as out:
        out.write(token)
    older = BasicCredentials(project_id=PROJECT).with_idp_id(agency["idpId"]).with_id_token_file(file)
    yield "id token, older IAM", older.with_iam_endpoint(ready["iam"])
    os.environ["HUAWEICLOUD_OIDC_PROVIDER_URN"] = agency["providerUrn"]
    os.environ["HUAWEICLOUD_OIDC_AGENCY_URN"] = agency["urn"]
    os.environ["HUAWEICLOUD_OIDC_TOKEN_FILE"] = file
    os.environ["HUAWEICLOUD_SDK_STS_ENDPOINT"] = ready["sts"]
    yield "id token, newer IAM", OidcStsCredentialProvider.get_basic().get_credentials().with_project_id(PROJECT)
    os.environ["HC_CONTAINER_CREDENTIALS_FULL_URI"] = ready["podIdentity"]
    os.environ["HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"] = file
    pods = PodIdentityCredentialProvider.get_basic()
    yield "pod identity", pods.get_credentials().with_project_id(PROJECT)


def lead_to_loopback():
    """Names under .localhost do not resolve everywhere; real names must not leave the machine."""
    original = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        inside = name and name.endswith((".localhost", ".myhuaweicloud.com"))
        return original("127.0.0.1" if inside else host, *args, **kwargs)

    socket.getaddrinfo = resolve


def read_back(endpoint, instance, ca, *ids):
    """Prints what the client sees of each certificate; it sees the same whichever way it signs."""
    basic, derived = BasicCredentials(ACCESS, SECRET, PROJECT), BasicCredentials(ACCESS, SECRET, PROJECT)
    derived.with_derived_predicate(lambda _: True)
    basic.with_derived_predicate(lambda _: False)
    for one in ids:
        seen = set()
        for credentials in (basic, derived):
            iotda = client({"ca": ca}, credentials, endpoint)
            found = iotda.show_certificate(ShowCertificateRequest(certificate_id=one, instance_id=instance))
            listed = iotda.list_certificates(ListCertificatesRequest(instance_id=instance, limit=50)).certificates
            assert [it.status for it in listed if it.certificate_id == one] == [found.status], listed
            thumbprint = x509.load_pem_x509_certificate(found.content.encode()).fingerprint(hashes.SHA1())
            ocsp = (found.ocsp_enable, found.ocsp_ssl_enable, found.ocsp_server_ca_id)
            settings = (found.provision_enable, found.template_id, *ocsp)
            seen.add((thumbprint.hex().upper(), "verified" if found.status is True else "unverified", *settings))
        (what,) = seen
        print(one, *what)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary", nargs="?")
    arguments.add_argument("--real-names", action="store_true")
    arguments.add_argument("--made", nargs="+", metavar="ENDPOINT INSTANCE CA ID")
    arguments = arguments.parse_args()
    lead_to_loopback()
    if arguments.made:
        return read_back(*arguments.made)
    with tempfile.TemporaryDirectory() as folder:
        listen = "127.0.0.1:443" if arguments.real_names else "127.0.0.1:0"
        command = [arguments.binary, "--listen", listen, "--dir", folder]
        emulator = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ready = json.loads(emulator.stdout.readline())
            os.environ["REQUESTS_CA_BUNDLE"] = ready["ca"]
            own, shared = ready["iotda"].replace("{instance}", "iotda-1"), ready["iotdaBasic"]
            if arguments.real_names:
                own = f"https://iotda-1.st1.iotda-app.{REGION}.myhuaweicloud.com"
                shared = f"https://iotda.{REGION}.myhuaweicloud.com"
                ready["iam"] = f"https://iam.{REGION}.myhuaweicloud.com"
                ready["sts"] = f"https://sts.{REGION}.myhuaweicloud.com"

            def keys(secret=SECRET):
                return BasicCredentials(ACCESS, secret, PROJECT)

            derived = client(ready, keys().with_derived_predicate(DERIVED), own)
            life_cycle(derived, "Derived")
            basic_life_cycle(client(ready, keys(), shared), "Basic")
            print("passed: V11-HMAC-SHA256, SDK-HMAC-SHA256")
            if arguments.real_names:
                refused(401, "APIGW.0301", client(ready, keys(), own).list_certificates, ListCertificatesRequest())
            else:
                life_cycle(client(ready, keys(), own), "Basic on an instance's host")
            wrong = client(ready, keys("wrong").with_derived_predicate(DERIVED), own)
            error = refused(401, "APIGW.0301", wrong.list_certificates, ListCertificatesRequest())
            assert "verify aksk signature fail" in error.error_msg and error.request_id, error

            # Without a project, the client looks for the one that has the region's name.
            unnamed = BasicCredentials(ACCESS, SECRET).with_iam_endpoint(ready["iam"]).with_derived_predicate(DERIVED)
            assert client(ready, unnamed, own).list_certificates(ListCertificatesRequest()).page.count == 0
            print("passed: project by name")
            for way, credentials in temporary(ready, folder):
                credentials.with_derived_predicate(DERIVED)
                life_cycle(client(ready, credentials, own), way)
                print("passed:", way)
        finally:
            emulator.terminate()
            assert emulator.wait(timeout=30) == 0, "SIGTERM ends it"


if __name__ == "__main__":
    sys.exit(main())
