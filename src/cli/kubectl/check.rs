//! `check`: whether accounts can sign in and reach what is asked of them, and which permissions are missing.

mod report;

use anyhow::Result;
use futures::{StreamExt, stream};
use jiff::Timestamp;
use kube::client::Body;

use self::report::{Account, Clock, Denied, Finding, Permissions, Reached, Report};
use super::connection::{Connection, Flags, refused};
use super::kinds::{self, Kind, Object};
use super::printing::Output;
use crate::api::account::{CloudAccount, ClusterCloudAccount};
use crate::api::certificate::AccountKind;
use crate::api::reason::{Invalid, Reason};
use crate::engine::account::{AccountResource, SignIn};
use crate::engine::error::CloudError;
use crate::engine::preview::Reach;
use crate::providers::Registered;
use crate::source::cluster::FetchError;

/// How many certificates are read at a time.
const AT_A_TIME: usize = 4;

/// What `check` is asked.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The account, such as clustercloudaccount/azure; all that may be seen unless named.
    #[arg(value_name = "TYPE/NAME", num_args = 0..=2)]
    account: Vec<String>,
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
        accounts.push(checked(&connection, account, &certificates, &mut notes).await?);
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
        let account = kind.get(connection, &name).await?;
        if let Some(theirs) = foreign(connection, &account) {
            anyhow::bail!("{account} is served by the installation `{theirs}`: name it by --installation");
        }
        return Ok(vec![account]);
    }
    let mut found = Vec::new();
    for kind in kinds::all().into_iter().filter(|it| it.provider.is_none()) {
        match kind.list(connection).await {
            Ok(objects) => found.extend(objects),
            Err(error) => notes.push(format!("{} are not checked: {error:#}", kind.resource.plural)),
        }
    }
    anyhow::ensure!(!found.is_empty() || notes.is_empty(), "{}", notes.join("; "));
    found.retain(|it| match foreign(connection, it) {
        None => true,
        Some(theirs) => {
            notes.push(format!("{it} is not checked: it is served by the installation `{theirs}`"));
            false
        }
    });
    Ok(found)
}

/// The other installation that serves an account, if one does.
fn foreign<'a>(connection: &Connection, account: &'a Object) -> Option<&'a str> {
    let named = account.raw.data["spec"]["installation"].as_str();
    named.filter(|_| !connection.viewer.cluster.operator().serves(named))
}

/// Signs in with an account, reads every certificate that uses it, and asks what the identity may do there.
async fn checked(
    connection: &Connection,
    account: &Object,
    certificates: &[(Kind, Vec<Object>)],
    notes: &mut Vec<String>,
) -> Result<Account> {
    let sign_in = Finding::of(signed_in(connection, account).await)?;
    let users = certificates
        .iter()
        .flat_map(|(kind, objects)| objects.iter().filter(|it| uses(it, account)).map(move |it| (kind, it)));
    let mut permissions = Vec::<&str>::new();
    let mut asked = Vec::new();
    for (kind, object) in users {
        let provider = kind.provider()?;
        match provider.permissions(object.manifest()?) {
            Ok(needed) => needed.into_iter().for_each(|it| {
                if !permissions.contains(&it) {
                    permissions.push(it);
                }
            }),
            Err(Invalid { message, .. }) => notes.push(format!("{object}: {message}")),
        }
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
        needed_permissions: permissions,
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
    Ok(Clock::beside(date, Timestamp::now()))
}
