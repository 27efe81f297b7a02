//! kstatus, from its published rules, and the health that follows from it. Written without a look at the script, so
//! that the two can be held against each other.

use serde::Deserialize;
use serde_json::Value;

use crate::lua::Status;

/// What kstatus says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Kstatus {
    Terminating,
    InProgress,
    Failed,
    Current,
}

/// The generic rules; kstatus has none of its own for our kinds.
pub fn kstatus(object: &Value) -> Kstatus {
    let (metadata, status) = (&object["metadata"], &object["status"]);
    let observed = &status["observedGeneration"];
    if metadata["deletionTimestamp"].is_string() {
        return Kstatus::Terminating;
    }
    if !observed.is_null() && *observed != metadata["generation"] {
        return Kstatus::InProgress;
    }
    // In the order in which they are listed: the first that is true decides.
    for condition in conditions(object) {
        match (condition["type"].as_str(), condition["status"].as_str()) {
            (Some("Reconciling"), Some("True")) => return Kstatus::InProgress,
            (Some("Stalled"), Some("True")) => return Kstatus::Failed,
            _ => {}
        }
    }
    match condition(object, "Ready").map(|it| &it["status"]) {
        Some(status) if status == "True" => Kstatus::Current,
        Some(_) => Kstatus::InProgress,
        None => Kstatus::Current,
    }
}

/// The health that Argo CD is to show: what kstatus says, and three things that kstatus does not know.
pub fn expected(object: &Value) -> Status {
    let kstatus = kstatus(object);
    if kstatus == Kstatus::Terminating {
        return Status::Progressing;
    }
    // Nothing is done, as was asked: by the object itself, or by its account.
    let spec = &object["spec"];
    let current = object["status"]["observedGeneration"] == object["metadata"]["generation"];
    let idle = condition(object, "Ready").is_some_and(|it| it["reason"] == "Suspended");
    if spec["managementPolicy"] == "Suspend" || spec["suspend"] == true || (current && idle) {
        return Status::Suspended;
    }
    // kstatus takes what nobody has looked at yet for done.
    if object["status"]["observedGeneration"].is_null() {
        return Status::Progressing;
    }
    match kstatus {
        Kstatus::Current => Status::Healthy,
        Kstatus::Failed => Status::Degraded,
        Kstatus::InProgress | Kstatus::Terminating => Status::Progressing,
    }
}

fn conditions(object: &Value) -> impl Iterator<Item = &Value> {
    object["status"]["conditions"].as_array().into_iter().flatten()
}

fn condition<'a>(object: &'a Value, type_: &str) -> Option<&'a Value> {
    conditions(object).find(|it| it["type"] == type_)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_row_each() {
        let rows = [
            (json!({}), Kstatus::Current, Status::Progressing),
            (json!({ "observedGeneration": 1, "conditions": [] }), Kstatus::InProgress, Status::Progressing),
            (of(&[("Ready", "True")]), Kstatus::Current, Status::Healthy),
            (of(&[("Ready", "Unknown")]), Kstatus::InProgress, Status::Progressing),
            (of(&[("Ready", "False"), ("Stalled", "True")]), Kstatus::Failed, Status::Degraded),
            (of(&[("Ready", "False"), ("Reconciling", "True")]), Kstatus::InProgress, Status::Progressing),
            (of(&[("Ready", "True"), ("Reconciling", "True")]), Kstatus::InProgress, Status::Progressing),
        ];
        for (status, by_kstatus, by_argo_cd) in rows {
            let object = json!({ "metadata": { "generation": 2 }, "spec": {}, "status": status });
            assert_eq!((kstatus(&object), expected(&object)), (by_kstatus, by_argo_cd), "{object}");
        }
    }

    #[test]
    fn what_is_deleted_or_suspended_says_so_whatever_its_conditions() {
        let status = of(&[("Ready", "False"), ("Stalled", "True")]);
        let deleted = json!({ "metadata": { "generation": 2, "deletionTimestamp": "x" }, "status": status });
        assert_eq!((kstatus(&deleted), expected(&deleted)), (Kstatus::Terminating, Status::Progressing));
        for spec in [json!({ "managementPolicy": "Suspend" }), json!({ "suspend": true })] {
            let object = json!({ "metadata": { "generation": 2 }, "spec": spec, "status": status });
            assert_eq!(expected(&object), Status::Suspended);
        }
    }

    fn of(conditions: &[(&str, &str)]) -> Value {
        let conditions: Vec<_> =
            conditions.iter().map(|(type_, status)| json!({ "type": type_, "status": status })).collect();
        json!({ "observedGeneration": 2, "conditions": conditions })
    }
}
