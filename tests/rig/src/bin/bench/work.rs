//! What is measured, one phase after the other. Each gives rows of the table.

use std::collections::BTreeSet;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use certferry_rig::wait::eventually;
use futures::future::try_join_all;

use crate::kinds::{Bound, KINDS, Kind};
use crate::meter::{self, Audit, Calls, Received};
use crate::report::{Row, say};
use crate::stage::{Set, Size, Stage};

/// How many objects are created, rotated and deleted one after another.
const SINGLES: usize = 10;

/// How many changes of Secrets are timed for each kind, and how far apart: slower than the buckets refill, of which an
/// IoTDA account's has 9.5 reads a second and a rotation takes nine.
const CHANGES: usize = 100;
const BETWEEN_CHANGES: Duration = Duration::from_millis(1000);

/// Within which the last of them must be through.
const SOON: Duration = Duration::from_secs(120);

/// The shortest resync interval that there is, and how many of them the objects are watched at rest.
const INTERVAL: &str = "1m";
const INTERVAL_SECONDS: u64 = 60;
const INTERVALS: usize = 3;

/// Until objects of one parent have come together: two intervals, as a listing may come a fifth late.
const SETTLING: Duration = Duration::from_secs(135);

/// Longer than the bench: nothing is looked at in between.
const NEVER: &str = "24h";

/// Whom figures are of that are of all kinds together.
const ALL: &str = "all kinds";

const SINGLE: Size = Size { letter: 'w', first: 0, parents: SINGLES, objects: SINGLES, accounts: 1 };
const SMALL: Size = Size { letter: 's', first: 100, parents: 4, objects: 100, accounts: 1 };
const LARGE: usize = 1000;
const LARGE_PARENTS: usize = 40;

/// What of each kind is adopted in turn: a letter, the first parent's number, parents, and objects. With how many there are
/// of all kinds then, and the resident memory in MiB that is allowed for them.
const ADOPTED: [(char, usize, usize, usize, f64); 3] =
    [('x', 0, 1, 25, 30.0), ('y', 100, 9, 225, 45.0), ('z', 200, 50, 2250, 128.0)];

/// Calls per create, rotation and deletion, and how long a changed Secret takes to the service, for all kinds at the same
/// time.
pub(crate) async fn singles(stage: &Stage) -> Result<Vec<Row>> {
    let sets: Vec<_> = KINDS.iter().map(|it| Set::new(it, &SINGLE)).collect();
    for set in &sets {
        stage.prepare(set).await?;
        stage.create_secrets(set, 0..SINGLES).await?;
    }
    let mut rows = Vec::new();
    let created = all(
        stage,
        &sets,
        |it| it.create,
        "create",
        async |set: &Set| {
            for object in 0..SINGLES {
                stage.create_objects(set, object..object + 1, NEVER).await?;
                stage.wait_ready(set, object + 1, Duration::from_millis(200)).await?;
            }
            Ok(())
        },
    );
    rows.extend(created.await?);
    let rotated = all(
        stage,
        &sets,
        |it| it.rotate,
        "rotate",
        async |set: &Set| {
            for object in 0..SINGLES {
                stage.change_secret(set, object, 0).await?;
                tokio::time::sleep(BETWEEN_CHANGES).await;
            }
            Ok(())
        },
    );
    rows.extend(rotated.await?);
    rows.extend(try_join_all(sets.iter().map(|it| changes(stage, it))).await?.into_iter().flatten());
    stage.quiet().await?;
    let deleted = all(
        stage,
        &sets,
        |it| it.delete,
        "delete",
        async |set: &Set| {
            for object in 0..SINGLES {
                stage.delete(set, object).await?;
            }
            Ok(())
        },
    );
    rows.extend(deleted.await?);
    Ok(rows)
}

/// Does the same with all sets at the same time, and counts calls and writes for each object.
async fn all(
    stage: &Stage,
    sets: &[Set],
    bound: impl Fn(&Kind) -> Bound,
    verb: &str,
    work: impl AsyncFn(&Set) -> Result<()>,
) -> Result<Vec<Row>> {
    say(&format!("{verb}: {SINGLES} of each kind, one after another"));
    let mut audit = Audit::default();
    audit.read_on(&stage.plane)?;
    let before: Vec<_> = sets.iter().map(|it| audit.writes_in(&it.namespace)).collect();
    let ((), calls) =
        stage.calls(async { try_join_all(sets.iter().map(|it| work(it))).await.map(drop) }).await?;
    audit.read_on(&stage.plane)?;
    let each = |count: usize| count as f64 / SINGLES as f64;
    let rows = sets.iter().zip(before).flat_map(|(set, before)| {
        let (kind, bound) = (set.kind, bound(set.kind));
        [
            Row::new(kind.name, format!("{verb}: calls"), each(calls.of(kind.operations)))
                .bound(bound.calls() as f64),
            Row::new(kind.name, format!("{verb}: writes"), each(calls.writes_of(kind.operations)))
                .bound(bound.writes as f64),
            Row::new(
                kind.name,
                format!("{verb}: writes to the API server"),
                each(audit.writes_in(&set.namespace) - before),
            ),
        ]
    });
    Ok(rows.collect())
}

