"""Runs the vendor's own Python clients against the emulator: sign in in each way, create, list, code, verify, replace,
delete.

    python azure_mgmt_iothub.py EMULATOR_BINARY [--real-names]
    python azure_mgmt_iothub.py --made ARM LOGIN CA NAME...

The second form starts nothing and reads back what somebody else made in a hub that is there, such as the operator.
Needs `azure-mgmt-iothub`, `azure-identity` and `cryptography`. Every api-version that the installed client has and
the emulator documents is run. With --real-names the emulator listens on port 443 and the clients are given no
endpoint at all: they call the public cloud's names, which this script leads to the loopback address, as a hosts
file would.
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

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential, ManagedIdentityCredential, WorkloadIdentityCredential
from azure.mgmt.iothub import IotHubClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-000000000001"
SECRET = "emulator-secret"
FEDERATED = "22222222-2222-4222-8222-000000000002"
MANAGED = "22222222-2222-4222-8222-000000000003"
SUBSCRIPTION = "44444444-4444-4444-8444-444444444444"
GROUP, HUB = "rg-devices", "hub-1"

FLAT = ["2018-04-01", "2019-03-22", "2019-07-01-preview", "2019-11-04", "2020-03-01"]
PROPERTIES = ["2021-03-31", "2021-07-01", "2021-07-02", "2023-06-30", "2023-06-30-preview"]


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
    if issuer is None:
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(issuer_key or key, hashes.SHA256())


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM).decode()


def refused(status, call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except HttpResponseError as error:
        assert error.status_code == status, (error.status_code, status)
        return error
    raise AssertionError(f"expected {status}")


def life_cycle(client, version):
    calls = client.certificates
    name = f"vendor-{version}"
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = certificate(f"Vendor CA {version}", ca_key)

    def body(cert, **more):
        if version in FLAT:
            return {"certificate": pem(cert), **more}
        return {"properties": {"certificate": pem(cert), **more}}

    refused(404, calls.get, GROUP, HUB, name)
    made = calls.create_or_update(GROUP, HUB, name, body(ca))
    assert made.properties.is_verified is False and made.name == name and made.etag
    assert made.properties.thumbprint == ca.fingerprint(hashes.SHA1()).hex().upper()
    assert made.properties.expiry and made.properties.created
    error = refused(412, calls.create_or_update, GROUP, HUB, name, body(ca))
    assert "IH412001" in error.message, error.message

    listed = {found.name: found for found in calls.list_by_iot_hub(GROUP, HUB).value}
    assert listed[name].etag == made.etag

    coded = calls.generate_verification_code(GROUP, HUB, name, if_match=made.etag)
    code = coded.properties.verification_code
    assert len(code) == 48 and coded.etag != made.etag
    proof_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    proof = certificate(code, proof_key, issuer=ca, issuer_key=ca_key, days=2)
    stranger = certificate(code, proof_key, issuer=ca, issuer_key=ec.generate_private_key(ec.SECP256R1()))
    refused(412, calls.verify, GROUP, HUB, name, made.etag, {"certificate": pem(proof)})
    error = refused(400, calls.verify, GROUP, HUB, name, coded.etag, {"certificate": pem(stranger)})
    assert "IH400053" in error.message, error.message
    verified = calls.verify(GROUP, HUB, name, coded.etag, {"certificate": pem(proof)})
    assert verified.properties.is_verified is True
    assert calls.get(GROUP, HUB, name).etag == verified.etag

    new = certificate(f"Vendor CA {version} again", ca_key)
    replaced = calls.create_or_update(GROUP, HUB, name, body(new), if_match=verified.etag)
    assert replaced.properties.is_verified is False
    if version >= "2021-07-01":
        replaced = calls.create_or_update(GROUP, HUB, name, body(new, isVerified=True), if_match=replaced.etag)
        assert replaced.properties.is_verified is True
    refused(412, calls.delete, GROUP, HUB, name, verified.etag)
    assert calls.delete(GROUP, HUB, name, replaced.etag) is None
    assert calls.delete(GROUP, HUB, name, replaced.etag) is None  # 204
    try:
        calls.get(GROUP, HUB, name)
        raise AssertionError("still there")
    except ResourceNotFoundError as gone:
        assert gone.error.code == "ResourceNotFound", gone.error

    hub = client.iot_hub_resource.get(GROUP, HUB)
    assert hub.properties.state == "Active" and hub.sku.name == "S1"
    for hubs in (
        client.iot_hub_resource.list_by_subscription(),
        client.iot_hub_resource.list_by_resource_group(GROUP),
    ):
        assert HUB in [found.name for found in hubs]


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def trusted_assertion(ready):
    """An assertion such as a cluster gives to a pod, of an issuer that the federated client trusts from now on."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": "k", "n": base64url(numbers.n.to_bytes(256, "big")), "e": "AQAB"}
    credential = {"issuer": "https://oidc.example", "subject": "system:serviceaccount:a:b", "keys": {"keys": [jwk]}}
    trust = urllib.request.Request(
        f"{ready['control']}/clients/{FEDERATED}/federated-credentials",
        data=json.dumps([credential]).encode(),
        method="PUT",
    )
    urllib.request.urlopen(trust, context=ssl.create_default_context(cafile=ready["ca"])).close()
    claims = {
        "iss": credential["issuer"],
        "sub": credential["subject"],
        "aud": ["api://AzureADTokenExchange"],
        "exp": int(time.time()) + 600,
    }
    parts = [base64url(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "k"}, claims)]
    signature = key.sign(".".join(parts).encode(), padding.PKCS1v15(), hashes.SHA256())
    return ".".join([*parts, base64url(signature)])


