//! What `check` found: as JSON, and as text.

use anyhow::Result;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::cli::kubectl::connection::refused;
use crate::cli::kubectl::printing::{Paint, plain};
use crate::cli::kubectl::service::Why;
use crate::engine::error::CloudError;
use crate::engine::explained::Lacking;
use crate::source::cluster::FetchError;

/// A clock that is off by more than that is told: services refuse signatures that are minutes off.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What was found.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    pub(super) is_well: bool,
    pub(super) clock: Clock,
    pub(super) accounts: Vec<Account>,
    pub(super) notes: Vec<String>,
}

/// The time here beside the API server's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Clock {
    pub(super) is_well: bool,
    /// How far ahead it is here; unknown where the server tells no time.
    pub(super) ahead_seconds: Option<i64>,
}

/// An account, and what it reaches.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Account {
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) sign_in: Finding,
    pub(super) certificates: Vec<Reached>,
    /// What the account's identity needs for all certificates that use it.
    pub(super) needed_permissions: Vec<&'static str>,
}

/// A certificate that was read through an account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Reached {
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    pub(super) read: Finding,
    pub(super) permissions: Permissions,
    /// What the operator says of the object, where the service denied it a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) denied: Option<Denied>,
}

/// The identity's permissions for a certificate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Permissions {
    /// It has all but these.
    Missing(Vec<&'static str>),
    /// They cannot be told, for this reason.
    Unknown(String),
}

/// A call that the service denied the operator, and since when that is told.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Denied {
    pub(super) message: String,
    pub(super) since: String,
}

/// Whether it went well, or why not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Finding {
    pub(super) is_well: bool,
    #[serde(flatten)]
    pub(super) why: Option<Why>,
}

impl Finding {
    /// What came of it; an error where the one who asks may not read what is needed.
    pub(super) fn of(done: Result<(), FetchError>) -> Result<Self> {
        match done {
            Ok(()) => Ok(Self { is_well: true, why: None }),
            Err(FetchError::Invalid(why)) => Ok(Self { is_well: false, why: Some(why.into()) }),
            Err(FetchError::Api(error)) => Err(refused(error)),
        }
    }

    fn text(&self, paint: Paint) -> String {
        match &self.why {
            None => paint.verdict("ok", true),
            Some(Why { reason, message }) => {
                format!("{}: {message}", paint.verdict(&reason.to_string(), false))
            }
        }
    }
}

impl Report {
    pub(super) fn text(&self, paint: Paint) -> String {
        let mut text = format!("Clock: {}\n", self.clock.text(paint));
        for account in &self.accounts {
            text += &account.text(paint);
        }
        if self.accounts.is_empty() {
            text += "There is no account.\n";
        }
        for note in &self.notes {
            text += &format!("Note: {}\n", plain(note));
        }
        text
    }
}

impl Clock {
    /// The time here, beside a header `Date` of the server.
    pub(super) fn beside(date: Option<&str>, now: Timestamp) -> Self {
        let theirs = date.and_then(|it| jiff::fmt::rfc2822::parse(it).ok()).map(|it| it.timestamp());
        let ahead = theirs.map(|it| now.duration_since(it));
        Self { is_well: ahead.is_none_or(|it| it.abs() <= SKEW), ahead_seconds: ahead.map(|it| it.as_secs()) }
    }

    fn text(&self, paint: Paint) -> String {
        match self.ahead_seconds {
            None => "the API server tells no time".to_owned(),
            Some(_) if self.is_well => paint.verdict("as the API server's", true),
            Some(seconds) => {
                let how = if seconds > 0 { "ahead of" } else { "behind" };
                let off = format!("{} s {how} the API server's", seconds.abs());
                format!("{}: set it right, or services refuse what is signed", paint.verdict(&off, false))
            }
        }
    }
}

impl Account {
    pub(super) fn is_well(&self) -> bool {
        self.sign_in.is_well && self.certificates.iter().all(Reached::is_well)
    }

    fn text(&self, paint: Paint) -> String {
        let place = self.namespace.as_ref().map(|it| format!("{it}/")).unwrap_or_default();
        let mut text =
            format!("\n{} {place}{}\n  sign-in: {}\n", self.kind, self.name, self.sign_in.text(paint));
        for certificate in &self.certificates {
            text += &certificate.text(paint);
        }
        let is_known = |it: &Reached| matches!(it.permissions, Permissions::Missing(_));
        let all_known = self.sign_in.is_well && self.certificates.iter().all(is_known);
        if !all_known && !self.needed_permissions.is_empty() {
            text +=
                &format!("  permissions that are needed:\n    {}\n", self.needed_permissions.join("\n    "));
        }
        text
    }
}