/// From the moment at which a changed Secret is sent to the API server until the service is sent the certificate.
async fn changes(stage: &Stage, set: &Set) -> Result<Vec<Row>> {
    say(&format!("{}: {CHANGES} changes of Secrets", set.kind.name));
    let last = Calls::until_now(&stage.emulator).await?.last;
    let mut sent = Vec::new();
    for change in 0..CHANGES {
        let next = tokio::time::Instant::now() + BETWEEN_CHANGES;
        sent.push((change % SINGLES, now_ms()?));
        stage.change_secret(set, change % SINGLES, change + 1).await?;
        tokio::time::sleep_until(next).await;
    }
    stage.quiet().await?;
    let mut taken = eventually(SOON, "every change is uploaded", async || {
        let mut uploads = Received::since(&stage.emulator, last).await?;
        uploads.retain(|it| it.operation == set.kind.upload);
        let taken = sent.iter().map(|(object, at)| {
            let parent = &set.parent_of(*object).name;
            // One that came while another waited goes with that.
            let upload = uploads.iter().find(|it| it.time_ms >= *at && it.is_for(parent));
            let upload = upload.with_context(|| format!("the change in {parent} at {at} is not"))?;
            Ok((upload.time_ms - at) as f64)
        });
        taken.collect::<Result<Vec<_>>>()
    })
    .await?;
    taken.sort_by(f64::total_cmp);
    let row = |share: usize| {
        let value = taken[(taken.len() * share).div_ceil(100) - 1];
        Row::new(set.kind.name, format!("changed Secret to upload, p{share}"), value).unit("ms")
    };
    Ok(vec![row(50), row(99)])
}

fn now_ms() -> Result<i64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis().try_into()?)
}

/// A thousand objects of each kind, kind after kind; then a hundred more of each. They stay.
pub(crate) async fn fleets(stage: &Stage) -> Result<(Vec<Row>, Vec<Set>)> {
    let (mut rows, mut sets) = (Vec::new(), Vec::new());
    for kind in &KINDS {
        let size =
            Size { letter: 'l', first: 200, parents: LARGE_PARENTS, objects: LARGE, accounts: kind.accounts };
        let (large, small) = (Set::new(kind, &size), Set::new(kind, &SMALL));
        say(&format!("{}: {LARGE} creates in {LARGE_PARENTS} parents", kind.name));
        stage.prepare(&large).await?;
        stage.create_secrets(&large, 0..LARGE).await?;
        rows.extend(create(stage, &large).await?);
        stage.prepare(&small).await?;
        stage.create_secrets(&small, 0..small.objects.len()).await?;
        stage.create_objects(&small, 0..small.objects.len(), NEVER).await?;
        stage.wait_ready(&small, small.objects.len(), Duration::from_secs(1)).await?;
        sets.extend([large, small]);
    }
    Ok((rows, sets))
}

async fn create(stage: &Stage, set: &Set) -> Result<Vec<Row>> {
    let count = set.objects.len();
    meter::forget_peak(stage.operator.process.pid());
    let (before, begun) = (stage.usage()?, Instant::now());
    let work = async {
        stage.create_objects(set, 0..count, NEVER).await?;
        stage.wait_ready(set, count, Duration::from_secs(1)).await?;
        Ok((begun.elapsed().as_secs_f64(), stage.usage()?))
    };
    let ((wall, after), calls) = stage.calls(work).await?;
    let name = set.kind.name;
    let row = |figure: &str, value| Row::new(name, format!("{count} creates: {figure}"), value);
    let bound = set.kind.create;
    let limit = set.kind.limit(count, set.parents.len());
    Ok(vec![
        row("wall until all are Ready", wall).unit("s").bound(limit),
        row("CPU", after.cpu_seconds - before.cpu_seconds).unit("s"),
        row("peak memory", after.peak_mib).unit("MiB"),
        row("calls", calls.of(set.kind.operations) as f64).bound((bound.calls() * count) as f64),
        row("writes", calls.writes_of(set.kind.operations) as f64).bound((bound.writes * count) as f64),
    ])
}

