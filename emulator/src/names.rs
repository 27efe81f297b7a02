//! Which hosts the services answer on, and the line that tells a program where they are.

use std::path::PathBuf;

use serde::Serialize;

use crate::clouds::CLOUDS;

/// What is printed when the emulator is ready.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Ready {
    /// Path of the CA certificate (PEM) that signed the server's certificate.
    pub ca: PathBuf,
    /// Entra's token endpoint.
    pub login: String,
    /// Azure Resource Manager.
    pub arm: String,
    /// Managed identity tokens.
    pub imds: String,
    /// Key Vault, a template with `{vault}`.
    pub vault: String,
    /// Huawei Cloud IAM.
    pub iam: String,
    /// Huawei Cloud's security token service.
    pub sts: String,
    /// What a pod on Huawei Cloud is told to ask for its keys.
    pub pod_identity: String,
    /// Huawei Cloud IoTDA, a template with `{instance}`.
    pub iotda: String,
    /// The host that instances of the basic edition share.
    pub iotda_basic: String,
    /// The emulator's own control endpoint.
    pub control: String,
}

/// The domain and port of this run.
#[derive(Debug, Clone)]
pub(crate) struct Names {
    pub(crate) domain: String,
    pub(crate) port: u16,
}

impl Names {
    pub(crate) fn base(&self, service: &str) -> String {
        format!("https://{service}.{}:{}", self.domain, self.port)
    }

    /// Whether `host` (lower case, without port) is `{service}.DOMAIN`.
    pub(crate) fn is(&self, host: &str, service: &str) -> bool {
        host.strip_prefix(service).and_then(|rest| rest.strip_prefix('.')) == Some(self.domain.as_str())
    }

    pub(crate) fn ready(&self, ca: PathBuf) -> Ready {
        Ready {
            ca,
            login: self.base("login"),
            arm: self.base("arm"),
            imds: self.base("imds"),
            vault: self.base("{vault}.vault"),
            iam: self.base("iam"),
            sts: self.base("sts"),
            pod_identity: format!("{}/v1/credentials", self.base("pod-identity")),
            iotda: self.base("{instance}.iotda"),
            iotda_basic: self.base("iotda"),
            control: format!("{}/_emulator", self.base("control")),
        }
    }

    /// Every DNS name that the server's certificate covers: the emulator's own, and the services' real ones for
    /// clients that reach it by a hosts file.
    pub(crate) fn certified(&self) -> Vec<String> {
        let domain = &self.domain;
        let own =
            ["login", "arm", "imds", "iam", "sts", "pod-identity", "iotda", "control", "*.vault", "*.iotda"];
        let mut all: Vec<String> = own.iter().map(|service| format!("{service}.{domain}")).collect();
        all.push(domain.clone());
        all.push("localhost".to_owned());
        for cloud in CLOUDS {
            all.push(cloud.arm_host.to_owned());
            all.extend(cloud.login_hosts.iter().map(|host| (*host).to_owned()));
            all.push(format!("*.{}", cloud.vault_suffix));
        }
        all.push("*.myhuaweicloud.com".to_owned());
        for region in ["cn-north-4", "cn-east-3", "cn-south-1", "ap-southeast-1", "ap-southeast-3"] {
            all.push(format!("*.{region}.myhuaweicloud.com"));
            all.push(format!("*.iotda-app.{region}.myhuaweicloud.com"));
            all.push(format!("*.st1.iotda-app.{region}.myhuaweicloud.com"));
        }
        all.sort();
        all.dedup();
        all
    }
}

#[cfg(test)]
mod tests {
    use super::Names;

    #[test]
    fn a_service_is_told_by_its_whole_host() {
        let names = Names { domain: "localhost".into(), port: 1 };
        assert!(names.is("arm.localhost", "arm"));
        assert!(!names.is("xarm.localhost", "arm"));
        assert!(!names.is("arm.localhost.example", "arm"));
        assert!(!names.is("armlocalhost", "arm"));
    }
}
