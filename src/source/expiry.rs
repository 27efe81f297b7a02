//! When what an account signs in with expires, as far as that is told to us. No cloud tells it of a client secret or of
//! an access key; whoever stores one may write it beside.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{Fetched, Reference};

/// The key of an account's Secret under which its expiry may stand, in RFC 3339.
const KEY: &str = "expiresAt";

/// When a credential expires.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// That of a secret that somebody has to replace.
    Secret(Timestamp),
    /// That of keys that are made to last hours, and are replaced by whatever made them.
    TemporaryKeys(Timestamp),
    /// That of the token in this file, which the kubelet replaces.
    Token(PathBuf),
}

impl Expiry {
    /// What stands beside a secret.
    pub(super) fn beside(secret: &str, read: &Fetched, temporary: bool) -> Option<Self> {
        let text = std::str::from_utf8(read.data(&Reference::secret(secret))?.value(KEY)?).ok()?;
        let at = text.trim().parse().ok()?;
        Some(if temporary { Self::TemporaryKeys(at) } else { Self::Secret(at) })
    }

    /// Whether it is renewed by itself.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Secret(_) => false,
            Self::TemporaryKeys(_) | Self::Token(_) => true,
        }
    }

    /// The time, as things are now.
    pub fn at(&self) -> Option<Timestamp> {
        match self {
            Self::Secret(at) | Self::TemporaryKeys(at) => Some(*at),
            Self::Token(file) => token_in(file),
        }
    }
}

/// The `exp` of a JSON Web Token; its signature is for others to check.
fn token_in(file: &Path) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: i64,
    }
    let token = Zeroizing::new(fs::read_to_string(file).ok()?);
    let claims = Zeroizing::new(URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?);
    let Claims { exp } = serde_json::from_slice(&claims).ok()?;
    Timestamp::from_second(exp).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tokens_expiry_is_that_of_the_file_as_it_is_now() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let expiry = Expiry::Token(path.clone());
        assert_eq!(expiry.at(), None, "there is no such file");
        for (claims, at) in [
            (r#"{"sub":"a","exp":1900000000}"#, Some(1_900_000_000)),
            (r#"{"exp":1900000060}"#, Some(1_900_000_060)),
            (r#"{"sub":"a"}"#, None),
        ] {
            fs::write(&path, format!("e30.{}.c2ln\n", URL_SAFE_NO_PAD.encode(claims))).unwrap();
            assert_eq!(expiry.at().map(|it| it.as_second()), at, "{claims}");
        }
        fs::write(&path, "no token").unwrap();
        assert_eq!(expiry.at(), None);
    }
}
