//! What a PUT does: every member may be left out, and two may be null.

use super::errors;
use super::instance::{Instance, Settings};
use super::switches::{IotdaSwitches, NullOcspServerCa, UnbindWhileProvisioning, UnknownTemplate, Update};
use super::wire::{Body, Member, is_certificate_id, is_template_id};
use crate::request::{Answer, Request};

const MEMBERS: &[&str] =
    &["provision_enable", "template_id", "ocsp_enable", "ocsp_ssl_enable", "ocsp_server_ca_id"];

/// What was sent.
pub(super) struct Change {
    provision_enable: Option<bool>,
    template_id: Member<String>,
    ocsp_enable: Option<bool>,
    ocsp_ssl_enable: Option<bool>,
    ocsp_server_ca_id: Member<String>,
}

impl Change {
    pub(super) fn read(request: &Request, switches: &IotdaSwitches) -> Result<Self, Answer> {
        let body = Body::read(request, MEMBERS)?;
        let ocsp_server_ca_id = body.nullable("ocsp_server_ca_id", is_certificate_id)?;
        if ocsp_server_ca_id == Member::Null && switches.null_ocsp_server_ca == NullOcspServerCa::Refused {
            return Err(errors::bad_parameter("ocsp_server_ca_id is null"));
        }
        Ok(Self {
            provision_enable: body.boolean("provision_enable")?,
            template_id: body.nullable("template_id", is_template_id)?,
            ocsp_enable: body.boolean("ocsp_enable")?,
            ocsp_ssl_enable: body.boolean("ocsp_ssl_enable")?,
            ocsp_server_ca_id,
        })
    }

    /// The settings after it, if they go together. The codes of refusal are unconfirmed.
    pub(super) fn of(
        self,
        held: &Settings,
        instance: &Instance,
        switches: &IotdaSwitches,
    ) -> Result<Settings, Answer> {
        let Self { provision_enable, template_id, ocsp_enable, ocsp_ssl_enable, ocsp_server_ca_id } = self;
        let none = Settings::default();
        let held = match switches.update {
            Update::Partial => held,
            Update::FullReplace => &none,
        };
        if let Member::Value(id) = &template_id
            && switches.unknown_template == UnknownTemplate::Refused
            && !instance.templates.iter().any(|known| known.eq_ignore_ascii_case(id))
        {
            return Err(errors::no_template(id));
        }
        let unbinds = template_id == Member::Null;
        let mut settings = Settings {
            provision_enable: provision_enable.or(held.provision_enable),
            template_id: text(template_id, &held.template_id),
            ocsp_enable: ocsp_enable.or(held.ocsp_enable),
            ocsp_ssl_enable: ocsp_ssl_enable.or(held.ocsp_ssl_enable),
            ocsp_server_ca_id: text(ocsp_server_ca_id, &held.ocsp_server_ca_id),
        };
        let turns_off = switches.unbind_while_provisioning == UnbindWhileProvisioning::TurnsOff;
        if unbinds && provision_enable.is_none() && turns_off {
            settings.provision_enable = settings.provision_enable.map(|_| false);
        }
        if settings.provision_enable == Some(true) && settings.template_id.is_none() {
            return Err(errors::bad_parameter("provision_enable needs a template_id"));
        }
        if settings.ocsp_ssl_enable == Some(true) && settings.ocsp_server_ca_id.is_none() {
            return Err(errors::bad_parameter("ocsp_ssl_enable needs an ocsp_server_ca_id"));
        }
        Ok(settings)
    }
}

fn text(sent: Member<String>, held: &Option<String>) -> Option<String> {
    match sent {
        Member::Absent => held.clone(),
        Member::Null => None,
        Member::Value(text) => Some(text),
    }
}
