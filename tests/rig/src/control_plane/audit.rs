//! The API server's audit log: what it was asked, by whom, and what it answered.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

/// Level Metadata: who asked what, without the objects.
pub(super) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - level: Metadata
";

/// One request, and the answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEvent {
    /// Such as `system:serviceaccount:certferry:certferry`.
    pub user: String,
    /// Kubernetes' own: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, `deletecollection`.
    pub verb: String,
    /// Empty for the core group, as are the names below where a request has none.
    pub group: String,
    pub resource: String,
    pub subresource: String,
    pub namespace: String,
    /// Empty at a create too, where the name stands in the object only.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// Path and query, also of requests that are for no resource.
    pub uri: String,
}

/// The events of the log at `path` from byte `from` on, oldest first, and where the next ones will stand. A watch is one
/// event, at its begin.
pub(super) fn events(path: &Path, from: u64) -> Result<(Vec<AuditEvent>, u64)> {
    let mut log = String::new();
    let read = || -> std::io::Result<String> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        file.read_to_string(&mut log)?;
        Ok(log)
    };
    let log = read().with_context(|| format!("reading {}", path.display()))?;
    let whole = log.rfind('\n').map_or(0, |it| it + 1);
    Ok((parse(&log)?, from + whole as u64))
}

/// Those that were answered with 403. The others are not parsed: a long log is read at once.
pub(crate) fn refusals(path: &Path) -> Result<Vec<AuditEvent>> {
    let log = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let refused = log.split_inclusive('\n').filter(|it| it.contains("\"code\":403"));
    let events = parse(&refused.collect::<String>())?;
    Ok(events.into_iter().filter(|it| it.code == 403).collect())
}

fn parse(log: &str) -> Result<Vec<AuditEvent>> {
    let mut events = Vec::new();
    let mut known = HashSet::new();
    for line in log.split_inclusive('\n') {
        // The last line may be half written.
        let Some(line) = line.strip_suffix('\n') else { break };
        let line: Line =
            serde_json::from_str(line).with_context(|| format!("reading the audit event {line}"))?;
        // A watch is logged when it begins and again when it ends.
        if known.insert(line.audit_id.clone()) {
            events.push(line.into());
        }
    }
    Ok(events)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "auditID")]
    audit_id: String,
    verb: String,
    user: User,
    #[serde(rename = "requestURI")]
    request_uri: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl From<Line> for AuditEvent {
    fn from(line: Line) -> Self {
        let ObjectRef { api_group, resource, subresource, namespace, name } = line.object_ref;
        Self {
            user: line.user.username,
            verb: line.verb,
            group: api_group,
            resource,
            subresource,
            namespace,
            name,
            code: line.response_status.code,
            uri: line.request_uri,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_is_one_event_and_a_half_written_line_none() -> Result<()> {
        let log = r#"{"auditID":"1","stage":"ResponseStarted","verb":"watch","user":{"username":"u"},"requestURI":"/api/v1/secrets?watch=1","objectRef":{"resource":"secrets","apiVersion":"v1"},"responseStatus":{"code":200}}
{"auditID":"2","stage":"ResponseComplete","verb":"patch","user":{"username":"u"},"requestURI":"/x","objectRef":{"resource":"deployments","namespace":"n","name":"d","apiGroup":"apps","subresource":"status"},"responseStatus":{"code":409}}
{"auditID":"1","stage":"ResponseComplete","verb":"watch","user":{"username":"u"},"requestURI":"/api/v1/secrets?watch=1","responseStatus":{"code":200}}
{"auditID":"3","verb":"get","us"#;
        let events = parse(log)?;
        let seen: Vec<_> =
            events.iter().map(|event| (event.verb.as_str(), event.resource.as_str(), event.code)).collect();
        assert_eq!(seen, [("watch", "secrets", 200), ("patch", "deployments", 409)]);
        assert_eq!(events[1].subresource, "status");
        Ok(())
    }

    #[test]
    fn a_log_is_read_on_from_its_last_whole_line() -> Result<()> {
        let line = |id: u32| format!(r#"{{"auditID":"{id}","verb":"get","user":{{}},"requestURI":"/{id}"}}"#);
        let log = tempfile::NamedTempFile::new()?;
        std::fs::write(log.path(), format!("{}\n{}", line(1), line(2)))?;
        let (first, next) = events(log.path(), 0)?;
        std::fs::write(log.path(), format!("{}\n{}\n{}\n", line(1), line(2), line(3)))?;
        let (later, end) = events(log.path(), next)?;
        let uris = |events: &[AuditEvent]| events.iter().map(|it| it.uri.clone()).collect::<Vec<_>>();
        assert_eq!((uris(&first), uris(&later)), (vec!["/1".into()], vec!["/2".into(), "/3".into()]));
        assert_eq!(events(log.path(), end)?, (vec![], end));
        Ok(())
    }
}
