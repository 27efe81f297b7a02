//! What the API server refuses to change, and the examples.

use anyhow::{Context, Result, ensure};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn identity_cannot_be_changed_the_rest_can() -> Result<()> {
    let world = World::start("immutable").await?;
    let good = world.certificate("factory-root");
    let unnamed = good
        .replace("  certificateName: factory-root\n", "")
        .replace("{name: factory-root}", "{name: other}");
    world.apply(&good).await?;
    world.apply(&unnamed).await?;
    let named = unnamed.replace("resyncInterval: 1m", "resyncInterval: 1m\n  certificateName: late");
    let refused = [
        (good.replace("name: hub-1}", "name: hub-2}"), "`iotHub` must not change"),
        (
            good.replace("certificateName: factory-root", "certificateName: other"),
            "`certificateName` must not change",
        ),
        (named, "`certificateName` must not change"),
    ];
    for (manifest, named) in refused {
        let error = world.apply(&manifest).await.err().with_context(|| format!("{named}: accepted"))?;
        ensure!(format!("{error:#}").contains(named), "{error:#}");
    }
    let long = "a".repeat(65);
    let unnamed = unnamed.replace("{name: other}", &format!("{{name: {long}}}"));
    let error = world.apply(&unnamed).await.err().context("a name of 65 characters was accepted")?;
    ensure!(format!("{error:#}").contains("`spec.certificateName` must be set"), "{error:#}");
    let cleared = r#"[{"op": "remove", "path": "/spec/certificateName"}]"#;
    let patched =
        world.kubectl(&["patch", "iothubcertificate", "factory-root", "--type=json", "-p", cleared]).await;
    ensure!(patched.is_err(), "the name could be cleared");
    world.apply(&good.replace("resyncInterval: 1m", "resyncInterval: 2h")).await?;
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_accepted_without_warnings() -> Result<()> {
    let world = World::start("examples").await?;
    let path = format!("{}/examples", env!("CARGO_MANIFEST_DIR"));
    world.kubectl(&["apply", "--dry-run=server", "--warnings-as-errors", "--recursive", "-f", &path]).await?;
    world.stop().await
}
