//! Users and agencies of the Huawei Cloud account.

use serde_json::{Value, json};

use super::{Control, bad_request, not_found, value};
use crate::faults::merge;
use crate::huawei::account::{Agency, Holder, User};
use crate::request::Answer;

/// A new user needs an id; of an old one what is not named stays. Tokens and temporary keys end with any change of
/// password, keys or rights; the real ones within half an hour.
pub(super) fn put_user(control: &mut Control) -> Result<Value, Answer> {
    let name = control.captures.text("user").to_owned();
    let mut target = control.state.world.huawei.user(&name).map_or_else(|| json!({}), value);
    merge(&mut target, &control.body()?);
    target["name"] = name.clone().into();
    let new: User = serde_json::from_value(target).map_err(|error| bad_request(&error.to_string()))?;
    let shown = value(&new);
    let account = &mut control.state.world.huawei;
    account.revoke(&Holder::User(name.clone()));
    account.users.retain(|user| user.name != name);
    account.users.push(new);
    Ok(shown)
}

pub(super) fn delete_user(control: &mut Control) -> Result<Value, Answer> {
    let name = control.captures.text("user").to_owned();
    let account = &mut control.state.world.huawei;
    if account.user(&name).is_none() {
        return Err(not_found("user", &name));
    }
    account.revoke(&Holder::User(name.clone()));
    account.users.retain(|user| user.name != name);
    Ok(json!({}))
}

/// The same of an agency, such as the keys of the issuer that it trusts.
pub(super) fn put_agency(control: &mut Control) -> Result<Value, Answer> {
    let name = control.captures.text("agency").to_owned();
    let account = &control.state.world.huawei;
    let held = account.agencies.iter().find(|agency| agency.name == name);
    let mut target = held.map_or_else(|| json!({}), value);
    merge(&mut target, &control.body()?);
    target["name"] = name.clone().into();
    let new: Agency = serde_json::from_value(target).map_err(|error| bad_request(&error.to_string()))?;
    let shown = value(&new);
    let account = &mut control.state.world.huawei;
    account.revoke(&Holder::Agency(name.clone()));
    account.agencies.retain(|agency| agency.name != name);
    account.agencies.push(new);
    Ok(shown)
}
