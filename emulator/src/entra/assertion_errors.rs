//! What the token endpoint says of client assertions. Numbers and texts as the real one was seen to give them, unless
//! a comment says otherwise.

use hyper::StatusCode;

use super::errors::Refusal;
use crate::clock;

impl Refusal {
    fn bad_request(number: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", number, message.into())
    }

    fn invalid_client(number: u32, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", number, message.into())
    }

    /// Seen in 2016; whether the number is still the same is not known.
    pub(super) fn unexpected_assertion_type() -> Self {
        Self::bad_request(90_011, "Unexpected client assertion type.")
    }

    pub(super) fn malformed_assertion() -> Self {
        Self::bad_request(50_027, "JWT token is invalid or malformed.")
    }

    pub(super) fn missing_claim(name: &str) -> Self {
        let message = format!(
            "The required field '{name}' is missing from the credential. Ensure that you have all the necessary \
             parameters for the login request."
        );
        Self::bad_request(90_014, message)
    }

    pub(super) fn unsupported_algorithm(name: &str, supported: &str) -> Self {
        let message = format!(
            "Invalid JWT token. '{name}' is not a supported signature algorithm. Supported signing algorithms are: \
             '{supported}'"
        );
        Self::invalid_client(5_002_738, message)
    }

    pub(super) fn no_key_id() -> Self {
        let message = "Invalid JWT token. No certificate SHA-1 thumbprint, certificate SHA-256 thumbprint, nor keyId \
                       specified in token header.";
        Self::invalid_client(5_002_723, message)
    }

    pub(super) fn unsupported_key() -> Self {
        Self::bad_request(5_002_730, "Invalid JWT token. Unsupported key for the signing algorithm.")
    }

    pub(super) fn no_federation(client: &str, name: &str) -> Self {
        let message =
            format!("The client '{client}'({name}) has no configured federated identity credentials.");
        Self::invalid_client(70_025, message)
    }

    pub(super) fn no_matching_issuer(issuer: &str) -> Self {
        Self::invalid_client(700_211, no_match("issuer", issuer, ""))
    }

    pub(super) fn no_matching_subject(subject: &str) -> Self {
        Self::invalid_client(700_213, no_match("subject", subject, ""))
    }

    pub(super) fn subject_in_other_case(subject: &str) -> Self {
        let but =
            " The subject matches with case-insensitive comparison, but not with case-sensitive comparison.";
        Self::invalid_client(7_002_138, no_match("subject", subject, but))
    }

    pub(super) fn no_matching_audience(audience: &str) -> Self {
        Self::invalid_client(700_212, no_match("audience", audience, ""))
    }

    /// As after a rotation of the issuer's keys that Entra has not noticed yet.
    pub(super) fn unknown_key(key_id: &str, issuer: &str) -> Self {
        let message = format!(
            "The certificate with identifier {key_id} used to sign the federated credential could not be found in \
             the metadata of identity provider {issuer}. Please validate that your Identity Provider's metadata \
             exposes the key used to sign the incoming token."
        );
        Self::invalid_client(7_000_272, message)
    }

    /// The number of a client's own assertion; none was seen of another issuer's.
    pub(super) fn wrong_signature(key_id: &str) -> Self {
        let message = format!(
            "Client assertion failed signature validation. [Reason - The provided signature value did not match the \
             expected signature value., Identifier of key used by client: '{key_id}']"
        );
        Self::invalid_client(700_027, message)
    }

    pub(super) fn not_valid_now(now: i64, from: i64, until: i64) -> Self {
        let message = format!(
            "Client assertion is not within its valid time range. Current time: {}, assertion valid from {}, expiry \
             time of assertion {}. Review the documentation at \
             https://learn.microsoft.com/entra/identity-platform/certificate-credentials .",
            clock::iso(now),
            clock::iso(from),
            clock::iso(until)
        );
        Self::invalid_client(700_024, message)
    }
}

fn no_match(what: &str, value: &str, but: &str) -> String {
    format!(
        "No matching federated identity record found for presented assertion {what} '{value}'.{but} Check your \
         federated identity credential Subject, Audience and Issuer against the presented assertion. \
         https://learn.microsoft.com/entra/workload-id/workload-identity-federation"
    )
}
