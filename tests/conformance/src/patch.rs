//! The two kinds of patches that the operator makes, applied as the API server applies them.

use serde_json::Value;

use crate::api_server::Refused;

/// A JSON patch (RFC 6902); a failed test is 422.
pub fn json(old: &Value, body: &[u8]) -> Result<Value, Refused> {
    let patch: json_patch::Patch =
        serde_json::from_slice(body).map_err(|error| (400, "BadRequest", error.to_string()))?;
    let mut new = old.clone();
    json_patch::patch(&mut new, &patch).map_err(|error| (422, "Invalid", error.to_string()))?;
    Ok(new)
}

/// A server-side apply of the status by its only manager: what it leaves out goes.
pub fn applied_status(old: &Value, field_manager: bool, body: &[u8]) -> Result<Value, Refused> {
    let sent: Value = serde_json::from_slice(body).map_err(|error| (400, "BadRequest", error.to_string()))?;
    if !field_manager {
        return Err((400, "BadRequest", "fieldManager is required for apply patch".into()));
    }
    for member in ["apiVersion", "kind"] {
        if sent[member] != old[member] {
            return Err((400, "BadRequest", format!("{member} does not match the object's")));
        }
    }
    if sent["metadata"]["name"] != old["metadata"]["name"] {
        return Err((400, "BadRequest", "the name of the object does not match the name of the URL".into()));
    }
    for fence in ["resourceVersion", "uid"] {
        if let Some(wanted) = sent["metadata"].get(fence).filter(|it| !it.is_null())
            && *wanted != old["metadata"][fence]
        {
            return Err((409, "Conflict", format!("metadata.{fence} differs")));
        }
    }
    if sent["metadata"].get("managedFields").is_some() {
        return Err((400, "BadRequest", "metadata.managedFields must be nil".into()));
    }
    let mut new = old.clone();
    new["status"] = sent["status"].clone();
    Ok(new)
}
