//! A signature as a client claims it, and whether it is one: SDK-HMAC-SHA256 with the secret key itself, V11-HMAC-SHA256
//! with a key that is derived from it for a day, a region and a service.

use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sha::sha256;
use openssl::sign::Signer;

use crate::encoding::hex_lower;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Basic,
    Derived,
}

impl Scheme {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Basic => "SDK-HMAC-SHA256",
            Self::Derived => "V11-HMAC-SHA256",
        }
    }
}

/// What a derived key is good for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Scope<'a> {
    pub(super) day: &'a str,
    pub(super) region: &'a str,
    pub(super) service: &'a str,
}

impl Scope<'_> {
    fn text(&self) -> String {
        format!("{}/{}/{}", self.day, self.region, self.service)
    }
}

/// The parts of an Authorization header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Claimed<'a> {
    pub(super) access: &'a str,
    /// With the derived scheme alone.
    pub(super) scope: Option<Scope<'a>>,
    /// Lower case, sorted.
    pub(super) signed_headers: Vec<String>,
    signature: &'a str,
}

impl<'a> Claimed<'a> {
    /// `None` for what has another form than the two schemes give it.
    pub(super) fn read(header: &'a str) -> Option<Self> {
        let (algorithm, rest) = header.split_once(' ')?;
        let mut parts = rest.split(',').map(|part| part.trim().split_once('='));
        let (Some(who), Some(headers), Some(signature), None) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next())
        else {
            return None;
        };
        let (("SignedHeaders", headers), ("Signature", signature)) = (headers, signature) else {
            return None;
        };
        let (access, scope) = match (algorithm, who) {
            ("SDK-HMAC-SHA256", ("Access", access)) => (access, None),
            ("V11-HMAC-SHA256", ("Credential", credential)) => {
                let [access, day, region, service] =
                    credential.split('/').collect::<Vec<_>>().try_into().ok()?;
                (access, Some(Scope { day, region, service }))
            }
            _ => return None,
        };
        let mut signed_headers: Vec<_> = headers.split(';').map(str::to_ascii_lowercase).collect();
        signed_headers.sort();
        Some(Self { access, scope, signed_headers, signature })
    }

    pub(super) const fn scheme(&self) -> Scheme {
        if self.scope.is_some() { Scheme::Derived } else { Scheme::Basic }
    }

    /// Compared in constant time, as the vendor surely does.
    pub(super) fn is_by(&self, secret: &str, date: &str, canonical: &str) -> Result<bool, ErrorStack> {
        let hash = hex_lower(&sha256(canonical.as_bytes()));
        let expected = match &self.scope {
            None => hmac(secret.as_bytes(), format!("SDK-HMAC-SHA256\n{date}\n{hash}").as_bytes())?,
            Some(scope) => {
                let scope = scope.text();
                let key = derived_key(self.access, secret, &scope)?;
                hmac(key.as_bytes(), format!("V11-HMAC-SHA256\n{date}\n{scope}\n{hash}").as_bytes())?
            }
        };
        let expected = hex_lower(&expected);
        let same_length = expected.len() == self.signature.len(); // the comparison below demands it
        Ok(same_length && memcmp::eq(expected.as_bytes(), self.signature.as_bytes()))
    }
}

/// HKDF (RFC 5869) with the access key as salt and one block, of which the hex text is the key.
pub(super) fn derived_key(access: &str, secret: &str, scope: &str) -> Result<String, ErrorStack> {
    let extracted = hmac(access.as_bytes(), secret.as_bytes())?;
    let info = [scope.as_bytes(), &[1]].concat();
    Ok(hex_lower(&hmac(&extracted, &info)?))
}

fn hmac(key: &[u8], message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let key = PKey::hmac(key)?;
    Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_two_forms_are_read() {
        let basic = Claimed::read("SDK-HMAC-SHA256 Access=a, SignedHeaders=X-Sdk-Date;host, Signature=0f");
        let basic = basic.expect("reads");
        assert_eq!((basic.access, basic.scheme(), basic.signature), ("a", Scheme::Basic, "0f"));
        assert_eq!(basic.signed_headers, ["host", "x-sdk-date"]);
        let derived = Claimed::read("V11-HMAC-SHA256 Credential=a/d/r/s,SignedHeaders=host,Signature=0f");
        let scope = Scope { day: "d", region: "r", service: "s" };
        assert_eq!(derived.expect("reads").scope, Some(scope));
        for other in [
            "",
            "Bearer x",
            "SDK-HMAC-SHA256 Access=a, SignedHeaders=host",
            "SDK-HMAC-SHA256 Credential=a/d/r/s, SignedHeaders=host, Signature=0f",
            "V11-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=0f",
            "V11-HMAC-SHA256 Credential=a/d/r, SignedHeaders=host, Signature=0f",
            "V11-HMAC-SHA256 Credential=a/d/r/s/t, SignedHeaders=host, Signature=0f",
            "SDK-HMAC-SM3 Access=a, SignedHeaders=host, Signature=0f",
            "SDK-HMAC-SHA256 Access=a, Signature=0f, SignedHeaders=host",
            "SDK-HMAC-SHA256 Access=a, SignedHeaders=host, Signature=0f, More=x",
        ] {
            assert_eq!(Claimed::read(other), None, "{other}");
        }
    }
}