/// All sets at rest, all at the same time.
pub(crate) async fn rest(stage: &Stage, sets: &[Set]) -> Result<Vec<Row>> {
    say(&format!("at rest: settling, then {INTERVALS} intervals of {INTERVAL}"));
    for set in sets {
        stage.set_interval(set, INTERVAL).await?;
    }
    tokio::time::sleep(SETTLING).await;
    let mut audit = Audit::default();
    audit.read_on(&stage.plane)?;
    let written: Vec<_> = sets.iter().map(|it| audit.writes_in(&it.namespace)).collect();
    let all_written = audit.all_writes();
    let (last, before) = (Calls::until_now(&stage.emulator).await?.last, stage.usage()?);
    tokio::time::sleep(Duration::from_secs(INTERVAL_SECONDS * INTERVALS as u64)).await;
    let after = stage.usage()?;
    let received = Received::since(&stage.emulator, last).await?;
    audit.read_on(&stage.plane)?;

    let mut rows = Vec::new();
    for (set, before) in sets.iter().zip(written) {
        rows.extend(rest_of(set, &received, audit.writes_in(&set.namespace) - before));
    }
    let parents = || sets.iter().flat_map(|it| &it.parents);
    let elsewhere = received.iter().filter(|call| !parents().any(|it| call.is_for(&it.name))).count();
    let objects: usize = sets.iter().map(|it| it.objects.len()).sum();
    let all = |figure: &str, value| Row::new(ALL, format!("{objects} at rest: {figure}"), value);
    let cpu = (after.cpu_seconds - before.cpu_seconds) / INTERVALS as f64;
    rows.push(all("calls that are for no parent", elsewhere as f64).bound(0.0));
    rows.push(all("all writes to the API server", (audit.all_writes() - all_written) as f64).bound(0.0));
    rows.push(all("CPU per interval", cpu).unit("s"));
    rows.push(all("resident memory", after.resident_mib).unit("MiB"));
    Ok(rows)
}

fn rest_of(set: &Set, received: &[Received], api_writes: usize) -> Vec<Row> {
    let calls: Vec<_> = received.iter().filter(|it| it.operation.starts_with(set.kind.operations)).collect();
    let of = |name: &str| calls.iter().filter(|it| it.is_for(name)).collect::<Vec<_>>();
    let by_parent: Vec<_> = set.parents.iter().map(|it| of(&it.name)).collect();
    let (most, sum) = by_parent.iter().fold((0, 0), |(most, sum), it| (it.len().max(most), sum + it.len()));
    let writes = by_parent.iter().flatten().filter(|it| crate::kinds::writes(&it.operation)).count();
    let (objects, parents) = (set.objects.len(), set.parents.len());
    let row = |figure: &str, value: f64| {
        Row::new(set.kind.name, format!("{objects} at rest in {parents} parents: {figure}"), value)
    };
    let reads = if set.kind.listed {
        let each = (sum - writes) as f64 / (parents * INTERVALS) as f64;
        [
            row("reads per parent and interval", each).bound(1.0),
            row("reads of the busiest parent in all intervals", most as f64).bound(INTERVALS as f64),
        ]
    } else {
        let each = (sum - writes) as f64 / (objects * INTERVALS) as f64;
        let per_parent = (objects / parents * INTERVALS) as f64;
        [
            row("reads per object and interval", each).bound(1.0),
            row("reads of the busiest parent in all intervals", most as f64).bound(per_parent),
        ]
    };
    reads
        .into_iter()
        .chain([
            row("writes", writes as f64).bound(0.0),
            row("writes to the API server", api_writes as f64).bound(0.0),
        ])
        .collect()
}

