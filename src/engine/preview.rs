//! What a pass would do, for people who ask before it does: the same reading and the same decisions, and no write to the
//! service or to the cluster.

use std::time::Duration;

use kube::api::ListParams;
use kube::{Api, Client, Resource, ResourceExt};

use super::claims::Seniority;
use super::clock::Clock;
use super::controller::kind_of;
use super::converge::{Closed, facts};
use super::deletion::{self, Removal};
use super::dependents::RootKey;
use super::error::CloudError;
use super::explained::{Explained, Lacking, Row, Stocked};
use super::gate::held_back;
use super::halt::Halt;
use super::reconcile::parsed;
use super::sight::Sight;
use super::status::{self, Circumstances, Outcome};
use super::{Facts, Goal, Next, Output, Step, rivalry};
use crate::api::certificate::{AccountRef, CertificateResource, ManagementPolicy};
use crate::api::condition::{self, Condition, ConditionType};
use crate::api::reason::{Invalid, Reason};
use crate::source::account::{Account, Cloud};
use crate::source::cluster::{Cluster, FetchError};
use crate::source::status_code;

/// With whose eyes it is looked.
pub struct Viewer {
    /// The API server.
    pub client: Client,
    /// Reads with the rights of whoever looks.
    pub cluster: Cluster,
    /// The time.
    pub clock: Clock,
}

/// What was found, and what comes next.
#[derive(Debug)]
pub struct Preview {
    /// The remote name.
    pub target: String,
    /// The wish beside what stands there.
    pub compared: Vec<Row>,
    /// What comes next.
    pub next: Ahead,
    /// What the service was seen to hold of ours.
    pub facts: Option<Box<Facts>>,
    /// What would be written in the resource's namespace.
    pub outputs: Vec<String>,
    /// What the operator says of it, where it is as wanted.
    pub ready: Option<Condition>,
    /// What could not be told.
    pub notes: Vec<String>,
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// Nothing: it is as wanted.
    Nothing,
    /// A write to the service.
    Step {
        /// Its name.
        name: &'static str,
        /// The names of the writes after it.
        follows: Vec<&'static str>,
        /// Why the operator would not make it all the same.
        held_back: Option<Invalid>,
    },
    /// The service, or somebody beside it, is at work.
    Wait {
        /// What is waited for.
        why: Invalid,
        /// When it is looked at again.
        wait: Duration,
    },
    /// Somebody has to change something.
    Stuck(Invalid),
}

/// How far an account reaches.
#[derive(Debug)]
pub struct Reach {
    /// Whether it may read what the resource is for.
    pub read: Result<(), CloudError>,
    /// The permissions that its identity lacks.
    pub lacking: Result<Lacking, CloudError>,
}

/// Looks at a resource, and tells what a pass would do.
pub async fn preview<P: Explained>(
    viewer: &Viewer,
    cloud: &P::Cloud,
    root: &P::Root,
) -> Result<Preview, FetchError> {
    let mut preview = Preview {
        target: P::target(root).to_string(),
        compared: Vec::new(),
        next: Ahead::Nothing,
        facts: None,
        outputs: Vec::new(),
        ready: None,
        notes: Vec::new(),
    };
    match look::<P>(viewer, cloud, root, &mut preview).await {
        Ok(next) => preview.next = next,
        Err(halt) => match told(halt) {
            FetchError::Invalid(why) => preview.next = Ahead::Stuck(why),
            error @ FetchError::Api(_) => return Err(error),
        },
    }
    if let (Ahead::Nothing, Some(facts)) = (&preview.next, &preview.facts) {
        preview.ready = ready(viewer, root, facts);
    }
    Ok(preview)
}

/// Whether the account reaches what the resource is for and may read it, and what its identity lacks there; without what
/// the resource refers to, only the part of it that a deletion would read.
pub async fn reach<P: Explained>(
    viewer: &Viewer,
    cloud: &P::Cloud,
    root: &P::Root,
) -> Result<Reach, FetchError> {
    let reached = async {
        let account = account::<P>(viewer, root).await?;
        let sight = Sight::<P>::connect(cloud, &account, root, &viewer.clock).await?;
        let goal = match wish::<P>(viewer, root).await {
            Ok(desired) => Goal::Present(desired),
            Err(Halt::Api(error)) => return Err(error.into()),
            Err(_) => Goal::Absent,
        };
        let read = sight.observe(root, &goal).await.map(drop);
        Ok(Reach { read, lacking: sight.lacking(&P::permissions(root)).await })
    };
    reached.await.map_err(told)
}

