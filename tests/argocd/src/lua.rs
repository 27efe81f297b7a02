//! Lua 5.1 with what a script in `argocd-cm` has: the base functions and those for tables. Argo CD also lends it the
//! harmless part of `os`, which our scripts do not need.

use anyhow::{Context, Result};
use mlua::serde::SerializeOptions;
use mlua::{Lua, LuaOptions, LuaSerdeExt, StdLib};
use serde::Deserialize;
use serde_json::Value;

/// What Argo CD shows of an object.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Health {
    pub status: Status,
    pub message: String,
}

/// The states that our scripts give; Argo CD knows `Missing` and `Unknown` besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub enum Status {
    Healthy,
    Progressing,
    Suspended,
    Degraded,
}

/// What a health script says of an object.
pub fn health(script: &str, object: &Value) -> Result<Health> {
    serde_json::from_value(run(script, object)?).context("the script gives no health")
}

/// The actions that a discovery script offers for an object, by name.
pub fn discover(script: &str, object: &Value) -> Result<Value> {
    run(script, object)
}

/// The object as an action leaves it.
pub fn act(script: &str, object: &Value) -> Result<Value> {
    run(script, object)
}

fn run(script: &str, object: &Value) -> Result<Value> {
    let lua = Lua::new_with(StdLib::TABLE | StdLib::PACKAGE, LuaOptions::default())?;
    // What is null is absent, as it is to Argo CD.
    let options = SerializeOptions::new().serialize_none_to_null(false).serialize_unit_to_null(false);
    lua.globals().set("obj", lua.to_value_with(object, options)?)?;
    Ok(lua.from_value(lua.load(script).eval()?)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_script_has_no_more_than_argo_cd_gives_it() {
        for missing in ["string", "io", "os", "math", "debug"] {
            let script = format!("return {missing} == nil");
            assert_eq!(run(&script, &json!({})).unwrap(), json!(true), "{missing}");
        }
        assert!(run("goto continue ::continue:: return true", &json!({})).is_err());
        assert!(run("return ('x'):upper()", &json!({})).is_err());
    }

    #[test]
    fn what_is_null_is_absent() {
        assert_eq!(run("return obj.status == nil", &json!({ "status": null })).unwrap(), json!(true));
    }
}
