//! A service that is looked at and never written: the provider within is out of reach.

use super::clock::Clock;
use super::error::CloudError;
use super::explained::{Explained, Lacking, Stocked};
use super::{Freshness, Goal, Provider, Unusable};
use crate::source::account::Account;

/// What one resource is for, to be read alone.
pub struct Sight<P>(P);

impl<P: Provider> Sight<P> {
    /// The service that the resource names, reached with that account.
    pub async fn connect(
        cloud: &P::Cloud,
        account: &Account,
        root: &P::Root,
        clock: &Clock,
    ) -> Result<Self, Unusable> {
        P::connect(cloud, account, root, clock).await.map(Self)
    }

    /// Reads the remote object, live.
    pub async fn observe(&self, root: &P::Root, goal: &Goal<P::Desired>) -> Result<P::Observed, CloudError> {
        self.0.observe(root, goal, Freshness::Live).await
    }
}

impl<P: Explained> Sight<P> {
    /// Which of these permissions the account's identity lacks there.
    pub async fn lacking(&self, needed: &[&'static str]) -> Result<Lacking, CloudError> {
        self.0.lacking(needed).await
    }

    /// The certificates that the parent holds.
    pub async fn stock(&self, only: Option<&str>) -> Result<Vec<Stocked>, CloudError> {
        self.0.stock(only).await
    }
}
