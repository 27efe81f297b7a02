//! `check`: whether accounts can sign in and reach what is asked of them, and which permissions are missing.

use anyhow::Result;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use kube::client::Body;
use serde::Serialize;

use super::connection::{Connection, Flags, refused};
use super::kinds::{self, Kind, Object};
use super::printing::{Output, Paint, plain};
use super::service::Why;
use crate::api::account::{CloudAccount, ClusterCloudAccount};
use crate::api::certificate::AccountKind;
use crate::api::reason::{Invalid, Reason};
use crate::engine::account::{AccountResource, SignIn};
use crate::engine::error::CloudError;
use crate::engine::explained::Lacking;
use crate::engine::preview::Reach;
use crate::providers::Registered;
use crate::source::cluster::FetchError;

/// How many certificates are read at a time.
const AT_A_TIME: usize = 4;

/// A clock that is off by more than that is told: services refuse signatures that are minutes off.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// What `check` is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The account, such as clustercloudaccount/azure; all that may be seen unless named.
    #[arg(value_name = "TYPE/NAME", num_args = 0..=2)]
    account: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Report {
    is_well: bool,
    clock: Clock,
    accounts: Vec<Account>,
    notes: Vec<String>,
}

/// The time here beside the API server's.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Clock {
    is_well: bool,
    /// How far ahead it is here; unknown where the server tells no time.
    ahead_seconds: Option<i64>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Account {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    sign_in: Finding,
    certificates: Vec<Reached>,
    /// What the account's identity needs for all certificates that use it.
    permissions: Vec<&'static str>,
}

/// A certificate that was read through an account.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Reached {
    kind: String,
    namespace: String,
    name: String,
    read: Finding,
    permissions: Permissions,
    /// What the operator says of the object, where the service denied it a call.
    #[serde(skip_serializing_if = "Option::is_none")]
    denied: Option<Denied>,
}

