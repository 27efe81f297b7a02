//! Which hosts IoTDA has, and what each demands: instances have one of their own, the basic edition shares one.

use super::instance::Instance;
use crate::huawei::signature::Scheme;
use crate::names::Names;

/// What a host says of a call to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place<'a> {
    /// The instance's name; `None` on the shared host.
    pub(super) instance: Option<&'a str>,
    /// Real hosts name their region.
    pub(super) region: Option<&'a str>,
    /// Real hosts take one scheme only.
    pub(super) scheme: Option<Scheme>,
}

impl Place<'_> {
    /// Whether the instance can be meant.
    pub(super) fn is_of(&self, instance: &Instance) -> bool {
        self.instance.is_none_or(|name| name == instance.name)
            && self.region.is_none_or(|region| region == instance.region)
    }
}

pub(super) fn place<'a>(names: &Names, host: &'a str) -> Option<Place<'a>> {
    let own = |instance| Place { instance, region: None, scheme: None };
    let label = |text: &'a str| (!text.is_empty() && !text.contains('.')).then_some(text);
    if names.is(host, "iotda") {
        return Some(own(None));
    }
    if let Some(name) = host.strip_suffix(&format!(".iotda.{}", names.domain)) {
        return label(name).map(|name| own(Some(name)));
    }
    let real = host.strip_suffix(".myhuaweicloud.com")?;
    if let Some(region) = real.strip_prefix("iotda.").and_then(label) {
        return Some(Place { instance: None, region: Some(region), scheme: Some(Scheme::Basic) });
    }
    let (front, region) = real.split_once(".iotda-app.")?;
    let name = label(front.strip_suffix(".st1").unwrap_or(front))?;
    Some(Place { instance: Some(name), region: label(region), scheme: Some(Scheme::Derived) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let names = Names { domain: "localhost".into(), port: 1 };
        let own = |instance| Some(Place { instance, region: None, scheme: None });
        let basic = |region| Some(Place { instance: None, region, scheme: Some(Scheme::Basic) });
        let derived =
            |name, region| Some(Place { instance: Some(name), region, scheme: Some(Scheme::Derived) });
        for (host, expected) in [
            ("iotda.localhost", own(None)),
            ("iotda-1.iotda.localhost", own(Some("iotda-1"))),
            ("iotda.cn-north-4.myhuaweicloud.com", basic(Some("cn-north-4"))),
            ("x.st1.iotda-app.cn-south-1.myhuaweicloud.com", derived("x", Some("cn-south-1"))),
            ("x.iotda-app.cn-north-4.myhuaweicloud.com", derived("x", Some("cn-north-4"))),
            ("a.b.iotda.localhost", None),
            (".iotda.localhost", None),
            ("iam.cn-north-4.myhuaweicloud.com", None),
            ("iotda.myhuaweicloud.com", None),
        ] {
            assert_eq!(place(&names, host), expected, "{host}");
        }
    }
}
