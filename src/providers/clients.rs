//! The HTTP clients that accounts call their clouds with.

use std::sync::OnceLock;

use crate::api::reason::Reason;
use crate::engine::error::CloudError;
use crate::http::{BadEndpoint, Http, Proxy, Trust, TrustError};
use crate::metrics::Metrics;

/// The clients of one kind of cloud.
#[derive(Default)]
pub(super) struct Clients {
    /// The client for the clouds themselves, made when it is first needed: reading CA certificates may fail.
    clouds: OnceLock<Http>,
    /// The one client for everything, in a simulation.
    only: Option<Http>,
    /// Where calls are counted.
    metrics: Metrics,
    /// By way of which they are made; not those to the machine itself.
    proxy: Option<Proxy>,
}

impl Clients {
    /// The clients whose calls go this way and are counted there.
    pub(super) fn new(metrics: &Metrics, proxy: Option<Proxy>) -> Self {
        Self { metrics: metrics.clone(), proxy, ..Self::default() }
    }

    /// All over this client.
    pub(super) fn over(http: Http) -> Self {
        Self { only: Some(http), ..Self::default() }
    }

    /// For the clouds' own endpoints.
    pub(super) fn clouds(&self) -> Result<Http, CloudError> {
        if let Some(http) = self.only.as_ref().or_else(|| self.clouds.get()) {
            return Ok(http.clone());
        }
        let http = self.made(&Trust::clouds().through(self.proxy.clone()))?;
        Ok(self.clouds.get_or_init(|| http).clone())
    }

    /// For an administrator's own endpoints, whose certificates may chain to these CA certificates too.
    pub(super) fn administrator(&self, ca_bundle: Option<&str>) -> Result<Http, CloudError> {
        if let Some(only) = &self.only {
            return Ok(only.clone());
        }
        let trust = Trust::administrator(ca_bundle).map_err(untrusted)?;
        self.made(&trust.through(self.proxy.clone()))
    }

    /// For the machine's own instance metadata service.
    pub(super) fn instance_metadata(&self) -> Result<Http, CloudError> {
        self.made(&Trust::instance_metadata())
    }

    fn made(&self, trust: &Trust) -> Result<Http, CloudError> {
        Ok(Http::new(trust).map_err(untrusted)?.recording(&self.metrics))
    }
}

/// The error for a CA bundle that is none.
pub(super) fn untrusted(error: TrustError) -> CloudError {
    CloudError::new(
        Reason::EndpointMisconfigured,
        match error {
            TrustError::Bundle => {
                "The account's caBundle cannot be used: it must be PEM with 1 to 300 CA certificates. Correct it \
                 in the ClusterCloudAccount."
            }
            TrustError::NoRoots => {
                "The operator found no CA certificates to trust. Mount a bundle into its pod and name it in \
                 SSL_CERT_FILE."
            }
        },
    )
}

/// The error for an endpoint of an account that is none.
pub(super) fn misconfigured(which: &str, why: BadEndpoint) -> CloudError {
    CloudError::new(
        Reason::EndpointMisconfigured,
        format!("The account's {which} {why}. Correct it in the ClusterCloudAccount."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::test_proxy::TestProxy;
    use crate::http::{Call, Endpoint, Method};

    #[tokio::test]
    async fn clouds_are_called_by_the_proxy_and_the_machine_itself_is_not() {
        let proxy = TestProxy::start(502).await;
        let way = Proxy::parse(&format!("http://127.0.0.1:{}", proxy.port), "").unwrap();
        let clients = Clients::new(&Metrics::default(), Some(way));
        let call = |url: &str| Call::new(Method::Get, &Endpoint::parse(url).unwrap(), ["a"]);
        let by_proxy = [clients.clouds().unwrap(), clients.administrator(None).unwrap()];
        for (number, http) in by_proxy.into_iter().enumerate() {
            http.send(call("https://service.test")).await.unwrap_err();
            assert_eq!(proxy.asked().len(), number + 1);
        }
        clients.administrator(None).unwrap().send(call("https://127.0.0.1:9")).await.unwrap_err();
        assert_eq!(proxy.asked().len(), 2, "a proxy is no way to this machine");
    }
}
