use serde_json::Value;

use super::*;

fn custom(iotda_instance: Option<&str>, signing: HuaweiSigning) -> Hosts {
    Hosts::of(&HuaweiEnvironment::Custom(HuaweiEndpoints {
        iotda: "https://iotda.localhost:8443".to_owned(),
        iotda_instance: iotda_instance.map(str::to_owned),
        iam: Some("https://iam.localhost:8443".to_owned()),
        signing,
        ca_bundle: None,
    }))
    .unwrap()
}

#[test]
fn a_region_has_its_hosts() {
    for (region, iotda, iam) in [
        (
            "cn-north-4",
            "https://iotda.cn-north-4.myhuaweicloud.com",
            "https://iam.cn-north-4.myhuaweicloud.com",
        ),
        (
            "eu-west-101",
            "https://iotda.eu-west-101.myhuaweicloud.eu",
            "https://iam.eu-west-101.myhuaweicloud.eu",
        ),
    ] {
        assert_eq!(Hosts::Public.iotda(region, None).unwrap().to_string(), iotda);
        assert_eq!(Hosts::Public.iam(region).unwrap().to_string(), iam);
    }
    for region in
        ["", "a.b", "a/b", "evil.example#", "-a", "cn-north-4.evil.example", "CN-NORTH-4", "a@b", "ä"]
    {
        assert_eq!(Hosts::Public.iotda(region, None).unwrap_err().reason, Reason::SpecInvalid, "{region}");
        assert_eq!(Hosts::Public.iam(region).unwrap_err().reason, Reason::SpecInvalid, "{region}");
    }
}

#[test]
fn an_instances_host_is_one_of_its_region() {
    let region = "cn-north-4";
    for host in [
        "9bc34fake0.st1.iotda-app.cn-north-4.myhuaweicloud.com",
        "9BC34FAKE0.ST1.iotda-app.cn-north-4.myhuaweicloud.com",
        "abc.iotda-app.cn-north-4.myhuaweicloud.com",
        "iotda.cn-north-4.myhuaweicloud.com",
    ] {
        let found = Hosts::Public.iotda(region, Some(host)).unwrap();
        assert_eq!(found.to_string(), format!("https://{}", host.to_ascii_lowercase()));
    }
    for host in [
        "",
        "evil.example",
        "a.st1.iotda-app.cn-north-4.myhuaweicloud.com.evil.example",
        "aiotda-app.cn-north-4.myhuaweicloud.com",
        ".iotda-app.cn-north-4.myhuaweicloud.com",
        "a..iotda-app.cn-north-4.myhuaweicloud.com",
        "a.b.c.iotda-app.cn-north-4.myhuaweicloud.com",
        "a.st1.iotda-app.cn-south-1.myhuaweicloud.com",
        "evil.example/.iotda-app.cn-north-4.myhuaweicloud.com",
        "evil.example#.iotda-app.cn-north-4.myhuaweicloud.com",
        "evil.example\\.iotda-app.cn-north-4.myhuaweicloud.com",
        "a@evil.iotda-app.cn-north-4.myhuaweicloud.com",
        "a.iotda-app.cn-north-4.myhuaweicloud.com:8443",
        "a.iotda-app.cn-north-4.myhuaweicloud.com.",
        "10.0.0.1",
        "169.254.169.254",
    ] {
        let refused = Hosts::Public.iotda(region, Some(host)).unwrap_err();
        assert_eq!(refused.reason, Reason::SpecInvalid, "{host}");
    }
}

#[test]
fn an_administrators_instances_have_the_form_that_the_account_says() {
    let own = custom(Some("https://{instance}.iotda.localhost:8443"), HuaweiSigning::Auto);
    assert_eq!(own.iotda("local", None).unwrap().to_string(), "https://iotda.localhost:8443");
    assert_eq!(own.iam("local").unwrap().to_string(), "https://iam.localhost:8443");
    let found = own.iotda("local", Some("Devices.iotda.localhost")).unwrap();
    assert_eq!(found.to_string(), "https://devices.iotda.localhost:8443");
    for host in [
        "",
        "iotda.localhost",
        "a.b.iotda.localhost",
        "a.iotda.localhost:8443",
        "a.evil.example",
        "{instance}",
    ] {
        assert_eq!(own.iotda("local", Some(host)).unwrap_err().reason, Reason::SpecInvalid, "{host}");
    }
    let none = custom(None, HuaweiSigning::Auto);
    assert_eq!(
        none.iotda("local", Some("a.iotda.localhost")).unwrap_err().reason,
        Reason::EndpointMisconfigured
    );
}

#[test]
fn the_scheme_follows_from_the_host() {
    let vectors: Value =
        serde_json::from_str(include_str!("../../../tests/data/huawei/signing-vectors.json")).unwrap();
    let hosts = vectors["derivedPredicate"].as_array().unwrap();
    assert_eq!(hosts.len(), 13);
    for it in hosts {
        let (host, region) = (it["host"].as_str().unwrap(), it["region"].as_str().unwrap());
        let endpoint = Endpoint::parse(&format!("https://{host}")).unwrap();
        let derived = it["terraformRuleSaysDerived"].as_bool().unwrap();
        assert_eq!(Hosts::Public.scheme(&endpoint, region) == Scheme::Derived { region }, derived, "{host}");
    }
    let own = Endpoint::parse("https://a.iotda.localhost").unwrap();
    for (signing, scheme) in [
        (HuaweiSigning::Auto, Scheme::Basic),
        (HuaweiSigning::Basic, Scheme::Basic),
        (HuaweiSigning::Derived, Scheme::Derived { region: "r" }),
    ] {
        assert_eq!(custom(None, signing).scheme(&own, "r"), scheme);
    }
}
