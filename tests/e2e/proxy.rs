//! The operator in a network that is left by a proxy alone. Names below `test` are nobody's (RFC 6761 §6.2): only the proxy
//! knows where they lead.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::proxy::Proxy;
use serde_json::{Value, json};

use crate::failover::Stage;
use crate::world::World;

const DOMAIN: &str = "clouds.test";

#[tokio::test(flavor = "multi_thread")]
async fn all_clouds_are_reached_by_the_proxy_alone() -> Result<()> {
    let (stage, proxy) = (Stage::set().await?, Proxy::start().await?);
    let world = World::on_with_domain(stage.cluster.clone(), "proxy", DOMAIN).await?;
    world.signs("Derived").await?;
    for secret in ["factory-ca", "ca"] {
        world.tls_secret(secret, &ca(secret)?).await?;
    }
    let directly = stage.operator(&[]).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.reason("factory-root", "CloudUnavailable").await?;
    directly.stop().await?;
    let requests = async || -> Result<Vec<Value>> {
        let mut journal = world.emulator.control_get("requests").await?;
        Ok(serde_json::from_value(journal["requests"].take())?)
    };
    ensure!(requests().await?.is_empty(), "something was reached directly");

    let way = format!("--proxy=http://127.0.0.1:{}", proxy.port);
    let by_proxy = stage.operator(&[&way]).await?;
    world.apply(&world.in_instance("devices", json!({}))).await?;
    world.apply(&world.in_vault("web", json!({ "import": { "secretRef": { "name": "ca" } } }))).await?;
    let wait = ["wait", "certferry", "--all", "--for=condition=Ready", "--timeout=90s"];
    world.kubectl(&wait).await?;
    // Whatever the services were asked, they were asked by the proxy.
    let host = |it: &Value| Some(it["host"].as_str()?.split(':').next()?.to_owned());
    let reached = requests().await?.iter().map(host).collect::<Option<BTreeSet<_>>>().context("no host")?;
    ensure!(proxy.asked() == reached && reached.len() == 4, "{:?}, {reached:?}", proxy.asked());
    for kind in ["iothubcertificate", "iotdacertificate", "keyvaultcertificate"] {
        world.kubectl(&["delete", kind, "--all", "--timeout=60s"]).await?;
    }

    by_proxy.stop().await?;
    drop(proxy);
    let by_none = stage.operator(&[&way]).await?;
    world.apply(&world.certificate("another")).await?;
    world.says("another", "CloudUnavailable", "the proxy opens no way").await?;
    by_none.stop().await?;
    world.stop().await
}
