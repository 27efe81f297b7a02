//! How a call fails before a service has answered it. The texts are ours alone; the one question that callers ask is
//! whether the service can have seen the request.

use std::error::Error;
use std::io;

use super::resolver::ForbiddenAddress;

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// We did not send it: what it says breaks a rule of ours.
    #[error("the request was refused before it was sent: {0}")]
    Refused(#[from] Refusal),
    /// No connection that could carry it came about; the service has certainly not seen it.
    #[error("the request was not sent: {0}")]
    NotSent(#[from] NoConnection),
    /// It was sent, and no whole answer came in time. What the service did is unknown.
    #[error("no whole answer came in time")]
    TimedOut,
    /// It was sent, and the connection ended before the answer did. What the service did is unknown.
    #[error("the connection ended before the answer was complete")]
    Cut,
    /// The answer's header or body is larger than allowed. What the service did is unknown.
    #[error("the answer is larger than allowed")]
    TooLarge,
    /// The answer's body is encoded, which was not asked for. What the service did is unknown.
    #[error("the answer's body is compressed, which was not asked for")]
    Encoded,
}

/// Which rule a request breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A path segment is empty, `.`, `..`, too long, or has a character that some server reads as more than itself.
    #[error(
        "a name in its path is empty, too long, a dot segment, or has a character that is not allowed in names"
    )]
    Segment,
    /// A query value has a control character or one beyond ASCII.
    #[error("a value in its query has a character that is not allowed there")]
    Query,
    /// A header's name is not one that callers may set, or its value has a control character or one beyond ASCII.
    #[error("a header has a name or a value that is not allowed there")]
    Header,
    /// The body could not be written as JSON, or a GET or DELETE has one.
    #[error("its body cannot be sent")]
    Body,
    /// The host is, or has, an address that no cloud service stands at.
    #[error("its host has a loopback, link-local, multicast or unspecified address")]
    Address,
    /// What the HTTP library made of it differs from what was planned.
    #[error("its final form differs from what was planned")]
    Plan,
}

/// Why there is no connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoConnection {
    /// The host's name has no address.
    #[error("the host's name cannot be resolved")]
    Name,
    /// Nothing accepts connections there, or not in time.
    #[error("the host cannot be reached")]
    Unreachable,
    /// The same, where a proxy may stand between.
    #[error("the host cannot be reached, or the proxy opens no way to it")]
    Unproxied,
    /// The host's certificate is not trusted.
    #[error("the host's TLS certificate is not trusted: {0}")]
    Untrusted(Distrust),
    /// The TLS handshake failed otherwise.
    #[error("the TLS handshake failed")]
    Handshake,
}

/// Why a host's certificate is not trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Distrust {
    /// No CA that is trusted issued it.
    #[error("no trusted CA issued it")]
    UnknownIssuer,
    /// Its validity is over, or has not begun.
    #[error("it is outside its validity")]
    Validity,
    /// It is for other names.
    #[error("it is for another name")]
    Name,
    /// Anything else.
    #[error("it is not valid")]
    Other,
}

impl HttpError {
    /// Whether the service has certainly not seen the request.
    pub fn certainly_unseen(self) -> bool {
        match self {
            Self::Refused(_) | Self::NotSent(_) => true,
            Self::TimedOut | Self::Cut | Self::TooLarge | Self::Encoded => false,
        }
    }

    /// What the HTTP library's error means. Its text is dropped: it has bytes of the other side.
    pub(super) fn of(error: &reqwest::Error, proxied: bool) -> Self {
        if find::<ForbiddenAddress>(error).is_some() {
            Self::Refused(Refusal::Address)
        } else if !error.is_connect() {
            Self::Cut
        } else if error.is_dns() {
            Self::NotSent(NoConnection::Name)
        } else if let Some(tls) = find::<rustls::Error>(error) {
            Self::NotSent(handshake(tls))
        } else if proxied {
            Self::NotSent(NoConnection::Unproxied)
        } else {
            Self::NotSent(NoConnection::Unreachable)
        }
    }
}

fn handshake(error: &rustls::Error) -> NoConnection {
    use rustls::CertificateError::*;
    let rustls::Error::InvalidCertificate(why) = error else { return NoConnection::Handshake };
    NoConnection::Untrusted(match why {
        // A bad signature: another CA of the same name, such as one that was made anew.
        UnknownIssuer | BadSignature => Distrust::UnknownIssuer,
        Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. } => Distrust::Validity,
        NotValidForName | NotValidForNameContext { .. } => Distrust::Name,
        _ => Distrust::Other, // the enum is open
    })
}

/// The first error of a kind in a chain. `io::Error` hides the error it carries from `source`, so it is opened.
fn find<'e, E: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let carried = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = match carried {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
