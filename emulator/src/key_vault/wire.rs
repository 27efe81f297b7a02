//! What a vault shows: bundles, operations, policies, items.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD as BASE64, URL_SAFE_NO_PAD as BASE64URL};
use openssl::hash::{MessageDigest, hash};
use serde_json::{Value, json};

use super::vault::{Held, Object, Pending, Status, Vault};
use super::versions::Version;
use crate::switches::StatusWords;

/// Where an answer is made for: the vault's own links, and what the api-version knows.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) base: String,
    pub(super) version: Version,
    words: StatusWords,
    purge_protection: bool,
    days: i64,
}

impl Place {
    pub(super) fn new(base: &str, version: Version, words: StatusWords, vault: &Vault) -> Self {
        let (purge_protection, days) = (vault.purge_protection, vault.soft_delete_days);
        Self { base: base.to_owned(), version, words, purge_protection, days }
    }

    fn link(&self, of: &str, name: &str, more: &str) -> String {
        format!("{}/{of}/{name}{more}", self.base)
    }

    pub(super) fn attributes(&self, held: &Held) -> Value {
        let mut all = json!({
            "enabled": held.enabled, "nbf": held.nbf, "exp": held.exp,
            "created": held.created, "updated": held.updated,
        });
        let custom = self.days < 90 && self.version >= Version::WITH_RECOVERABLE_DAYS;
        let level = match (custom, self.purge_protection) {
            (false, false) => "Recoverable+Purgeable",
            (false, true) => "Recoverable",
            (true, false) => "CustomizedRecoverable+Purgeable",
            (true, true) => "CustomizedRecoverable",
        };
        all["recoveryLevel"] = level.into();
        if self.version >= Version::WITH_RECOVERABLE_DAYS {
            all["recoverableDays"] = self.days.into();
        }
        all
    }

    pub(super) fn policy(&self, object: &Object) -> Value {
        let mut policy = object.policy.clone();
        policy["id"] = self.link("certificates", &object.name, "/policy").into();
        policy["attributes"] =
            json!({"enabled": true, "created": object.policy_created, "updated": object.policy_updated});
        policy
    }

    /// A version with its policy; one that is being made has no certificate, key or secret.
    pub(super) fn bundle(&self, object: &Object, held: &Held) -> Value {
        let (name, version) = (&object.name, format!("/{}", held.id));
        let mut bundle = json!({"id": self.link("certificates", name, &version)});
        if let Some(der) = held.chain.first() {
            bundle["kid"] = self.link("keys", name, &version).into();
            bundle["sid"] = self.link("secrets", name, &version).into();
            bundle["x5t"] = x5t(der).into();
            bundle["cer"] = der.as_str().into();
        }
        bundle["attributes"] = self.attributes(held);
        bundle["policy"] = self.policy(object);
        if !held.tags.is_empty() {
            bundle["tags"] = json!(held.tags);
        }
        if object.was_pending {
            bundle["pending"] = json!({"id": self.link("certificates", name, "/pending")});
        }
        bundle
    }

    pub(super) fn deleted(&self, object: &Object, held: &Held) -> Value {
        let mut bundle = self.bundle(object, held);
        bundle["recoveryId"] = self.link("deletedcertificates", &object.name, "").into();
        if let Some(deleted) = &object.deleted {
            bundle["deletedDate"] = deleted.at.into();
            bundle["scheduledPurgeDate"] = deleted.purge_at.into();
        }
        bundle
    }

    pub(super) fn item(&self, name: &str, held: &Held, version: &str) -> Value {
        let mut item = json!({
            "id": self.link("certificates", name, version),
            "attributes": self.attributes(held),
        });
        if let Some(der) = held.chain.first() {
            item["x5t"] = x5t(der).into();
        }
        if !held.tags.is_empty() {
            item["tags"] = json!(held.tags);
        }
        item
    }

    pub(super) fn pending_link(&self, name: &str, pending: &Pending) -> String {
        let query = format!("/pending?api-version={}&request_id={}", self.version.name(), pending.request_id);
        self.link("certificates", name, &query)
    }

    pub(super) fn operation(&self, name: &str, pending: &Pending) -> Value {
        let mut operation = json!({
            "id": self.link("certificates", name, "/pending"),
            "issuer": {"name": pending.issuer},
            "csr": pending.csr,
            "cancellation_requested": pending.cancellation_requested,
            "status": pending.status.word(self.words),
        });
        match pending.status {
            Status::InProgress if pending.issuer == "Unknown" => {
                operation["status_details"] = "Pending certificate created. Please perform a merge.".into();
            }
            Status::InProgress => {
                operation["status_details"] =
                    "Pending certificate created. Certificate request is in progress.".into();
            }
            Status::Completed => operation["target"] = self.link("certificates", name, "").into(),
            Status::Failed | Status::Cancelled => {}
        }
        if let Some(code) = &pending.error {
            operation["error"] =
                json!({"code": code, "message": "The issuer did not issue the certificate."});
        }
        operation["request_id"] = pending.request_id.as_str().into();
        operation
    }
}

/// SHA-1 of the certificate, in base64url.
fn x5t(der: &str) -> String {
    let bytes = BASE64.decode(der).unwrap_or_default();
    // Digesting bytes in memory fails only when OpenSSL has no SHA-1 at all.
    BASE64URL.encode(hash(MessageDigest::sha1(), &bytes).expect("OpenSSL has SHA-1"))
}
