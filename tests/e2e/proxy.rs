//! The operator in a network that is left by a proxy alone. Names below `test` are nobody's (RFC 6761 §6.2): only the proxy
//! knows where they lead.

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use certferry_rig::installation::ca;
use certferry_rig::proxy::Proxy;

use crate::failover::Stage;
use crate::world::World;

const DOMAIN: &str = "clouds.test";

#[tokio::test(flavor = "multi_thread")]
async fn all_clouds_are_reached_by_the_proxy_alone() -> Result<()> {
    let (stage, proxy) = (Stage::set().await?, Proxy::start().await?);
    let world = World::on_with_domain(stage.cluster.clone(), "proxy", DOMAIN).await?;
    let directly = stage.operator(&[]).await?;
    world.tls_secret("factory-ca", &ca("Factory root")?).await?;
    world.apply(&world.certificate("factory-root")).await?;
    world.says("factory-root", "CloudUnavailable", "cannot be resolved").await?;
    directly.stop().await?;
    ensure!(world.requests().await?.is_empty(), "it was reached directly");

    let way = format!("--proxy=http://127.0.0.1:{}", proxy.port);
    let by_proxy = stage.operator(&[&way]).await?;
    world.ready("factory-root").await?;
    let asked = |names: &[&str]| names.iter().map(|it| format!("{it}.{DOMAIN}")).collect::<BTreeSet<_>>();
    ensure!(proxy.asked() == asked(&["login", "arm"]), "{:?}", proxy.asked());
    world.delete("factory-root").await?;

    by_proxy.stop().await?;
    drop(proxy);
    let by_none = stage.operator(&[&way]).await?;
    world.apply(&world.certificate("another")).await?;
    world.says("another", "CloudUnavailable", "the proxy opens no way").await?;
    by_none.stop().await?;
    world.stop().await
}
