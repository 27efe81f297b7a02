//! The services. A provider is one folder here, its resource type in `api`, and one line in [`all`].

pub mod azure;
mod clients;
mod code;
mod failure;
pub mod huawei;
mod overlap;
mod pace;
mod possession;
mod random;
mod sessions;

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use tokio_util::sync::CancellationToken;

use crate::api::crd;
use crate::api::reason::{Invalid, Reason};
use crate::engine::account::SignIn;
use crate::engine::controller::{self, kind_of};
use crate::engine::dependents::RootKey;
use crate::engine::error::CloudError;
use crate::engine::explained::{Explained, Stocked};
use crate::engine::preview::{self, Preview, Reach, Viewer};
use crate::engine::reconcile::{self, Context};
use crate::engine::term::Term;
use crate::engine::{Engine, Provider, stock};
use crate::http::Http;
pub use crate::http::Proxy;
use crate::metrics::Metrics;
use crate::source::account::{Account, Cloud};
use crate::source::cluster::FetchError;
use azure::Azure;
use azure::api_management::ApiManagement;
use azure::iot_hub::IotHub;
use azure::key_vault::KeyVault;
use clients::Clients;
pub use code::Code;
pub use failure::Fault;
use huawei::Huawei;
use huawei::iotda::Iotda;

/// Every provider.
pub fn all() -> [&'static dyn Registered; 4] {
    [
        &Kind::<IotHub>(PhantomData),
        &Kind::<KeyVault>(PhantomData),
        &Kind::<ApiManagement>(PhantomData),
        &Kind::<Iotda>(PhantomData),
    ]
}

/// The clouds that providers stand on.
pub struct Clouds {
    azure: Arc<Azure>,
    huawei: Arc<Huawei>,
}

impl Clouds {
    /// All of them over this client: a simulation.
    pub fn over(http: Http) -> Self {
        let term = Term::endless("only");
        let azure = Azure::over(http.clone(), term.clone());
        Self { azure: Arc::new(azure), huawei: Arc::new(Huawei::over(http, term)) }
    }

    /// For reading alone: a write is refused before it is sent.
    pub fn for_reading(proxy: Option<&Proxy>) -> Self {
        let term = Term::new("reading", || Duration::ZERO); // it never begins
        Self::new(term, &Metrics::default(), proxy)
    }

    /// For one term of leadership, with their calls counted. They are reached by way of the proxy, if there is one.
    pub fn new(term: Term, metrics: &Metrics, proxy: Option<&Proxy>) -> Self {
        let clients = || Clients::new(metrics, proxy.cloned());
        let azure = Azure::new(term.clone()).by(clients());
        Self { azure: Arc::new(azure), huawei: Arc::new(Huawei::new(term).by(clients())) }
    }
}

/// A provider, whatever its types are.
pub trait Registered: Send + Sync {
    /// The kind that it serves.
    fn kind(&self) -> &'static str;
    /// The definition of the kind.
    fn definition(&self) -> CustomResourceDefinition;
    /// What is wrong with a manifest beyond its schema, as far as can be told without the cluster.
    fn check(&self, manifest: serde_json::Value) -> Result<(), Invalid>;
    /// The permissions that an account's identity needs for what a resource asks for.
    fn permissions(&self, manifest: serde_json::Value) -> Result<Vec<&'static str>, Invalid>;
    /// What a pass over a resource would do.
    fn preview<'a>(
        &self,
        viewer: &'a Viewer,
        clouds: &Clouds,
        manifest: serde_json::Value,
    ) -> BoxFuture<'a, Result<Preview, FetchError>>;
    /// Whether a resource's account may read what the resource is for, and what its identity lacks there.
    fn reach<'a>(
        &self,
        viewer: &'a Viewer,
        clouds: &Clouds,
        manifest: serde_json::Value,
    ) -> BoxFuture<'a, Result<Reach, FetchError>>;
    /// The remote name that a resource is for.
    fn target(&self, manifest: serde_json::Value) -> Result<String, Invalid>;
    /// How a parent is written by hand.
    fn parent_form(&self) -> &'static str;
    /// The part of a spec that points at the parent of that name, if it is written so.
    fn parent(&self, text: &str) -> Option<serde_json::Value>;
    /// The part of a spec that says where the certificate comes from, with that Secret.
    fn source(&self, secret: &str) -> serde_json::Value;
    /// What the parent of a resource holds.
    fn stock<'a>(
        &self,
        viewer: &'a Viewer,
        clouds: &Clouds,
        manifest: serde_json::Value,
        only: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Stocked>, FetchError>>;
    /// Takes note of what there is of the kind, before the first pass.
    fn take_stock<'a>(&self, engine: &'a Engine, clouds: &'a stock::Clouds) -> BoxFuture<'a, ()>;
    /// What looks once at one resource.
    fn passes(&self, engine: &Arc<Engine>, clouds: &Clouds) -> Passes;
    /// Serves the kind until told to stop.
    fn run(&self, engine: Arc<Engine>, clouds: &Clouds, stop: CancellationToken) -> BoxFuture<'static, ()>;
}

