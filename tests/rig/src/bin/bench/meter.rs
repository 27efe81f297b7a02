//! Measures from outside: `/proc` of a process, the emulator's journal, the API server's audit log.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context, Result};
use certferry_rig::control_plane::ControlPlane;
use certferry_rig::emulator::Emulator;
use certferry_rig::installation::NAMESPACE;
use serde::Deserialize;

use crate::kinds::writes;

/// Of `/proc/<pid>/stat`: Linux counts in hundredths of a second for whoever reads it.
const TICKS_PER_SECOND: f64 = 100.0;

/// What a process has used.
#[derive(Clone, Copy)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    /// Resident now, and at most.
    pub(crate) resident_mib: f64,
    pub(crate) peak_mib: f64,
}

/// What a running process has used.
pub(crate) fn usage(pid: u32) -> Result<Usage> {
    let [user, system, ..] = times(&format!("/proc/{pid}/stat"))?;
    let path = format!("/proc/{pid}/status");
    let status = fs::read_to_string(&path).with_context(|| format!("reading {path}"))?;
    let mib = |field: &str| mib(&status, field).with_context(|| format!("{path} has no {field}"));
    Ok(Usage { cpu_seconds: user + system, resident_mib: mib("VmRSS")?, peak_mib: mib("VmHWM")? })
}

/// The processor time of our children that have ended, and of theirs.
pub(crate) fn children_cpu_seconds() -> Result<f64> {
    let [_, _, user, system] = times("/proc/self/stat")?;
    Ok(user + system)
}

/// Lets the peak be counted from now on. Only root may for a process that cannot be dumped; for others it counts from the
/// process's start.
pub(crate) fn forget_peak(pid: u32) {
    let _ = fs::write(format!("/proc/{pid}/clear_refs"), "5");
}

/// What a process and all below it have resident now.
pub(crate) fn tree_mib(pid: u32) -> f64 {
    // Those that end meanwhile count no more.
    let own = fs::read_to_string(format!("/proc/{pid}/status")).ok().and_then(|it| mib(&it, "VmRSS"));
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let children = threads.filter_map(|it| fs::read_to_string(it.path().join("children")).ok());
    let pids: Vec<u32> =
        children.flat_map(|it| it.split_whitespace().map(str::parse).collect::<Vec<_>>()).flatten().collect();
    own.unwrap_or_default() + pids.into_iter().map(tree_mib).sum::<f64>()
}

/// utime, stime, cutime and cstime, in seconds.
fn times(path: &str) -> Result<[f64; 4]> {
    let stat = fs::read_to_string(path).with_context(|| format!("reading {path}"))?;
    parse_times(&stat).with_context(|| format!("{path} has another form"))
}

fn parse_times(stat: &str) -> Option<[f64; 4]> {
    // The second field is the program's name, which may hold anything; the third stands after its last parenthesis.
    let (_, rest) = stat.rsplit_once(')')?;
    let ticks: Vec<f64> = rest.split_whitespace().skip(11).take(4).filter_map(|it| it.parse().ok()).collect();
    Some(<[f64; 4]>::try_from(ticks).ok()?.map(|it| it / TICKS_PER_SECOND))
}

fn mib(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|it| it.strip_prefix(field)?.strip_prefix(':'))?;
    let kib: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib / 1024.0)
}

/// How often each operation was called.
#[derive(Clone, Default, Deserialize)]
pub(crate) struct Calls {
    counts: BTreeMap<String, usize>,
    /// The number of the last call of all.
    pub(crate) last: u64,
}

impl Calls {
    /// All until now.
    pub(crate) async fn until_now(emulator: &Emulator) -> Result<Self> {
        Ok(serde_json::from_value(emulator.control_get("requests/counts").await?)?)
    }

    /// Those since then.
    pub(crate) fn since(mut self, before: &Self) -> Self {
        for (operation, count) in &mut self.counts {
            *count -= before.counts.get(operation).copied().unwrap_or_default();
        }
        self
    }

    pub(crate) fn of(&self, operations: &str) -> usize {
        self.counted(operations, |_| true)
    }

    pub(crate) fn writes_of(&self, operations: &str) -> usize {
        self.counted(operations, writes)
    }

    fn counted(&self, operations: &str, which: impl Fn(&str) -> bool) -> usize {
        let found = self.counts.iter().filter(|(it, _)| it.starts_with(operations) && which(it));
        found.map(|(_, count)| count).sum()
    }
}

/// One call, as the emulator received it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Received {
    pub(crate) time_ms: i64,
    pub(crate) operation: String,
    host: String,
    path: String,
}

impl Received {
    /// The calls after that one.
    pub(crate) async fn since(emulator: &Emulator, last: u64) -> Result<Vec<Self>> {
        let mut answer = emulator.control_get(&format!("requests?since={last}")).await?;
        Ok(serde_json::from_value(answer["requests"].take())?)
    }

    /// Whether it went to that parent: its name is a label of the host or a segment of the path.
    pub(crate) fn is_for(&self, parent: &str) -> bool {
        self.host.split(['.', ':']).chain(self.path.split('/')).any(|it| it.eq_ignore_ascii_case(parent))
    }
}

/// What the operator asked the API server.
#[derive(Default)]
pub(crate) struct Audit {
    next: u64,
    /// Writes by namespace, without those of its Lease.
    writes: BTreeMap<String, usize>,
    /// The resources that were read or written singly: plural, namespace, name.
    pub(crate) passed: BTreeSet<(String, String, String)>,
}

impl Audit {
    /// What has come since the last time.
    pub(crate) fn read_on(&mut self, plane: &ControlPlane) -> Result<()> {
        let operator = format!("system:serviceaccount:{NAMESPACE}:certferry");
        let (events, next) = plane.audit_events_from(self.next)?;
        self.next = next;
        for event in events.into_iter().filter(|it| it.user == operator) {
            match event.verb.as_str() {
                "list" | "watch" => {}
                _ if event.resource == "leases" => {}
                "get" => drop(self.passed.insert((event.resource, event.namespace, event.name))),
                _ => *self.writes.entry(event.namespace).or_default() += 1,
            }
        }
        Ok(())
    }

    /// All of them, those to objects of the cluster too.
    pub(crate) fn all_writes(&self) -> usize {
        self.writes.values().sum()
    }

    pub(crate) fn writes_in(&self, namespace: &str) -> usize {
        self.writes.get(namespace).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_stand_after_the_programs_name_whatever_it_is() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 30 5 20 0 9 0 1 2 3";
        assert_eq!(parse_times(stat), Some([2.5, 0.5, 0.3, 0.05]));
        assert_eq!(parse_times("7 (a) S 1"), None);
    }

    #[test]
    fn we_ourselves_use_something() -> Result<()> {
        let Usage { cpu_seconds, resident_mib, peak_mib } = usage(std::process::id())?;
        assert!(cpu_seconds >= 0.0 && resident_mib > 1.0 && peak_mib >= resident_mib);
        assert!(tree_mib(std::process::id()) > 1.0);
        Ok(())
    }

    #[test]
    fn a_call_is_for_a_parent_by_its_whole_name() {
        let to = |host: &str, path: &str| Received {
            time_ms: 0,
            operation: String::new(),
            host: host.into(),
            path: path.into(),
        };
        assert!(to("iotda-l1.iotda.localhost:8443", "/v5").is_for("iotda-l1"));
        assert!(to("arm.localhost", "/x/IotHubs/Hub-1/certificates").is_for("hub-1"));
        assert!(!to("arm.localhost", "/x/IotHubs/hub-10/certificates").is_for("hub-1"));
    }
}
