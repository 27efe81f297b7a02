//! The same work done by OpenTofu with its azurerm provider, for comparison: certificates in IoT hubs of the same
//! emulator, verified by the uploader's word in both cases, as azurerm knows no other way.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use certferry_rig::folder::Folder;
use certferry_rig::installation::TENANT;
use certferry_rig::proxy::Proxy;
use reqwest::Url;
use serde_json::{Map, json};
use tokio::process::Command;

use crate::kinds::{GROUP, KINDS, SUBSCRIPTION};
use crate::meter::{self, Calls};
use crate::report::{Row, say};
use crate::stage::{SECRET, Set, Size, Stage};

const OBJECTS: usize = 100;
const OPERATORS: Size = Size { letter: 'o', first: 0, parents: 4, objects: OBJECTS, accounts: 1 };
const TOFUS: Size = Size { letter: 't', first: 100, parents: 4, objects: OBJECTS, accounts: 1 };

/// What one of the two took for a piece of work.
struct Cost {
    wall_seconds: f64,
    cpu_seconds: f64,
    peak_mib: f64,
    calls: usize,
    writes: usize,
}

/// Rows of both, side by side: the operator's figure, held against that of OpenTofu. None where its programs are not given.
pub(crate) async fn compared() -> Result<Vec<Row>> {
    let program = |variable| std::env::var_os(variable).map(PathBuf::from);
    let (Some(tofu), Some(azurerm)) = (program("BENCH_TOFU"), program("BENCH_AZURERM")) else {
        say("no comparison: BENCH_TOFU and BENCH_AZURERM name no programs");
        return Ok(Vec::new());
    };
    let stage = Stage::start().await?;
    let ours = operators(&stage).await?;
    let theirs = Tofu::new(&stage, tofu, &azurerm).await?.work().await?;
    stage.stop().await?;
    let rows = ours.into_iter().zip(theirs).flat_map(|((work, ours), theirs)| {
        let row = move |figure: &str, value: f64, other: f64| {
            let figure = format!("{OBJECTS} certificates, {work}: {figure}");
            Row::new("operator, bound: tofu", figure, value).bound(other)
        };
        [
            row("calls", ours.calls as f64, theirs.calls as f64),
            row("writes", ours.writes as f64, theirs.writes as f64),
            row("wall", ours.wall_seconds, theirs.wall_seconds).unit("s"),
            row("CPU", ours.cpu_seconds, theirs.cpu_seconds).unit("s"),
            row("peak memory", ours.peak_mib, theirs.peak_mib).unit("MiB"),
        ]
    });
    Ok(rows.collect())
}

/// Create, one look without a change, rotate, delete: by the operator.
async fn operators(stage: &Stage) -> Result<Vec<(&'static str, Cost)>> {
    let set = Set::new(&KINDS[0], &OPERATORS);
    stage.prepare(&set).await?;
    stage.create_secrets(&set, 0..OBJECTS).await?;
    say(&format!("comparison: {OBJECTS} certificates by the operator"));
    let attested = json!({ "apiVersion": "2023-06-30", "verification": { "attested": {} } });
    let created = operator(stage, async {
        stage.create_objects_with(&set, 0..OBJECTS, "24h", &attested).await?;
        stage.wait_ready(&set, OBJECTS, Duration::from_millis(500)).await
    });
    let created = created.await?;

    stage.set_interval(&set, "1m").await?;
    tokio::time::sleep(Duration::from_secs(135)).await; // all of a hub come together
    let looked = operator(stage, async {
        tokio::time::sleep(Duration::from_secs(60)).await;
        Ok(())
    });
    let looked = looked.await?;
    stage.set_interval(&set, "24h").await?;
    stage.quiet().await?;

    let rotated = operator(stage, async {
        let before = Calls::until_now(&stage.emulator).await?;
        stage.each(0..OBJECTS, async |it| stage.change_secret(&set, it, 1).await).await?;
        while Calls::until_now(&stage.emulator).await?.since(&before).writes_of(set.kind.upload) < OBJECTS {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        Ok(())
    });
    let rotated = rotated.await?;
    let deleted = operator(stage, stage.each(0..OBJECTS, async |it| stage.delete(&set, it).await)).await?;
    Ok(vec![("create", created), ("one look", looked), ("rotate", rotated), ("delete", deleted)])
}

async fn operator(stage: &Stage, work: impl Future<Output = Result<()>>) -> Result<Cost> {
    meter::forget_peak(stage.operator.process.pid());
    let (before, begun) = (stage.usage()?, Instant::now());
    let timed = async {
        work.await?;
        Ok(begun.elapsed().as_secs_f64())
    };
    let (wall_seconds, calls) = stage.calls(timed).await?;
    let after = stage.usage()?;
    Ok(Cost {
        wall_seconds,
        cpu_seconds: after.cpu_seconds - before.cpu_seconds,
        peak_mib: after.peak_mib,
        calls: calls.of(KINDS[0].operations),
        writes: calls.writes_of(KINDS[0].operations),
    })
}

/// OpenTofu with a configuration, a state and a provider of its own.
struct Tofu<'a> {
    stage: &'a Stage,
    set: Set,
    client: String,
    program: PathBuf,
    folder: Folder,
    proxy: Proxy,
}