/// Looks once at one resource; gives the time of the next look, or nothing when it is gone.
pub type Passes = Box<dyn Fn(RootKey) -> BoxFuture<'static, Option<Duration>> + Send + Sync>;

struct Kind<P>(PhantomData<fn() -> P>);

impl<P: Provider> Kind<P> {
    fn root(manifest: serde_json::Value) -> Result<P::Root, Invalid> {
        serde_json::from_value(manifest).map_err(|error| {
            Invalid::new(
                Reason::SpecInvalid,
                format!("the manifest does not have the shape of its kind: {error}"),
            )
        })
    }
}

impl<P: Explained> Registered for Kind<P>
where
    Clouds: Holds<P::Cloud>,
{
    fn kind(&self) -> &'static str {
        kind_of::<P::Root>()
    }

    fn definition(&self) -> CustomResourceDefinition {
        crd::definition::<P::Root>()
    }

    fn check(&self, manifest: serde_json::Value) -> Result<(), Invalid> {
        P::check(&Self::root(manifest)?)
    }

    fn permissions(&self, manifest: serde_json::Value) -> Result<Vec<&'static str>, Invalid> {
        Ok(P::permissions(&Self::root(manifest)?))
    }

    fn preview<'a>(
        &self,
        viewer: &'a Viewer,
        clouds: &Clouds,
        manifest: serde_json::Value,
    ) -> BoxFuture<'a, Result<Preview, FetchError>> {
        let cloud: Arc<P::Cloud> = clouds.cloud();
        Box::pin(async move { preview::preview::<P>(viewer, &cloud, &Self::root(manifest)?).await })
    }

    fn reach<'a>(
        &self,
        viewer: &'a Viewer,
        clouds: &Clouds,
        manifest: serde_json::Value,
    ) -> BoxFuture<'a, Result<Reach, FetchError>> {
        let cloud: Arc<P::Cloud> = clouds.cloud();
        Box::pin(async move { preview::reach::<P>(viewer, &cloud, &Self::root(manifest)?).await })
    }

    fn target(&self, manifest: serde_json::Value) -> Result<String, Invalid> {
        Ok(P::target(&Self::root(manifest)?).to_string())
    }

    fn parent_form(&self) -> &'static str {
        P::PARENT
    }

    fn parent(&self, text: &str) -> Option<serde_json::Value> {
        P::parent(text)
    }

    fn source(&self, secret: &str) -> serde_json::Value {
        P::source(secret)
    }

    fn stock<'a>(
        &self,
        viewer: &'a Viewer,
        clouds: &Clouds,
        manifest: serde_json::Value,
        only: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Vec<Stocked>, FetchError>> {
        let cloud: Arc<P::Cloud> = clouds.cloud();
        Box::pin(async move { preview::stock::<P>(viewer, &cloud, &Self::root(manifest)?, only).await })
    }

    fn take_stock<'a>(&self, engine: &'a Engine, clouds: &'a stock::Clouds) -> BoxFuture<'a, ()> {
        Box::pin(stock::take::<P>(engine, clouds))
    }

    fn passes(&self, engine: &Arc<Engine>, clouds: &Clouds) -> Passes {
        let context = Arc::new(Context::<P>::new(engine.clone(), clouds.cloud()));
        Box::new(move |key| {
            let context = context.clone();
            Box::pin(async move { reconcile::reconcile(&context, &key).await })
        })
    }

    fn run(&self, engine: Arc<Engine>, clouds: &Clouds, stop: CancellationToken) -> BoxFuture<'static, ()> {
        let passes = self.passes(&engine, clouds);
        Box::pin(controller::run::<P::Root, _>(engine, None, stop, passes))
    }
}

/// A set of clouds that has this one.
trait Holds<C> {
    fn cloud(&self) -> Arc<C>;
}

impl Holds<Azure> for Clouds {
    fn cloud(&self) -> Arc<Azure> {
        self.azure.clone()
    }
}

impl Holds<Huawei> for Clouds {
    fn cloud(&self) -> Arc<Huawei> {
        self.huawei.clone()
    }
}

impl SignIn for Clouds {
    async fn sign_in(&self, account: &Account) -> Result<(), CloudError> {
        match &account.cloud {
            Cloud::Azure(azure) => self.azure.session(&account.id, azure)?.sign_in().await,
            Cloud::Huawei(huawei) => self.huawei.session(&account.id, huawei)?.sign_in(),
        }
    }
}

#[cfg(test)]
mod permissions_tests;
