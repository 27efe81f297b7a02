//! Several resources for one remote name: the holder goes on, and takes over what a rival recorded of the name; a rival
//! stands back.

use kube::{Api, ResourceExt};

use super::claims::{Seniority, Standing};
use super::dependents::RootKey;
use super::halt::Halt;
use super::reconcile::{Pass, records};
use super::{Engine, Provider, write};
use crate::api::certificate::CertificateResource;
use crate::source::account::Cloud;
use crate::source::target::Target;

impl Engine {
    /// Where a resource stands among those for the same remote name; the others are told if that changes theirs.
    pub(super) fn claim<R: CertificateResource>(&self, key: &RootKey, target: Target, root: &R) -> Standing {
        let (standing, disturbed) = self.claims.claim(key, target, Seniority::of(root));
        self.dependents.wake(disturbed);
        standing
    }

    /// Forgets an object that is gone. Its remote name is the next one's.
    pub(super) fn forget(&self, key: &RootKey) {
        self.dependents.forget(key);
        self.memory.forget(key);
        self.settled.forget(key);
        self.metrics.forget(&key.named());
        self.dependents.wake(self.claims.let_go(key));
    }
}

impl<P: Provider> Pass<'_, P> {
    /// Goes on if the remote name is this resource's; what a rival recorded of it is then this resource's too.
    pub(super) async fn take_name(&self, root: &mut P::Root, cloud: &Cloud) -> Result<(), Halt> {
        match self.context.engine.claim(self.key, P::target(root).within(&cloud.name()), root) {
            Standing::Rival { holder } => Err(self.stand_back(&holder).await?),
            Standing::Holder { rivals } => self.inherit(root, &rivals).await,
        }
    }

    /// A suspended resource keeps its name, as far as can be told which name that is.
    pub(super) async fn keep_name(&self, root: &P::Root) -> Result<(), Halt> {
        let engine = &self.context.engine;
        let cloud = engine.cluster.cloud_name(&self.key.namespace, &root.common().account_ref).await?;
        if let Some(cloud) = cloud {
            engine.claim(self.key, P::target(root).within(&cloud), root);
        }
        Ok(())
    }

    /// What a rival does: nothing. Once the holder has its own record, the rival's is void.
    async fn stand_back(&self, holder: &RootKey) -> Result<Halt, Halt> {
        let Some(found) = self.look_at(holder).await? else { return Err(Halt::Outdated) };
        let message = standing_back(holder, &self.key.namespace);
        Ok(Halt::StoodBack { message, void: records(&found) })
    }

    /// What a rival wrote before it knew of this resource.
    async fn inherit(&self, root: &mut P::Root, rivals: &[RootKey]) -> Result<(), Halt> {
        if records(root) {
            return Ok(());
        }
        for rival in rivals {
            let Some(found) = self.look_at(rival).await? else { continue };
            let Some(theirs) = found.status().filter(|it| it.remote.is_some() || it.intent.is_some()) else {
                continue;
            };
            let mut status = root.status().cloned().unwrap_or_default();
            (status.remote, status.certificate) = (theirs.remote.clone(), theirs.certificate.clone());
            (status.intent, status.retiring) = (theirs.intent.clone(), theirs.retiring.clone());
            let fence = root.resource_version();
            return Ok(write::status(&self.api, root, &status, fence.as_deref()).await?);
        }
        Ok(())
    }

    /// Whether the remote certificate is by now another resource's, which will see to it.
    pub(super) async fn is_anothers(&self) -> Result<bool, Halt> {
        match self.context.engine.claims.standing(self.key) {
            Some(Standing::Rival { holder }) => {
                Ok(self.look_at(&holder).await?.is_some_and(|it| records(&it)))
            }
            Some(Standing::Holder { .. }) | None => Ok(false),
        }
    }

    /// Has the rivals see that the name has an owner with a record.
    pub(super) fn tell_rivals(&self) {
        if let Some(Standing::Holder { rivals }) = self.context.engine.claims.standing(self.key) {
            self.context.engine.dependents.wake(rivals);
        }
    }

    /// Another resource of the kind as it is now. One that is gone, or was created anew, has lost its claim: its
    /// deletion may have been missed.
    async fn look_at(&self, key: &RootKey) -> Result<Option<P::Root>, Halt> {
        let engine = &self.context.engine;
        let api = Api::<P::Root>::namespaced(engine.client.clone(), &key.namespace);
        let found = api.get_opt(&key.name).await?;
        let found = found.filter(|it| engine.claims.holds(key, &Seniority::of(it)));
        if found.is_none() {
            engine.dependents.wake(engine.claims.let_go(key));
        }
        Ok(found)
    }
}

/// What a rival of that namespace is told.
pub(super) fn standing_back(holder: &RootKey, namespace: &str) -> String {
    let whose = if &*holder.namespace == namespace {
        format!("{} `{}`", holder.kind, holder.name)
    } else {
        format!("an older {} of another namespace", holder.kind)
    };
    format!(
        "{whose} is for the same certificate in the service and is the older one: delete this object, or create it anew \
         under another remote name"
    )
}