impl<'a> Tofu<'a> {
    async fn new(stage: &'a Stage, program: PathBuf, azurerm: &Path) -> Result<Self> {
        let set = Set::new(&KINDS[0], &TOFUS);
        let clients = stage.prepare(&set).await?;
        let client = clients.into_iter().next().context("the set has no account")?;
        let folder = Folder::new("tofu")?;
        // Its name decides what it is taken for.
        let named = folder.path().join("terraform-provider-azurerm");
        fs::copy(azurerm, &named).with_context(|| format!("copying {}", azurerm.display()))?;
        let overrides = format!(
            "provider_installation {{\n  dev_overrides {{\n    \"hashicorp/azurerm\" = {:?}\n  }}\n  direct {{}}\n}}\n",
            folder.path()
        );
        fs::write(folder.path().join("tofu.tfrc"), overrides)?;
        let proxy = Proxy::start().await?;
        Ok(Self { stage, set, client, program, folder, proxy })
    }

    /// The same four pieces of work, in their order.
    async fn work(&self) -> Result<Vec<Cost>> {
        say(&format!("comparison: {OBJECTS} certificates by OpenTofu"));
        let apply = ["apply", "-auto-approve", "-input=false", "-no-color"];
        self.write(0)?;
        let created = self.run(&apply).await?;
        let looked = self.run(&["plan", "-detailed-exitcode", "-input=false", "-no-color"]).await?;
        self.write(1)?;
        let rotated = self.run(&apply).await?;
        let deleted = self.run(&["destroy", "-auto-approve", "-input=false", "-no-color"]).await?;
        Ok(vec![created, looked, rotated, deleted])
    }

    /// The configuration, with the certificates of that round.
    fn write(&self, round: usize) -> Result<()> {
        let Self { stage, set, client, .. } = self;
        let arm = Url::parse(&stage.emulator.urls.arm)?;
        let host = format!("{}:{}", arm.host_str().context("no host")?, arm.port().context("no port")?);
        let mut certificates = Map::new();
        for (number, (name, _)) in set.objects.iter().enumerate() {
            let pair = stage.certificates.of(set.kind.short, &format!("{name}-{round}"))?;
            let certificate = json!({
                "name": name, "resource_group_name": GROUP, "iothub_name": set.parent_of(number).name,
                "is_verified": true, "certificate_content": BASE64.encode(pair.certificate),
            });
            certificates.insert(name.clone(), certificate);
        }
        let provider = json!({
            "features": [{}], "metadata_host": host, "environment": "EmulatedCloud",
            "resource_provider_registrations": "none", "use_cli": false,
            "subscription_id": SUBSCRIPTION, "tenant_id": TENANT, "client_id": client, "client_secret": SECRET,
        });
        let main = json!({
            "terraform": { "required_providers": { "azurerm": { "source": "hashicorp/azurerm" } } },
            "provider": { "azurerm": provider },
            "resource": { "azurerm_iothub_certificate": certificates },
        });
        fs::write(self.folder.path().join("main.tf.json"), serde_json::to_string_pretty(&main)?)?;
        Ok(())
    }

    async fn run(&self, args: &[&str]) -> Result<Cost> {
        let (before, cpu, begun) =
            (Calls::until_now(&self.stage.emulator).await?, meter::children_cpu_seconds()?, Instant::now());
        let mut command = Command::new(&self.program);
        command.args(args).current_dir(self.folder.path()).env_clear();
        command.env("TF_CLI_CONFIG_FILE", self.folder.path().join("tofu.tfrc"));
        command.env("HOME", self.folder.path()).env("CHECKPOINT_DISABLE", "1");
        command.env("SSL_CERT_FILE", &self.stage.emulator.urls.ca);
        // Go finds no names below `localhost`; the proxy does.
        command.env("HTTPS_PROXY", format!("http://127.0.0.1:{}", self.proxy.port));
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = child.kill_on_drop(true).spawn().context("starting OpenTofu")?;
        let pid = child.id().context("OpenTofu has no pid")?;
        let (mut peak_mib, mut done) = (0.0_f64, std::pin::pin!(child.wait_with_output()));
        let output = loop {
            match tokio::time::timeout(Duration::from_millis(200), &mut done).await {
                Ok(output) => break output?,
                Err(_) => peak_mib = peak_mib.max(meter::tree_mib(pid)),
            }
        };
        let [stdout, stderr] = [&output.stdout, &output.stderr].map(|it| String::from_utf8_lossy(it));
        ensure!(output.status.success(), "tofu {}: {stdout}{stderr}", args.join(" "));
        let wall_seconds = begun.elapsed().as_secs_f64();
        let calls = Calls::until_now(&self.stage.emulator).await?.since(&before);
        Ok(Cost {
            wall_seconds,
            cpu_seconds: meter::children_cpu_seconds()? - cpu,
            peak_mib,
            calls: calls.of(self.set.kind.operations),
            writes: calls.writes_of(self.set.kind.operations),
        })
    }
}
