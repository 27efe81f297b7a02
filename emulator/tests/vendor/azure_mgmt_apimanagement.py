"""Reads back certificates in an API Management service with the vendor's own Python client.

    python azure_mgmt_apimanagement.py ARM LOGIN CA SERVICE ID...

Needs `azure-mgmt-apimanagement` and `azure-identity`.
"""

import os
import socket
import sys

from azure.identity import ClientSecretCredential
from azure.mgmt.apimanagement import ApiManagementClient

TENANT = "11111111-1111-4111-8111-111111111111"
CLIENT = "22222222-2222-4222-8222-000000000001"
SECRET = "emulator-secret"
SUBSCRIPTION = "44444444-4444-4444-8444-444444444444"
GROUP = "rg-devices"


def lead_to_loopback():
    """Names under .localhost do not resolve everywhere."""
    original = socket.getaddrinfo

    def resolve(host, *args, **kwargs):
        name = host.decode() if isinstance(host, bytes) else host
        return original("127.0.0.1" if name and name.endswith(".localhost") else host, *args, **kwargs)

    socket.getaddrinfo = resolve


def main():
    arm, login, ca, service, *ids = sys.argv[1:]
    lead_to_loopback()
    os.environ["REQUESTS_CA_BUNDLE"] = ca
    credential = ClientSecretCredential(TENANT, CLIENT, SECRET, authority=login, disable_instance_discovery=True)
    scopes = ["https://management.azure.com/.default"]
    client = ApiManagementClient(credential, SUBSCRIPTION, base_url=arm, credential_scopes=scopes)
    for one in ids:
        found = client.certificate.get(GROUP, service, one)
        listed = [it.thumbprint for it in client.certificate.list_by_service(GROUP, service) if it.name == one]
        assert listed == [found.thumbprint], listed
        print(one, found.thumbprint, found.subject)


if __name__ == "__main__":
    main()
