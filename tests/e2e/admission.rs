//! What the API server refuses, and what the offline check says of the same manifests: every CEL rule, both ways.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::world::World;

/// A change to a good certificate manifest, and what the refusal has to name.
const BAD: [(&str, &str, &str); 26] = [
    ("name: hub-1}", "name: ..}", "spec.iotHub.name"),
    ("name: hub-1}", "name: hub_1}", "spec.iotHub.name"),
    ("resourceGroup: rg-devices", "resourceGroup: a..b", "must not contain '..'"),
    ("resourceGroup: rg-devices", "resourceGroup: a/b", "spec.iotHub.resourceGroup"),
    ("subscriptionId: 4", "subscriptionId: x", "spec.iotHub.subscriptionId"),
    ("certificateName: factory-root", "certificateName: a..b", "must not contain '..'"),
    ("certificateName: factory-root", "certificateName: a/b", "spec.certificateName"),
    ("certificateName: factory-root", "certificateName: '%2e%2e'", "spec.certificateName"),
    ("certificateName: factory-root", "certificateName: ..", "spec.certificateName"),
    ("resyncInterval: 1m", "resyncInterval: 59s", "at least '1m'"),
    ("resyncInterval: 1m", "resyncInterval: 25h", "at most '24h'"),
    ("resyncInterval: 1m", "resyncInterval: soon", "spec.resyncInterval"),
    ("resyncInterval: 1m", "renewBefore: 1s", "`renewBefore` must be"),
    ("{proofOfPossession: {}}", "{attested: {}}", "needs `apiVersion` '2023-06-30'"),
    ("{proofOfPossession: {}}", "{}", "exactly one of `proofOfPossession` and `attested`"),
    (
        "{proofOfPossession: {}}",
        "{proofOfPossession: {privateKeySecretRef: {name: a, key: b}, signedCertificateSecretRef: {name: a, key: b}}}",
        "at most one of",
    ),
    ("{secretRef: {name: factory-ca}}", "{}", "exactly one of"),
    ("{secretRef: {name: factory-ca}}", "{secretRef: {name: a}, inline: b}", "exactly one of"),
    ("{secretRef: {name: factory-ca}}", "{inline: 'PRIVATE KEY'}", "must not hold a private key"),
    (
        "{secretRef: {name: factory-ca}}",
        "{configMapRef: {name: a, key: b}}",
        "must name a `privateKeySecretRef`",
    ),
    ("deletionPolicy: Delete", "deletionPolicy: Purge", "spec.deletionPolicy"),
    ("resyncInterval: 1m", "renewBefore: 87601h", "`renewBefore` must be"),
    ("deletionPolicy: Delete", "rotation: {strategy: Overlap, gracePeriod: 8761h}", "at most '8760h'"),
    ("deletionPolicy: Delete", "deletionPolicie: Delete", "deletionPolicie"),
    ("accountRef: {kind: ClusterCloudAccount", "accountRef: {kind: Account", "spec.accountRef.kind"),
    (
        "deletionPolicy: Delete",
        "rotation: {strategy: InPlace, gracePeriod: 1h}",
        "may only be set when `strategy`",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_manifests_are_refused_with_the_field_named() -> Result<()> {
    let world = World::start("bad").await?;
    let good = world.certificate("factory-root");
    ensure!(offline(&good)?.is_none(), "the good manifest is refused offline");
    for (from, to, named) in BAD {
        ensure!(good.contains(from), "the manifest has no `{from}`");
        let bad = good.replace(from, to);
        let refused = world.apply(&bad).await.err().with_context(|| format!("`{to}` was accepted"))?;
        let text = format!("{refused:#}");
        ensure!(text.contains(named), "`{to}` was refused without `{named}`: {text}");
        let text = offline(&bad)?.with_context(|| format!("`{to}` was accepted offline"))?;
        ensure!(text.contains(named), "offline, `{to}` was refused without `{named}`: {text}");
    }
    world.stop().await
}

/// What `certferry validate` says against a manifest.
fn offline(manifest: &str) -> Result<Option<String>> {
    let mut child = Command::new(env!("CARGO_BIN_EXE_certferry"))
        .args(["validate", "-f", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    child.stdin.take().context("no standard input")?.write_all(manifest.as_bytes())?;
    let done = child.wait_with_output()?;
    Ok((!done.status.success()).then(|| String::from_utf8_lossy(&done.stdout).into_owned()))
}

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

/// Accounts: a change to a good one, and what the refusal has to name.
const BAD_ACCOUNTS: [(&str, &str, &str); 10] = [
    ("cloud: Custom", "cloud: Public", "`endpoints` must be set when `cloud` is 'Custom'"),
    (
        "    endpoints: {authority: 'https://login.example', resourceManager: 'https://arm.example'}\n",
        "",
        "`endpoints` must be set when `cloud` is 'Custom'",
    ),
    (
        "cloud: Custom\n    tenantId: 11111111-1111-4111-8111-111111111111\n",
        "cloud: Public\n    caBundle: x\n    tenantId: 11111111-1111-4111-8111-111111111111\n",
        "`caBundle` may only be set when `cloud` is 'Custom'",
    ),
    ("  azure:\n    cloud", "  azurre:\n    cloud", "azurre"),
    ("resourceManager: 'https://arm.example'", "resourceManager: 'https://arm.example/x'", "resourceManager"),
    ("https://login.example", "http://login.example", "spec.azure.endpoints.authority"),
    ("https://login.example", "https://user@login.example", "spec.azure.endpoints.authority"),
    ("tenantId: 1", "tenantId: x", "spec.azure.tenantId"),
    (
        "{names: [a]}",
        "{names: [a], selector: {matchLabels: {b: c}}}",
        "exactly one of `names` and `selector`",
    ),
    ("{clientSecret: {", "{managedIdentity: {}, clientSecret: {", "exactly one of `workloadIdentity`"),
];

#[tokio::test(flavor = "multi_thread")]
async fn bad_accounts_are_refused_with_the_field_named() -> Result<()> {
    let world = World::start("accounts").await?;
    let good = "apiVersion: certferry.dev/v1alpha1
kind: ClusterCloudAccount
metadata: {name: admission}
spec:
  allowedNamespaces: {names: [a]}
  azure:
    cloud: Custom
    tenantId: 11111111-1111-4111-8111-111111111111
    auth: {clientSecret: {clientId: 22222222-2222-4222-8222-000000000001, secretRef: {name: a, key: b}}}
    endpoints: {authority: 'https://login.example', resourceManager: 'https://arm.example'}
";
    world.apply(good).await?;
    let cloudless = good.split("  azure:").next().unwrap_or_default();
    let refused = world.apply(cloudless).await.err().context("an account without a cloud was accepted")?;
    ensure!(format!("{refused:#}").contains("`azure` must be set"), "{refused:#}");
    for (from, to, named) in BAD_ACCOUNTS {
        ensure!(good.contains(from), "the manifest has no `{from}`");
        let bad = good.replace(from, to);
        let refused = world.apply(&bad).await.err().with_context(|| format!("`{to}` was accepted"))?;
        ensure!(format!("{refused:#}").contains(named), "`{to}` was refused without `{named}`: {refused:#}");
        let text = offline(&bad)?.with_context(|| format!("`{to}` was accepted offline"))?;
        ensure!(text.contains(named), "offline, `{to}` was refused without `{named}`: {text}");
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_of_a_namespace_says_one_way_to_sign_in() -> Result<()> {
    let world = World::start("namespaced").await?;
    let good = "apiVersion: certferry.dev/v1alpha1
kind: CloudAccount
metadata: {name: admission}
spec:
  azure:
    cloud: Public
    tenantId: 11111111-1111-4111-8111-111111111111
    auth: {clientSecret: {clientId: 22222222-2222-4222-8222-000000000001, secretRef: {name: a, key: b}}}
";
    world.apply(&good.replace("name: admission", "name: good")).await?;
    for (from, to, named) in [
        (
            "{clientSecret: {clientId: 22222222-2222-4222-8222-000000000001, secretRef: {name: a, key: b}}}",
            "{}",
            "exactly one of",
        ),
        ("cloud: Public", "cloud: Custom", "spec.azure.cloud"),
        ("{clientSecret: {", "{managedIdentity: {}, clientSecret: {", "managedIdentity"),
        (
            "cloud: Public",
            "cloud: Public\n    endpoints: {authority: 'https://a', resourceManager: 'https://a'}",
            "endpoints",
        ),
    ] {
        ensure!(good.contains(from), "the manifest has no `{from}`");
        let bad = good.replace(from, to);
        let refused = world.apply(&bad).await.err().with_context(|| format!("`{to}` was accepted"))?;
        ensure!(format!("{refused:#}").contains(named), "`{to}` was refused without `{named}`: {refused:#}");
    }
    world.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_are_accepted_without_warnings() -> Result<()> {
    let world = World::start("examples").await?;
    let path = format!("{}/examples", env!("CARGO_MANIFEST_DIR"));
    world.kubectl(&["apply", "--dry-run=server", "--warnings-as-errors", "--recursive", "-f", &path]).await?;
    world.stop().await
}
