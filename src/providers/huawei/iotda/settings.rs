//! Self-registration and OCSP: what is wanted, what is shown, and the change between them. Pure.
//!
//! Source: Huawei Cloud, IoTDA API reference, "Update a CA Certificate". A member that is not sent stays as it is; null
//! takes a template away.

use serde_json::{Map, Value};

use super::super::Flag;
use crate::api::iotda::Provisioning;

/// The members that are sent so that no template is bound any more.
pub fn unbound() -> Map<String, Value> {
    [("provision_enable".to_owned(), false.into()), ("template_id".to_owned(), Value::Null)]
        .into_iter()
        .collect()
}

/// What is wanted; a group that is `None` is not managed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Self-registration.
    pub provisioning: Option<Provisioning>,
    /// OCSP.
    pub ocsp: Option<Ocsp>,
}

/// Checks of device certificates by OCSP, as they are wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ocsp {
    /// Whether they are made.
    pub enabled: bool,
    /// The id of the certificate of the OCSP server's CA, where the server speaks TLS.
    pub server_ca: Option<String>,
}

/// What the service shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShownSettings {
    /// `provision_enable`.
    pub provision: Flag,
    /// `template_id`.
    pub template: Option<String>,
    /// `ocsp_enable`.
    pub ocsp: Flag,
    /// `ocsp_ssl_enable`.
    pub ocsp_ssl: Flag,
    /// `ocsp_server_ca_id`.
    pub ocsp_server_ca: Option<String>,
}

impl Settings {
    /// The same, and what nobody manages as it stands on the predecessor.
    #[must_use]
    pub fn or_as(&self, predecessor: &ShownSettings) -> Self {
        let inherited = || Provisioning {
            enabled: predecessor.provision == Flag::On && predecessor.template.is_some(),
            template_id: predecessor.template.clone(),
        };
        let checks = || Ocsp {
            enabled: predecessor.ocsp == Flag::On,
            server_ca: predecessor.ocsp_server_ca.clone().filter(|_| predecessor.ocsp_ssl == Flag::On),
        };
        Self {
            provisioning: self.provisioning.clone().or_else(|| Some(inherited())),
            ocsp: self.ocsp.clone().or_else(|| Some(checks())),
        }
    }

    /// The members that have to be sent, if any is not as wanted: then all that is managed, so that it stands together
    /// also where a PUT replaces what it does not name.
    pub fn change(&self, shown: &ShownSettings) -> Option<Map<String, Value>> {
        let Self { provisioning, ocsp } = self;
        let as_wanted = provisioning.as_ref().is_none_or(|it| shown.has_provisioning(it))
            && ocsp.as_ref().is_none_or(|it| shown.has_ocsp(it));
        if as_wanted {
            return None;
        }
        let mut change = Map::new();
        if let Some(Provisioning { enabled, template_id }) = provisioning {
            change.insert("provision_enable".into(), (*enabled).into());
            change.insert("template_id".into(), template_id.clone().into());
        }
        if let Some(Ocsp { enabled, server_ca }) = ocsp {
            change.insert("ocsp_enable".into(), (*enabled).into());
            change.insert("ocsp_ssl_enable".into(), server_ca.is_some().into());
            // That null takes the CA away is documented nowhere; without TLS it means nothing.
            if let Some(id) = server_ca {
                change.insert("ocsp_server_ca_id".into(), id.clone().into());
            }
        }
        Some(change)
    }
}

impl ShownSettings {
    /// What cannot be read is no reason to write.
    fn has_provisioning(&self, wanted: &Provisioning) -> bool {
        let Provisioning { enabled, template_id } = wanted;
        self.provision.is(*enabled) != Some(false) && is_same_id(template_id, &self.template)
    }

    fn has_ocsp(&self, wanted: &Ocsp) -> bool {
        let Ocsp { enabled, server_ca } = wanted;
        self.ocsp.is(*enabled) != Some(false)
            && self.ocsp_ssl.is(server_ca.is_some()) != Some(false)
            && (server_ca.is_none() || is_same_id(server_ca, &self.ocsp_server_ca))
    }
}