impl Reached {
    /// What the operator was denied may have been granted since: it counts where nothing newer is known.
    fn is_well(&self) -> bool {
        let may = match &self.permissions {
            Permissions::Missing(missing) => missing.is_empty(),
            Permissions::Unknown(_) => self.denied.is_none(),
        };
        self.read.is_well && may
    }

    fn text(&self, paint: Paint) -> String {
        let mut text = format!(
            "  {} {}/{}\n    read: {}\n    permissions: {}\n",
            self.kind,
            self.namespace,
            self.name,
            self.read.text(paint),
            self.permissions.text(paint)
        );
        if let Some(Denied { message, since }) = &self.denied {
            text += &format!("    the operator was denied a call, since {since}: {}\n", plain(message));
        }
        text
    }
}

impl Permissions {
    pub(super) fn of(lacking: Result<Lacking, CloudError>) -> Self {
        match lacking {
            Ok(Lacking::These(lacking)) => Self::Missing(lacking),
            Ok(Lacking::Untold(why)) => Self::Unknown(why.to_owned()),
            Err(CloudError { message, .. }) => Self::Unknown(message),
        }
    }

    fn text(&self, paint: Paint) -> String {
        match self {
            Self::Missing(missing) if missing.is_empty() => paint.verdict("ok", true),
            Self::Missing(missing) => paint.verdict(&format!("missing {}", missing.join(", ")), false),
            Self::Unknown(why) => format!("not known: {}", plain(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::reason::{Invalid, Reason};

    #[test]
    fn a_clock_that_is_off_by_minutes_is_told() {
        let now: Timestamp = "2026-01-01T00:10:00Z".parse().unwrap();
        for (date, is_well, said) in [
            (Some("Thu, 01 Jan 2026 00:10:00 GMT"), true, "as the API server's"),
            (Some("Thu, 01 Jan 2026 00:09:30 GMT"), true, "as the API server's"),
            (Some("Thu, 01 Jan 2026 00:05:00 GMT"), false, "300 s ahead of"),
            (Some("Thu, 01 Jan 2026 00:15:00 GMT"), false, "300 s behind"),
            (Some("soon"), true, "tells no time"),
            (None, true, "tells no time"),
        ] {
            let clock = Clock::beside(date, now);
            assert_eq!(clock.is_well, is_well, "{date:?}");
            let text = clock.text(Paint::PLAIN);
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn permissions_that_nobody_tells_are_no_failure_until_a_call_was_denied() {
        let reached = |permissions, is_denied: bool| Reached {
            kind: "KeyVaultCertificate".into(),
            namespace: "devices".into(),
            name: "web".into(),
            read: Finding { is_well: true, why: None },
            permissions,
            denied: is_denied.then(|| Denied { message: "no".into(), since: "2026-01-01T00:00:00Z".into() }),
        };
        let untold = || Permissions::of(Ok(Lacking::Untold("the service does not tell")));
        let unread = || Permissions::of(Err(CloudError::new(Reason::AccessDenied, "It lacks x/read.")));
        let missing = |it: &[&'static str]| Permissions::of(Ok(Lacking::These(it.to_vec())));
        for (permissions, is_denied, is_well, said) in [
            (missing(&[]), false, true, "permissions: ok"),
            (missing(&[]), true, true, "denied a call, since 2026-01-01T00:00:00Z: no"),
            (missing(&["a/b", "a/c"]), false, false, "permissions: missing a/b, a/c"),
            (untold(), false, true, "permissions: not known: the service does not tell"),
            (untold(), true, false, "denied a call"),
            (unread(), false, true, "permissions: not known: It lacks x/read."),
        ] {
            let reached = reached(permissions, is_denied);
            let text = reached.text(Paint::PLAIN);
            assert!(text.contains(said) && reached.is_well() == is_well, "{text}");
        }
    }

    #[test]
    fn a_finding_says_what_is_missing() {
        let denied = Invalid::new(Reason::AccessDenied, "The account's identity lacks x/read.");
        let finding = Finding::of(Err(denied.into())).unwrap();
        assert_eq!(finding.text(Paint::PLAIN), "AccessDenied: The account's identity lacks x/read.");
        let json = serde_json::to_value(&finding).unwrap();
        assert_eq!((&json["isWell"], &json["reason"]), (&false.into(), &"AccessDenied".into()));
    }
}
