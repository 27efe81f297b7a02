//! Where IoTDA and IAM answer, and which signature they take. A resource's host is checked against the form that hosts of
//! its region have; it is never called as it stands.
//!
//! Source: Huawei Cloud, IoTDA API reference, "Endpoints". An instance's host is told by the console (Overview, Access
//! Details) and cannot be computed. New regions come without notice, so any is taken.

use super::signer::Scheme;
use crate::api::huawei_cloud::HuaweiSigning;
use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::http::Endpoint;
use crate::providers::clients::misconfigured;
use crate::source::account::{HuaweiEndpoints, HuaweiEnvironment};

/// Where an account's calls may go.
pub(super) enum Hosts {
    /// Huawei Cloud.
    Public,
    /// An administrator's own.
    Custom { iotda: Endpoint, instances: Option<String>, iam: Option<Endpoint>, signing: HuaweiSigning },
}

impl Hosts {
    /// The hosts of an account.
    pub(super) fn of(environment: &HuaweiEnvironment) -> Result<Self, CloudError> {
        let HuaweiEnvironment::Custom(endpoints) = environment else { return Ok(Self::Public) };
        let HuaweiEndpoints { iotda, iotda_instance, iam, signing, ca_bundle: _ } = endpoints;
        let parsed = |which, text: &str| Endpoint::parse(text).map_err(|why| misconfigured(which, why));
        Ok(Self::Custom {
            iotda: parsed("IoTDA endpoint", iotda)?,
            instances: iotda_instance.clone(),
            iam: iam.as_deref().map(|text| parsed("IAM endpoint", text)).transpose()?,
            signing: *signing,
        })
    }

    /// IoTDA in a region: the shared host, or an instance's.
    pub(super) fn iotda(&self, region: &str, host: Option<&str>) -> Result<Endpoint, CloudError> {
        let region = checked(region)?;
        let host = host.map(str::to_ascii_lowercase);
        match (self, host.as_deref()) {
            (Self::Public, None) => public(&format!("iotda.{region}.{}", domain(region))),
            (Self::Public, Some(host)) => {
                let own = format!("iotda.{region}.{}", domain(region));
                let suffix = format!(".iotda-app.{region}.{}", domain(region));
                if host == own || host.strip_suffix(&suffix).is_some_and(is_instance) {
                    return public(host);
                }
                Err(invalid(
                    "`host` is not an IoTDA host of the region, `<instance>.st1.iotda-app.<region>.myhuaweicloud.com`",
                ))
            }
            (Self::Custom { iotda, .. }, None) => Ok(iotda.clone()),
            (Self::Custom { instances, .. }, Some(host)) => instance(instances.as_deref(), host),
        }
    }

    /// IAM of a region.
    pub(super) fn iam(&self, region: &str) -> Result<Endpoint, CloudError> {
        let region = checked(region)?;
        match self {
            Self::Public => public(&format!("iam.{region}.{}", domain(region))),
            Self::Custom { iam: Some(iam), .. } => Ok(iam.clone()),
            Self::Custom { iam: None, .. } => Err(CloudError::new(
                Reason::EndpointMisconfigured,
                "The account names no endpoint for IAM: set `spec.huaweiCloud.endpoints.iam`, or name the project.",
            )),
        }
    }

    /// The signature that an IoTDA host takes.
    pub(super) fn scheme<'a>(&self, endpoint: &Endpoint, region: &'a str) -> Scheme<'a> {
        let signing = match self {
            Self::Public => HuaweiSigning::Auto,
            Self::Custom { signing, .. } => *signing,
        };
        let derived = match signing {
            HuaweiSigning::Auto => endpoint.authority().contains(&format!(".iotda-app.{region}.")),
            HuaweiSigning::Basic => false,
            HuaweiSigning::Derived => true,
        };
        if derived { Scheme::Derived { region } } else { Scheme::Basic }
    }
}

/// The domain that a region's hosts are in.
fn domain(region: &str) -> &'static str {
    // Huawei Cloud Europe is a cloud of its own.
    if region == "eu-west-101" { "myhuaweicloud.eu" } else { "myhuaweicloud.com" }
}

/// A region, as one label of a host name.
fn checked(region: &str) -> Result<&str, CloudError> {
    let lower = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if is_label(region) && region.bytes().all(lower) {
        return Ok(region);
    }
    Err(invalid("`region` must be a region's id such as `cn-north-4`"))
}

/// What stands before `.iotda-app.`: the instance's label, and often that of its cell.
fn is_instance(text: &str) -> bool {
    text.split('.').count() <= 2 && text.split('.').all(is_label)
}

fn is_label(text: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
    (1..=63).contains(&text.len()) && text.bytes().all(fine) && !text.starts_with('-') && !text.ends_with('-')
}

fn public(host: &str) -> Result<Endpoint, CloudError> {
    Endpoint::parse(&format!("https://{host}")).map_err(|why| misconfigured("IoTDA endpoint", why))
}

/// The instance endpoint whose host is this one.
fn instance(template: Option<&str>, host: &str) -> Result<Endpoint, CloudError> {
    let template = template.ok_or_else(|| {
        CloudError::new(
            Reason::EndpointMisconfigured,
            "The account names no endpoint for instances: set `spec.huaweiCloud.endpoints.iotdaInstance`.",
        )
    })?;
    let label = host.split('.').next().filter(|it| is_label(it)).unwrap_or_default();
    let endpoint = Endpoint::parse(&template.replace("{instance}", label));
    let fits = |it: &Endpoint| it.authority().split(':').next() == Some(host);
    match endpoint {
        Ok(endpoint) if fits(&endpoint) => Ok(endpoint),
        Err(why) if !label.is_empty() => Err(misconfigured("IoTDA instance endpoint", why)),
        _ => Err(invalid("`host` does not have the form of the account's `endpoints.iotdaInstance`")),
    }
}

fn invalid(what: &str) -> CloudError {
    CloudError::new(Reason::SpecInvalid, format!("`spec.iotda`: {what}."))
}

#[cfg(test)]
#[path = "hosts_tests.rs"]
mod tests;
