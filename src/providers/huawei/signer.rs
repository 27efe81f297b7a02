//! Request signatures of Huawei Cloud: SDK-HMAC-SHA256, and V11-HMAC-SHA256 with a key that holds for one day, region
//! and service. Pure: bytes in, texts out; the time of signing is the caller's.
//!
//! Source: Huawei Cloud, API Request Signing Guide, and the vectors in `tests/data/huawei`, which the vendor's own
//! signer made.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use jiff::Timestamp;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use zeroize::Zeroizing;

use crate::source::account::HuaweiKeys;

/// The header that says when a request was signed. The service refuses one that is 15 minutes off or more.
pub(super) const DATE: &str = "x-sdk-date";
/// The header of temporary keys.
pub(super) const SECURITY_TOKEN: &str = "x-security-token";
/// The header whose value, on a request with a body, stands in place of the body's hash.
const CONTENT_HASH: &str = "x-sdk-content-sha256";
/// The service's name in scopes.
const SERVICE: &str = "iotdm";

/// The two schemes. Each host takes one of them, and answers 401 to the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scheme<'a> {
    /// SDK-HMAC-SHA256: IAM, and the shared host of IoTDA's basic edition.
    Basic,
    /// V11-HMAC-SHA256: the hosts of IoTDA's standard and enterprise instances.
    Derived {
        /// The instance's region, for example `cn-north-4`.
        region: &'a str,
    },
}

/// A request as it will be sent.
pub(super) struct Request<'a> {
    /// In upper case.
    pub(super) method: &'a str,
    /// As the `Host` header will say it, with the port if that is not the scheme's own.
    pub(super) host: &'a str,
    /// With its slashes; percent-encoded or not.
    pub(super) path: &'a str,
    /// Names and values, not encoded.
    pub(super) query: &'a [(&'a str, &'a str)],
    /// All that are to be signed, but `Host`, the date and the security token.
    pub(super) headers: &'a [(&'a str, &'a str)],
    /// The bytes sent.
    pub(super) body: &'a [u8],
}

/// What a signature adds to a request.
pub(super) struct Signed {
    /// The value of [`DATE`].
    pub(super) date: String,
    /// The value of `Authorization`.
    pub(super) authorization: Zeroizing<String>,
}

impl Request<'_> {
    /// The request's signature with these keys at that time. The security token of temporary keys is signed too, and has
    /// to be sent.
    pub(super) fn sign(&self, scheme: Scheme<'_>, keys: &HuaweiKeys, now: Timestamp) -> Signed {
        let date = compact(now);
        let (signed_headers, canonical) = self.canonical(keys, &date);
        let hash = hex(digest(&SHA256, canonical.as_bytes()).as_ref());
        let access = &keys.access_key_id;
        let authorization = match scheme {
            Scheme::Basic => {
                let signature = hmac_hex(keys.secret.as_bytes(), &format!("SDK-HMAC-SHA256\n{date}\n{hash}"));
                format!(
                    "SDK-HMAC-SHA256 Access={access}, SignedHeaders={signed_headers}, Signature={signature}"
                )
            }
            Scheme::Derived { region } => {
                let day = date.get(..8).unwrap_or_default(); // yyyyMMdd, of a text that this module wrote
                let scope = format!("{day}/{region}/{SERVICE}");
                let key = derived(keys, &scope);
                let signature =
                    hmac_hex(key.as_bytes(), &format!("V11-HMAC-SHA256\n{date}\n{scope}\n{hash}"));
                format!(
                    "V11-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={signed_headers}, \
                     Signature={signature}"
                )
            }
        };
        Signed { date, authorization: Zeroizing::new(authorization) }
    }

    /// The names of the signed headers, and the canonical request.
    fn canonical(&self, keys: &HuaweiKeys, date: &str) -> (String, Zeroizing<String>) {
        let fixed = [("host", self.host), (DATE, date)];
        let token = keys.security_token.as_ref().map(|it| (SECURITY_TOKEN, it.as_str()));
        let mut headers: Vec<(String, &str)> = self
            .headers
            .iter()
            .copied()
            .filter(|(name, _)| !name.contains('_')) // gateways drop such headers
            .chain(fixed)
            .chain(token)
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim()))
            .collect();
        headers.sort();
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let stands_for_the_body = headers.iter().find(|(name, _)| name == CONTENT_HASH);
        let payload = match stands_for_the_body {
            Some((_, literal)) if !self.body.is_empty() => (*literal).to_owned(),
            _ => hex(digest(&SHA256, self.body).as_ref()),
        };
        let (method, path, query) = (self.method, canonical_path(self.path), self.canonical_query());
        (names.clone(), Zeroizing::new(format!("{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}")))
    }

    fn canonical_query(&self) -> String {
        let mut pairs = self.query.to_vec();
        pairs.sort_unstable(); // before they are encoded
        let encoded: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name.as_bytes()), encoded(value.as_bytes())))
            .collect();
        encoded.join("&")
    }
}

/// The form of the service's dates, `yyyyMMddTHHmmssZ`.
fn compact(time: Timestamp) -> String {
    strtime::format("%Y%m%dT%H%M%SZ", &time.to_zoned(TimeZone::UTC)).unwrap_or_default() // the form is right
}

/// Each segment decoded and encoded anew, and always a slash at the end, whether it is sent or not.
fn canonical_path(path: &str) -> String {
    let decoded = decoded(path);
    let segments: Vec<_> = decoded.split(|byte| *byte == b'/').map(encoded).collect();
    let path = segments.join("/");
    if path.ends_with('/') { path } else { path + "/" }
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn encoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// `%XX` as the byte; whatever else is left as it is.
fn decoded(path: &str) -> Vec<u8> {
    let (mut bytes, mut rest) = (Vec::with_capacity(path.len()), path.as_bytes());
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).filter(|it| it.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|it| std::str::from_utf8(it).ok());
        match (first, digits.and_then(|it| u8::from_str_radix(it, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    bytes
}

/// The key that holds for one scope: HKDF with one round (RFC 5869), used as the text of its hexadecimal digits.
fn derived(keys: &HuaweiKeys, scope: &str) -> Zeroizing<String> {
    let extract = hmac::Key::new(HMAC_SHA256, keys.access_key_id.as_bytes());
    let expand = hmac::Key::new(HMAC_SHA256, hmac::sign(&extract, keys.secret.as_bytes()).as_ref());
    let mut context = hmac::Context::with_key(&expand);
    context.update(scope.as_bytes());
    context.update(&[1]);
    Zeroizing::new(hex(context.sign().as_ref()))
}

fn hmac_hex(key: &[u8], message: &str) -> String {
    hex(hmac::sign(&hmac::Key::new(HMAC_SHA256, key), message.as_bytes()).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[path = "signer_tests.rs"]
mod tests;