/// The operator is ended and started again, with all that is there.
pub(crate) async fn restart(stage: &mut Stage, sets: &[Set]) -> Result<Vec<Row>> {
    let objects: usize = sets.iter().map(|it| it.objects.len()).sum();
    say(&format!("restart with {objects} objects"));
    let mut audit = Audit::default();
    audit.read_on(&stage.plane)?;
    let written: usize = sets.iter().map(|it| audit.writes_in(&it.namespace)).sum();
    audit.passed.clear();
    let before = Calls::until_now(&stage.emulator).await?;
    let begun = Instant::now();
    stage.operator.restart().await?;
    wait_passed(stage, sets, &mut audit).await?;
    let passed = begun.elapsed().as_secs_f64();
    let usage = stage.usage()?;
    tokio::time::sleep(Duration::from_secs(3)).await; // the last passes end
    let calls = Calls::until_now(&stage.emulator).await?.since(&before);
    audit.read_on(&stage.plane)?;
    let api_writes: usize = sets.iter().map(|it| audit.writes_in(&it.namespace)).sum();

    let kinds: BTreeSet<_> = sets.iter().map(|it| it.kind.name).collect();
    let who = if kinds.len() == 1 { sets[0].kind.name } else { ALL };
    let row = |figure: &str, value| Row::new(who, format!("restart with {objects}: {figure}"), value);
    let mut rows = vec![
        row("until all have been looked at", passed).unit("s"),
        row("CPU until then", usage.cpu_seconds).unit("s"),
        row("writes to the API server", (api_writes - written) as f64).bound(0.0),
    ];
    for kind in KINDS.iter().filter(|it| kinds.contains(it.name)) {
        let of_kind = || sets.iter().filter(|it| it.kind.name == kind.name);
        let fewest: usize =
            of_kind().map(|it| if kind.listed { it.parents.len() } else { it.objects.len() }).sum();
        let row = |figure: &str, value: usize| {
            let objects: usize = of_kind().map(|it| it.objects.len()).sum();
            Row::new(kind.name, format!("restart with {objects}: {figure}"), value as f64)
        };
        rows.push(row("calls", calls.of(kind.operations)).bound(fewest as f64));
        rows.push(row("writes", calls.writes_of(kind.operations)).bound(0.0));
    }
    Ok(rows)
}

/// Every pass reads its object; so all have been passed when all have been read.
async fn wait_passed(stage: &Stage, sets: &[Set], audit: &mut Audit) -> Result<()> {
    let wanted = |set: &Set, name: &str| (set.kind.plural.to_owned(), set.namespace.clone(), name.to_owned());
    let mut wanted: BTreeSet<_> =
        sets.iter().flat_map(|set| set.objects.iter().map(move |(name, _)| wanted(set, name))).collect();
    let limit = Instant::now() + Duration::from_secs(600);
    loop {
        audit.read_on(&stage.plane)?;
        wanted.retain(|it| !audit.passed.contains(it));
        if wanted.is_empty() {
            return Ok(());
        }
        ensure!(Instant::now() < limit, "{} objects were not looked at after a restart", wanted.len());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

/// Resident memory, at more and more objects of all kinds whose certificates were there before and are adopted.
pub(crate) async fn memory(stage: &mut Stage) -> Result<Vec<Row>> {
    let (mut rows, mut sets) = (Vec::new(), Vec::new());
    for (letter, first, parents, objects, most) in ADOPTED {
        let of_kind = |kind: &'static Kind| {
            let accounts = kind.accounts.min(parents);
            Set::new(kind, &Size { letter, first, parents, objects, accounts })
        };
        let more: Vec<_> = KINDS.iter().map(of_kind).collect();
        rows.extend(adopt(stage, &more).await?);
        sets.extend(more);

        let count: usize = sets.iter().map(|it| it.objects.len()).sum();
        let row = |figure: String, value| Row::new(ALL, figure, value).unit("MiB");
        let usage = stage.usage()?;
        rows.push(row(format!("{count} adopted: resident memory"), usage.resident_mib).bound(most));
        rows.extend(restart(stage, &sets).await?);
        tokio::time::sleep(Duration::from_secs(5)).await;
        let usage = stage.usage()?;
        rows.push(row(format!("restart with {count}: resident memory"), usage.resident_mib).bound(most));
        rows.push(row(format!("restart with {count}: peak memory"), usage.peak_mib));
    }
    Ok(rows)
}

/// Puts the certificates of those sets where they belong, as if somebody had done so before, and has them adopted.
async fn adopt(stage: &Stage, sets: &[Set]) -> Result<Vec<Row>> {
    let count: usize = sets.iter().map(|it| it.objects.len()).sum();
    say(&format!("resident memory: {count} more objects are adopted"));
    for set in sets {
        stage.prepare(set).await?;
        stage.plant(set).await?;
        stage.create_secrets(set, 0..set.objects.len()).await?;
    }
    let begun = Instant::now();
    let work = async {
        for set in sets {
            stage.create_objects(set, 0..set.objects.len(), "1h").await?;
        }
        for set in sets {
            stage.wait_ready(set, set.objects.len(), Duration::from_secs(2)).await?;
        }
        Ok(begun.elapsed().as_secs_f64())
    };
    let (wall, calls) = stage.calls(work).await?;
    let writes: usize = sets.iter().map(|it| calls.writes_of(it.kind.operations)).sum();
    let needed: usize = sets.iter().map(|it| it.kind.adopt * it.objects.len()).sum();
    let row = |figure: &str, value| Row::new(ALL, format!("{count} more adopted: {figure}"), value);
    Ok(vec![row("until all are Ready", wall).unit("s"), row("writes", writes as f64).bound(needed as f64)])
}