/// What the parent of a resource holds. Whether the account allows it is judged when a resource asks for it.
pub async fn stock<P: Explained>(
    viewer: &Viewer,
    cloud: &P::Cloud,
    root: &P::Root,
    only: Option<&str>,
) -> Result<Vec<Stocked>, FetchError> {
    let listed = async {
        let account = resolved(viewer, root.meta().namespace.as_deref(), &root.common().account_ref).await?;
        let sight = Sight::<P>::connect(cloud, &account, root, &viewer.clock).await?;
        sight.stock(only).await.map_err(Halt::Cloud)
    };
    listed.await.map_err(told)
}

async fn look<P: Explained>(
    viewer: &Viewer,
    cloud: &P::Cloud,
    root: &P::Root,
    preview: &mut Preview,
) -> Result<Ahead, Halt> {
    let Some(goal) = goal::<P>(viewer, root, preview).await? else { return Ok(Ahead::Nothing) };
    let account = account::<P>(viewer, root).await?;
    match older_rival::<P>(viewer, root, &account.cloud).await {
        Ok(None) => {}
        Ok(Some(message)) => return Ok(Ahead::Stuck(Invalid::new(Reason::NameConflict, message))),
        Err(error) if status_code(&error) == Some(403) => preview.notes.push(format!(
            "whether an older {} is for the same certificate cannot be told: you may not list them",
            kind_of::<P::Root>()
        )),
        Err(error) => return Err(error.into()),
    }
    let sight = Sight::<P>::connect(cloud, &account, root, &viewer.clock).await?;
    let observed = sight.observe(root, &goal).await.map_err(Halt::Cloud)?;
    if let Goal::Present(desired) = &goal {
        preview.compared = P::compared(desired, &observed);
    }
    preview.facts = facts::<P>(&goal, &observed).map(Box::new);
    Ok(match P::next(&goal, &observed) {
        Next::Done => {
            if let Goal::Present(desired) = &goal {
                preview.outputs = P::outputs(desired, &observed).iter().map(named).collect();
            }
            Ahead::Nothing
        }
        Next::Step(step) => Ahead::Step {
            name: step.name(),
            follows: match &goal {
                Goal::Present(desired) => P::follows(desired, &step),
                Goal::Absent => Vec::new(),
            },
            held_back: match held_back(root, &step) {
                Some(Closed::Refused { reason, message }) => Some(Invalid::new(reason, message)),
                Some(Closed::Outdated) | None => None,
            },
        },
        Next::Wait { reason, message, wait, serves: _ } => {
            Ahead::Wait { why: Invalid::new(reason, message), wait }
        }
        Next::Await { reason, message } | Next::Stuck { reason, message } => {
            Ahead::Stuck(Invalid::new(reason, message))
        }
    })
}

/// What a pass would try to reach; nothing where the resource is let go.
async fn goal<P: Explained>(
    viewer: &Viewer,
    root: &P::Root,
    preview: &mut Preview,
) -> Result<Option<Goal<P::Desired>>, Halt> {
    let suspended = |message: &str| Err(Invalid::new(Reason::Suspended, message).into());
    if root.meta().deletion_timestamp.is_some() {
        return match deletion::removal(root) {
            Removal::Delete => Ok(Some(Goal::Absent)),
            Removal::Suspended => suspended("management is suspended, and so is the deletion"),
            Removal::LetGo => {
                preview.notes.push("the object is being deleted; the remote certificate stays".to_owned());
                Ok(None)
            }
        };
    }
    if root.common().management_policy == Some(ManagementPolicy::Suspend) {
        return suspended("management is suspended by `spec.managementPolicy`; nothing would be called");
    }
    root.common().resync_interval()?;
    root.common().renew_before()?;
    wish::<P>(viewer, root).await.map(Goal::Present).map(Some)
}