/// The identity's permissions for a certificate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
enum Permissions {
    /// It has all but these.
    Missing(Vec<&'static str>),
    /// They cannot be told, for this reason.
    Unknown(String),
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Denied {
    message: String,
    since: String,
}

/// Whether it went well, or why not.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    is_well: bool,
    #[serde(flatten)]
    why: Option<Why>,
}

impl Finding {
    /// What came of it; an error where the one who asks may not read what is needed.
    fn of(done: Result<(), FetchError>) -> Result<Self> {
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

/// Prints what works and what does not; gives whether all does.
pub(crate) async fn check(flags: &Flags, output: &Output, args: Args) -> Result<bool> {
    let connection = Connection::open(flags).await?;
    let clock = clock(&connection).await?;
    let mut notes = Vec::new();
    let found = accounts(&connection, &args.account, &mut notes).await?;
    let mut certificates = Vec::new();
    for kind in kinds::all().into_iter().filter(|it| it.provider.is_some()) {
        match kind.list(&connection).await {
            Ok(objects) => certificates.push((kind, objects)),
            Err(error) => notes.push(format!("{} are not read: {error:#}", kind.resource.plural)),
        }
    }
    let mut accounts = Vec::new();
    for account in &found {
        accounts.push(checked(&connection, account, &certificates).await?);
    }
    let is_well = clock.is_well && accounts.iter().all(Account::is_well);
    let report = Report { is_well, clock, accounts, notes };
    output.print(&report, |paint| report.text(paint))?;
    Ok(is_well)
}

/// The accounts that are asked for.
async fn accounts(connection: &Connection, named: &[String], notes: &mut Vec<String>) -> Result<Vec<Object>> {
    if !named.is_empty() {
        let (kind, name) = kinds::subject(named)?;
        anyhow::ensure!(kind.provider.is_none(), "{} is no kind of account", kind.resource.kind);
        return Ok(vec![kind.get(connection, &name).await?]);
    }
    let mut found = Vec::new();
    for kind in kinds::all().into_iter().filter(|it| it.provider.is_none()) {
        match kind.list(connection).await {
            Ok(objects) => found.extend(objects),
            Err(error) => notes.push(format!("{} are not checked: {error:#}", kind.resource.plural)),
        }
    }
    anyhow::ensure!(!found.is_empty() || notes.is_empty(), "{}", notes.join("; "));
    Ok(found)
}

/// Signs in with an account, reads every certificate that uses it, and asks what the identity may do there.
async fn checked(
    connection: &Connection,
    account: &Object,
    certificates: &[(Kind, Vec<Object>)],
) -> Result<Account> {
    let sign_in = Finding::of(signed_in(connection, account).await)?;
    let users = certificates
        .iter()
        .flat_map(|(kind, objects)| objects.iter().filter(|it| uses(it, account)).map(move |it| (kind, it)));
    let mut permissions = Vec::<&str>::new();
    let mut asked = Vec::new();
    for (kind, object) in users {
        let provider = kind.provider()?;
        // What cannot be read of an object is told by the attempt to reach it.
        let needed = provider.permissions(object.manifest()?).unwrap_or_default();
        permissions.extend(needed.iter().filter(|it| !permissions.contains(it)).collect::<Vec<_>>());
        if sign_in.is_well {
            asked.push(reached(connection, provider, object));
        }
    }
    let reads = stream::iter(asked).buffered(AT_A_TIME).collect::<Vec<_>>().await;
    Ok(Account {
        kind: account.kind.clone(),
        namespace: account.namespace(),
        name: account.name(),
        sign_in,
        certificates: reads.into_iter().collect::<Result<_>>()?,
        permissions,
    })
}

async fn reached(connection: &Connection, provider: &dyn Registered, object: &Object) -> Result<Reached> {
    let reached = provider.reach(&connection.viewer, &connection.clouds, object.manifest()?).await;
    let (read, permissions) = match reached {
        Ok(Reach { read, lacking }) => (read.map_err(invalid), Permissions::of(lacking)),
        Err(error) => (Err(error), Permissions::Unknown("they could not be asked for".to_owned())),
    };
    Ok(Reached {
        kind: object.kind.clone(),
        namespace: object.namespace().unwrap_or_default(),
        name: object.name(),
        read: Finding::of(read)?,
        permissions,
        denied: denied(object),
    })
}

/// What the object's own conditions tell of a call that the service denied.
fn denied(object: &Object) -> Option<Denied> {
    let conditions = &object.status.conditions;
    let denied = conditions.iter().find(|it| it.reason == Reason::AccessDenied.to_string())?;
    Some(Denied { message: denied.message.clone(), since: denied.last_transition_time.to_string() })
}

fn invalid(error: CloudError) -> FetchError {
    Invalid::new(error.reason, error.message).into()
}

fn uses(certificate: &Object, account: &Object) -> bool {
    let Some(named) = certificate.common.as_ref().map(|it| &it.account_ref) else { return false };
    let is_of_kind = match named.kind {
        AccountKind::CloudAccount => {
            account.kind == "CloudAccount" && account.namespace() == certificate.namespace()
        }
        AccountKind::ClusterCloudAccount => account.kind == "ClusterCloudAccount",
    };
    is_of_kind && named.name == account.name()
}

async fn signed_in(connection: &Connection, account: &Object) -> Result<(), FetchError> {
    match account.kind.as_str() {
        "CloudAccount" => sign_in::<CloudAccount>(connection, account).await,
        _ => sign_in::<ClusterCloudAccount>(connection, account).await,
    }
}

async fn sign_in<K: AccountResource>(connection: &Connection, account: &Object) -> Result<(), FetchError> {
    let unfit = |_| Invalid::new(Reason::SpecInvalid, "the account does not have the shape of its kind");
    let account: K = account.raw.clone().try_parse().map_err(unfit)?;
    let fetched = account.resolve(&connection.viewer.cluster).await?;
    connection.clouds.sign_in(&fetched.account).await.map_err(invalid)
}

/// The API server tells its time with every answer.
async fn clock(connection: &Connection) -> Result<Clock> {
    let request = http::Request::get("/version").body(Body::empty())?;
    let answer = connection.client.send(request).await.map_err(refused)?;
    let date = answer.headers().get(http::header::DATE).and_then(|it| it.to_str().ok());
    Ok(compared(date, Timestamp::now()))
}

fn compared(date: Option<&str>, now: Timestamp) -> Clock {
    let theirs = date.and_then(|it| jiff::fmt::rfc2822::parse(it).ok()).map(|it| it.timestamp());
    let ahead = theirs.map(|it| now.duration_since(it));
    Clock { is_well: ahead.is_none_or(|it| it.abs() <= SKEW), ahead_seconds: ahead.map(|it| it.as_secs()) }
}

impl Report {
    fn text(&self, paint: Paint) -> String {
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
    fn is_well(&self) -> bool {
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
        if !self.permissions.is_empty() && !(self.sign_in.is_well && self.certificates.iter().all(is_known)) {
            text += &format!("  permissions that are needed:\n    {}\n", self.permissions.join("\n    "));
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
    fn of(lacking: Result<Lacking, CloudError>) -> Self {
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
            let clock = compared(date, now);
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
