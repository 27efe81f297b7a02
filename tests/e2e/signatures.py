"""Computes Huawei Cloud signatures anew, from requests as they were captured. Standard input is JSON: under `requests` a
list of the emulator's journal, under `keys` by its id each key's `secret`, and the `token` of a temporary one, which the
journal leaves out. Prints a line for each request: `right`, or what is wrong.

Written from the vendor's description of both schemes alone, with nothing but the standard library.
"""

import hashlib
import hmac
import json
import re
import sys
from urllib.parse import quote, unquote

AUTHORIZATION = re.compile(
    r"(SDK-HMAC-SHA256 Access|V11-HMAC-SHA256 Credential)=([^/,]+)(?:/([^,]+))?, "
    r"SignedHeaders=([^,]+), Signature=([0-9a-f]{64})"
)
TOKEN, CUT_OUT = "x-security-token", "(cut out)"


def mac(key, message):
    return hmac.new(key, message, hashlib.sha256)


def canonical(request, headers, signed):
    path = "/".join(quote(unquote(part), safe="-_.~") for part in request["path"].split("/"))
    pairs = [pair.partition("=") for pair in request["query"].split("&") if pair]
    pairs = sorted((unquote(name), unquote(value)) for name, _, value in pairs)
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in signed)
    payload = hashlib.sha256(request["body"].encode()).hexdigest()
    path = path if path.endswith("/") else path + "/"
    return "\n".join([request["method"], path, query, lines, ";".join(signed), payload])


def wrong(request, keys):
    """What is wrong with a request's signature, if anything is."""
    headers = {"host": request["host"], **dict(request["headers"])}
    found = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found:
        return "it has no signature"
    scheme, key_id, scope, signed, signature = found.groups()
    scheme, names, date = scheme.split()[0], signed.split(";"), headers["x-sdk-date"]
    key = keys.get(key_id)
    if not key:
        return "it is signed with another key"
    secret, needed = key["secret"], {"host", "x-sdk-date"}
    if "token" in key:
        needed.add(TOKEN)
        if headers.get(TOKEN) == CUT_OUT:
            headers[TOKEN] = key["token"]
    if names != sorted(names) or not needed <= set(names):
        return "what has to be signed is not, or not in order"
    if (TOKEN in headers) != ("token" in key):
        return "it has a security token where none belongs, or none"
    digest = hashlib.sha256(canonical(request, headers, names).encode()).hexdigest()
    if scheme == "V11-HMAC-SHA256":
        if not re.fullmatch(rf"{date[:8]}/[a-z0-9-]+/iotdm", scope or ""):
            return "its scope is not of its day and service"
        extracted = mac(key_id.encode(), secret.encode()).digest()
        signing = mac(extracted, scope.encode() + b"\x01").hexdigest()
        text = f"{scheme}\n{date}\n{scope}\n{digest}"
    else:
        signing, text = secret, f"{scheme}\n{date}\n{digest}"
    return None if mac(signing.encode(), text.encode()).hexdigest() == signature else "its signature is another"


def main():
    captured = json.load(sys.stdin)
    for request in captured["requests"]:
        print(wrong(request, captured["keys"]) or "right")


if __name__ == "__main__":
    main()