async fn wish<P: Explained>(viewer: &Viewer, root: &P::Root) -> Result<P::Desired, Halt> {
    let namespace = root.namespace().unwrap_or_default();
    let found = viewer.cluster.fetch(&namespace, &P::references(root)).await?;
    parsed::<P>(root, found, viewer.clock.now()).await
}

/// The account, if it may be used for what the resource is pointed at.
async fn account<P: Explained>(viewer: &Viewer, root: &P::Root) -> Result<Account, Halt> {
    let account = resolved(viewer, root.meta().namespace.as_deref(), &root.common().account_ref).await?;
    account.must_allow(&P::target(root))?;
    Ok(account)
}

async fn resolved(viewer: &Viewer, namespace: Option<&str>, named: &AccountRef) -> Result<Account, Halt> {
    Ok(viewer.cluster.account(namespace.unwrap_or_default(), named).await?.account)
}

/// What a pass would say of an older resource for the same remote name.
async fn older_rival<P: Explained>(
    viewer: &Viewer,
    root: &P::Root,
    cloud: &Cloud,
) -> Result<Option<String>, kube::Error> {
    let (target, own) = (P::target(root), Seniority::of(root));
    let namespace = root.namespace().unwrap_or_default();
    let everywhere = Api::<P::Root>::all(viewer.client.clone()).list(&ListParams::default()).await;
    let listed = match everywhere {
        Err(error) if status_code(&error) == Some(403) => {
            let here = Api::<P::Root>::namespaced(viewer.client.clone(), &namespace);
            here.list(&ListParams::default()).await
        }
        listed => listed,
    };
    let is_older =
        |it: &P::Root| P::target(it) == target && Seniority::of(it) < own && it.uid() != root.uid();
    let mut older: Vec<_> = listed?.items.into_iter().filter(is_older).collect();
    older.sort_by_key(Seniority::of);
    for it in older {
        let home = it.namespace().unwrap_or_default();
        if viewer.cluster.cloud_name(&home, &it.common().account_ref).await?.as_deref() == Some(&cloud.name())
        {
            let holder =
                RootKey { kind: kind_of::<P::Root>(), namespace: home.into(), name: it.name_any().into() };
            return Ok(Some(rivalry::standing_back(&holder, &namespace)));
        }
    }
    Ok(None)
}

/// Why there is no more to tell.
fn told(halt: Halt) -> FetchError {
    let (reason, message) = match halt {
        Halt::Invalid(invalid) => return invalid.into(),
        Halt::Api(error) => return error.into(),
        Halt::Cloud(error) => (error.reason, error.message),
        Halt::StoodBack { message, void: _ } => (Reason::NameConflict, message),
        Halt::Outdated | Halt::Busy => {
            (Reason::SpecInvalid, "what the resource refers to could not be read as a whole".to_owned())
        }
    };
    Invalid::new(reason, message).into()
}

fn named(output: &Output) -> String {
    match output {
        Output::TlsSecret { name, .. } => format!("Secret {name}"),
        Output::CertificateRequest { name, .. } => format!("CertificateRequest {name}"),
    }
}

/// What the operator would say of what is as wanted.
fn ready<R: CertificateResource>(viewer: &Viewer, root: &R, facts: &Facts) -> Option<Condition> {
    let (old, settled) =
        (root.status().cloned().unwrap_or_default(), Outcome::Settled(Box::new(facts.clone())));
    let conditions = status::report(&old, &settled, &around(viewer, root)).status.conditions;
    condition::find(&conditions, ConditionType::Ready).cloned()
}

fn around<R: CertificateResource>(viewer: &Viewer, root: &R) -> Circumstances {
    let common = root.common();
    Circumstances {
        generation: root.meta().generation.unwrap_or_default(),
        now: viewer.clock.now(),
        resync_interval: common.resync_interval().unwrap_or(Duration::from_secs(3600)),
        renew_before: common.renew_before().unwrap_or_default(),
        observing: common.management_policy == Some(ManagementPolicy::Observe),
        failures: 1,
        unread_for: None,
        together: None,
        chance: 0.0,
    }
}