fn is_same_id(one: &Option<String>, other: &Option<String>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ONE: &str = "61c970ce2d63eb6ee655dbf0";
    const OTHER: &str = "61c970ce2d63eb6ee655dbf1";

    fn provisioning(enabled: bool, template: Option<&str>) -> Settings {
        let template_id = template.map(str::to_owned);
        Settings { provisioning: Some(Provisioning { enabled, template_id }), ocsp: None }
    }

    fn ocsp(enabled: bool, ca: Option<&str>) -> Settings {
        let server_ca = ca.map(str::to_owned);
        Settings { provisioning: None, ocsp: Some(Ocsp { enabled, server_ca }) }
    }

    fn shown(provision: Flag, template: Option<&str>) -> ShownSettings {
        ShownSettings { provision, template: template.map(str::to_owned), ..ShownSettings::default() }
    }

    fn checks(ocsp: Flag, ocsp_ssl: Flag, ca: Option<&str>) -> ShownSettings {
        ShownSettings { ocsp, ocsp_ssl, ocsp_server_ca: ca.map(str::to_owned), ..ShownSettings::default() }
    }

    #[test]
    fn nothing_is_sent_unless_something_differs() {
        use Flag::{Off, On, Unknown};
        for (wanted, shown, change) in [
            (Settings::default(), shown(On, Some(ONE)), json!(null)),
            (provisioning(true, Some(ONE)), shown(On, Some(ONE)), json!(null)),
            (provisioning(true, Some(ONE)), shown(On, Some(&ONE.to_uppercase())), json!(null)),
            (
                provisioning(true, Some(ONE)),
                shown(Off, None),
                json!({ "provision_enable": true, "template_id": ONE }),
            ),
            (
                provisioning(true, Some(OTHER)),
                shown(On, Some(ONE)),
                json!({ "provision_enable": true, "template_id": OTHER }),
            ),
            (
                provisioning(false, None),
                shown(On, Some(ONE)),
                json!({ "provision_enable": false, "template_id": null }),
            ),
            (provisioning(false, None), shown(Off, None), json!(null)),
            (provisioning(true, Some(ONE)), shown(Unknown, Some(ONE)), json!(null)),
            (
                ocsp(true, None),
                checks(Off, Off, None),
                json!({ "ocsp_enable": true, "ocsp_ssl_enable": false }),
            ),
            (ocsp(true, None), checks(Unknown, Off, None), json!(null)),
            (
                ocsp(true, Some("ca")),
                checks(On, Off, None),
                json!({ "ocsp_enable": true, "ocsp_ssl_enable": true, "ocsp_server_ca_id": "ca" }),
            ),
            (
                ocsp(true, Some("ca")),
                checks(On, On, Some("other")),
                json!({ "ocsp_enable": true, "ocsp_ssl_enable": true, "ocsp_server_ca_id": "ca" }),
            ),
            (ocsp(true, Some("ca")), checks(On, On, Some("ca")), json!(null)),
            (
                ocsp(true, None),
                checks(On, On, Some("ca")),
                json!({ "ocsp_enable": true, "ocsp_ssl_enable": false }),
            ),
            (ocsp(true, Some("ca")), checks(On, On, Some("CA")), json!(null)),
            (
                Settings { ocsp: ocsp(false, None).ocsp, ..provisioning(true, Some(ONE)) },
                ShownSettings { ocsp: On, ..shown(On, Some(ONE)) },
                json!({
                    "provision_enable": true, "template_id": ONE, "ocsp_enable": false, "ocsp_ssl_enable": false,
                }),
            ),
            (ocsp(true, None), checks(On, Off, Some("ca")), json!(null)),
            (
                ocsp(false, None),
                checks(On, Off, None),
                json!({ "ocsp_enable": false, "ocsp_ssl_enable": false }),
            ),
        ] {
            let sent = wanted.change(&shown).map_or(Value::Null, Value::Object);
            assert_eq!(sent, change, "{wanted:?} over {shown:?}");
        }
    }

    #[test]
    fn a_successor_gets_what_nobody_manages_from_its_predecessor() {
        let before = ShownSettings { ocsp: Flag::On, ..shown(Flag::On, Some(ONE)) };
        let wanted = ocsp(false, None).or_as(&before);
        assert_eq!(wanted.provisioning, provisioning(true, Some(ONE)).provisioning);
        assert_eq!(wanted.ocsp, ocsp(false, None).ocsp);
        let sent = wanted.change(&ShownSettings::default()).map_or(Value::Null, Value::Object);
        let expected = json!({
            "provision_enable": true, "template_id": ONE, "ocsp_enable": false, "ocsp_ssl_enable": false,
        });
        assert_eq!(sent, expected);
    }
}
