//! An IoTDA instance, as one account sees it.

use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::call::{Call, Operation};
use super::failure::{Failure, What};
use super::session::{Outgoing, Session};
use crate::api::reason::Reason;
use crate::engine::clock::Clock;
use crate::engine::error::CloudError;
use crate::http::{Answer, Endpoint};
use crate::providers::failure::Fault;

/// Where a resource is to be found, as its spec says it.
#[derive(Clone, Copy, Debug)]
pub struct Whereabouts<'a> {
    /// The region, for example `cn-north-4`.
    pub region: &'a str,
    /// The project's id, 1 to 32 hexadecimal digits; IAM is asked for that of the region unless set.
    pub project_id: Option<&'a str>,
    /// The instance's id, for the `Instance-Id` header.
    pub instance_id: Option<&'a str>,
    /// The instance's host; the region's shared host (basic edition) unless set.
    pub host: Option<&'a str>,
}

/// An instance, in an account's name.
pub struct Place {
    session: Arc<Session>,
    endpoint: Endpoint,
    region: String,
    project_id: String,
    instance_id: Option<String>,
    clock: Clock,
}

impl Session {
    /// The instance that a resource names. Calls to it are signed with the time of this clock. Calls IAM if the
    /// whereabouts have no project id and none is known of that region.
    pub async fn place(
        self: &Arc<Self>,
        whereabouts: &Whereabouts<'_>,
        clock: &Clock,
    ) -> Result<Place, CloudError> {
        let Whereabouts { region, project_id, instance_id, host } = *whereabouts;
        let endpoint = self.hosts().iotda(region, host)?;
        let project_id = match project_id {
            Some(id) if is_project(id) => id.to_owned(),
            Some(_) => {
                let message = "`spec.iotda.projectId` must be 1 to 32 hexadecimal digits";
                return Err(CloudError::new(Reason::SpecInvalid, message));
            }
            None => self.project(region, clock).await?,
        };
        Ok(Place {
            session: self.clone(),
            endpoint,
            region: region.to_owned(),
            project_id,
            instance_id: instance_id.map(str::to_owned),
            clock: clock.clone(),
        })
    }
}

impl Place {
    /// The host that is called, with its port if that is not 443.
    pub fn host(&self) -> String {
        self.endpoint.authority()
    }

    /// The project's id.
    pub fn project_id(&self) -> &str {
        &self.project_id
    }

    /// The instance's id, if one is named.
    pub fn instance_id(&self) -> &str {
        self.instance_id.as_deref().unwrap_or_default()
    }

    /// Makes the call when its turn comes. Gives 2xx; all else is a [`Failure`]. If the request's date is refused, the
    /// call is made once more with a new one; nothing else is repeated.
    pub async fn call(&self, call: &Call<'_>) -> Result<Answer, Failure> {
        let segments = ["v5", "iot", &self.project_id].into_iter().chain(call.segments.iter().copied());
        let mut headers = vec![("x-project-id", self.project_id.as_str())];
        headers.extend(self.instance_id.as_deref().map(|id| ("instance-id", id)));
        let outgoing = Outgoing {
            operation: call.operation,
            endpoint: &self.endpoint,
            scheme: self.session.hosts().scheme(&self.endpoint, &self.region),
            segments: segments.collect(),
            query: call.query.clone(),
            headers,
            body: &call.body,
        };
        self.session.call(&outgoing, &self.clock).await
    }

    /// Makes the call, and reads the answer's body.
    pub async fn read<T: DeserializeOwned>(&self, call: &Call<'_>) -> Result<T, Failure> {
        self.call(call).await?.json().map_err(|_| self.failed(call.operation, Fault::Unreadable))
    }

    /// A failure of a call of this kind.
    pub fn failed(&self, operation: Operation, what: impl Into<What>) -> Failure {
        Failure { operation, what: what.into() }
    }
}

/// Source: the IoTDA API reference, pattern of `project_id`.
pub(super) fn is_project(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_hexdigit())
}