def credentials(ready, folder, identity):
    """One credential for each way to sign in. Real names are left out for the metadata service: it has none."""
    yield "secret", ClientSecretCredential(TENANT, CLIENT, SECRET, **identity)
    file = os.path.join(folder, "assertion")
    with open(file, "w") as out:
        out.write(trusted_assertion(ready))
    yield "assertion", WorkloadIdentityCredential(
        tenant_id=TENANT, client_id=FEDERATED, token_file_path=file, **identity
    )
    if identity:
        os.environ["AZURE_POD_IDENTITY_AUTHORITY_HOST"] = ready["imds"]
        yield "managed identity", ManagedIdentityCredential()
        yield "managed identity by client id", ManagedIdentityCredential(client_id=MANAGED)


def lead_to_loopback():
    """Names under .localhost do not resolve everywhere; real names must not leave the machine."""
    original = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        names = (".localhost", "management.azure.com", "login.microsoftonline.com")
        return original("127.0.0.1" if name and name.endswith(names) else host, *args, **kwargs)

    socket.getaddrinfo = resolve


def versions():
    for version in FLAT + PROPERTIES:
        try:
            IotHubClient.models(version)
        except ValueError:
            continue
        yield version


def read_back(arm, login, ca, *names):
    """Prints what each version of the client sees of each certificate; they must agree."""
    os.environ["REQUESTS_CA_BUNDLE"] = ca
    credential = ClientSecretCredential(TENANT, CLIENT, SECRET, authority=login, disable_instance_discovery=True)
    scopes = ["https://management.azure.com/.default"]
    for name in names:
        seen = set()
        for version in ("2018-04-01", "2023-06-30"):
            client = IotHubClient(credential, SUBSCRIPTION, api_version=version, base_url=arm, credential_scopes=scopes)
            found = client.certificates.get(GROUP, HUB, name).properties
            listed = client.certificates.list_by_iot_hub(GROUP, HUB).value
            assert [it.properties.thumbprint for it in listed if it.name == name] == [found.thumbprint], listed
            seen.add((found.thumbprint, found.is_verified))
        ((thumbprint, verified),) = seen
        print(name, thumbprint, "verified" if verified else "unverified")


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("binary", nargs="?")
    arguments.add_argument("--real-names", action="store_true")
    arguments.add_argument("--made", nargs="+", metavar="ARM LOGIN CA NAME")
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
            identity, management = {}, {}
            if not arguments.real_names:
                identity = {"authority": ready["login"], "disable_instance_discovery": True}
                management = {
                    "base_url": ready["arm"],
                    "credential_scopes": ["https://management.azure.com/.default"],
                }
            for way, credential in credentials(ready, folder, identity):
                client = IotHubClient(credential, SUBSCRIPTION, **management)
                assert client.certificates.list_by_iot_hub(GROUP, HUB).value == [], way
                print("signed in:", way)
            credential = ClientSecretCredential(TENANT, CLIENT, SECRET, **identity)
            ran = []
            for version in versions():
                client = IotHubClient(credential, SUBSCRIPTION, api_version=version, **management)
                life_cycle(client, version)
                ran.append(version)
            assert ran, "the installed client has no api-version in common with the emulator"
            print("passed:", ", ".join(ran))
        finally:
            emulator.terminate()
            assert emulator.wait(timeout=30) == 0, "SIGTERM ends it"


if __name__ == "__main__":
    sys.exit(main())
