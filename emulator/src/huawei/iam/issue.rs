//! What IAM hands out: tokens and temporary keys, kept in the world until they end.

use serde_json::{Value, json};

use crate::clock;
use crate::encoding::{hex_lower, hex_upper};
use crate::huawei::account::{Account, Holder, TemporaryKey, Token};
use crate::random;

/// A token's life.
pub(super) const DAY: i64 = 24 * 3600;

pub(super) fn token(account: &mut Account, holder: Holder, project: Option<String>, now: i64) -> Token {
    account.tokens.retain(|token| token.expires > now);
    let value = format!("MII{}", hex_lower(&random::bytes::<96>()));
    let token = Token { value, holder, project, expires: now + DAY };
    account.tokens.push(token.clone());
    token
}

pub(super) fn temporary_key(account: &mut Account, holder: Holder, seconds: i64, now: i64) -> TemporaryKey {
    account.temporary_keys.retain(|key| key.expires > now);
    let key = TemporaryKey {
        access: format!("HST{}", &hex_upper(&random::bytes::<9>())[..17]),
        secret: hex_lower(&random::bytes::<20>()),
        security_token: format!("hQp{}", hex_lower(&random::bytes::<96>())),
        holder,
        expires: now + seconds,
    };
    account.temporary_keys.push(key.clone());
    key
}

/// As the older IAM names the parts of a key.
pub(super) fn credential(key: &TemporaryKey) -> Value {
    let TemporaryKey { access, secret, security_token, expires, .. } = key;
    let expires_at = micros(*expires);
    json!({"access": access, "secret": secret, "securitytoken": security_token, "expires_at": expires_at})
}

/// As the newer one does.
pub(super) fn sts_credential(key: &TemporaryKey) -> Value {
    let TemporaryKey { access, secret, security_token, expires, .. } = key;
    json!({
        "access_key_id": access,
        "secret_access_key": secret,
        "security_token": security_token,
        "expiration": micros(*expires),
    })
}

/// `2026-01-15T14:09:10.123000Z`
pub(super) fn micros(unix_seconds: i64) -> String {
    clock::iso(unix_seconds).replace('Z', ".123000Z")
}
