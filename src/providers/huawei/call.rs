//! One call, as the kinds ask for it.

use crate::http::{Body, Limit, Method};

/// What calls are for. It gives the method and the permission that the call needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Lists certificates.
    List,
    /// Reads one certificate.
    Read,
    /// Uploads a certificate.
    Upload,
    /// Proves possession of a certificate's key.
    Verify,
    /// Changes a certificate's settings.
    Update,
    /// Deletes a certificate.
    Delete,
    /// Finds the id of a region's project.
    FindProject,
}

impl Operation {
    /// Its method; all but GET count as writes.
    pub fn method(self) -> Method {
        match self {
            Self::List | Self::Read | Self::FindProject => Method::Get,
            Self::Upload | Self::Verify => Method::Post,
            Self::Update => Method::Put,
            Self::Delete => Method::Delete,
        }
    }

    /// Whether it may change something.
    pub fn is_write(self) -> bool {
        self.method() != Method::Get
    }

    /// The action that an identity policy has to allow. Source: the IoTDA API reference, "Permissions and Supported
    /// Actions"; that of the deletion is not in it and follows the others' form.
    pub const fn action(self) -> &'static str {
        match self {
            Self::List => "iotda:certificates:queryList",
            Self::Read => "iotda:certificate:query",
            Self::Upload => "iotda:certificates:upload",
            Self::Verify => "iotda:certificates:check",
            Self::Update => "iotda:certificates:update",
            Self::Delete => "iotda:certificates:delete",
            Self::FindProject => "iam:projects:listProjects",
        }
    }

    /// The service that answers, for messages.
    pub fn service(self) -> &'static str {
        match self {
            Self::FindProject => "Huawei Cloud IAM",
            Self::List | Self::Read | Self::Upload | Self::Verify | Self::Update | Self::Delete => {
                "Huawei Cloud IoTDA"
            }
        }
    }

    pub(super) fn limit(self) -> Limit {
        match self {
            Self::List | Self::FindProject => Limit::Page,
            Self::Read | Self::Upload | Self::Verify | Self::Update | Self::Delete => Limit::Object,
        }
    }
}

/// One call to a place.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    /// What it is for.
    pub operation: Operation,
    /// The path's segments behind `/v5/iot/{project_id}`; each is checked and encoded.
    pub segments: &'a [&'a str],
    /// The query's names and values, in any order.
    pub query: Vec<(&'static str, &'a str)>,
    /// The request's body, none or JSON.
    pub body: Body,
}

impl<'a> Call<'a> {
    /// A call without query and body.
    pub fn new(operation: Operation, segments: &'a [&'a str]) -> Self {
        Self { operation, segments, query: Vec::new(), body: Body::none() }
    }

    /// With a query parameter more.
    #[must_use]
    pub fn query(mut self, name: &'static str, value: &'a str) -> Self {
        self.query.push((name, value));
        self
    }

    /// With this body.
    #[must_use]
    pub fn body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}
