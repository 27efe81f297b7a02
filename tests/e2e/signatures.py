"""Computes Huawei Cloud signatures anew, from requests as they were captured: a JSON list of the emulator's journal on
standard input, the key's id and its secret as arguments. Prints a line for each: `right`, or what is wrong.

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


def wrong(request, access, secret):
    """What is wrong with a request's signature, if anything is."""
    headers = {"host": request["host"], **dict(request["headers"])}
    found = AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if not found:
        return "it has no signature"
    scheme, key_id, scope, signed, signature = found.groups()
    scheme, names, date = scheme.split()[0], signed.split(";"), headers["x-sdk-date"]
    if key_id != access:
        return "it is signed with another key"
    if names != sorted(names) or not {"host", "x-sdk-date"} <= set(names):
        return "what has to be signed is not, or not in order"
    digest = hashlib.sha256(canonical(request, headers, names).encode()).hexdigest()
    if scheme == "V11-HMAC-SHA256":
        if not re.fullmatch(rf"{date[:8]}/[a-z0-9-]+/iotdm", scope or ""):
            return "its scope is not of its day and service"
        extracted = mac(access.encode(), secret.encode()).digest()
        key = mac(extracted, scope.encode() + b"\x01").hexdigest()
        text = f"{scheme}\n{date}\n{scope}\n{digest}"
    else:
        key, text = secret, f"{scheme}\n{date}\n{digest}"
    return None if mac(key.encode(), text.encode()).hexdigest() == signature else "its signature is another"


def main():
    for request in json.load(sys.stdin):
        print(wrong(request, *sys.argv[1:]) or "right")


if __name__ == "__main__":
    main()
