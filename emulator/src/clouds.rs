//! The Azure clouds' real hosts and token audiences, as one table (`azure-common`, section "Clouds").

/// One cloud. Audiences are compared without trailing slashes.
pub(crate) struct Cloud {
    pub(crate) arm_host: &'static str,
    pub(crate) login_hosts: &'static [&'static str],
    /// What a token for ARM may name: the endpoint, and the older audience that Azure CLI asks for.
    pub(crate) arm_audiences: &'static [&'static str],
    pub(crate) vault_suffix: &'static str,
    pub(crate) vault_audience: &'static str,
    /// Nothing is emulated there; clients want to know it all the same.
    pub(crate) storage_suffix: &'static str,
}

pub(crate) const CLOUDS: &[Cloud] = &[
    Cloud {
        arm_host: "management.azure.com",
        login_hosts: &[
            "login.microsoftonline.com",
            "login.windows.net",
            "login.microsoft.com",
            "sts.windows.net",
        ],
        arm_audiences: &["https://management.azure.com", "https://management.core.windows.net"],
        vault_suffix: "vault.azure.net",
        vault_audience: "https://vault.azure.net",
        storage_suffix: "core.windows.net",
    },
    Cloud {
        arm_host: "management.usgovcloudapi.net",
        login_hosts: &["login.microsoftonline.us"],
        arm_audiences: &["https://management.usgovcloudapi.net", "https://management.core.usgovcloudapi.net"],
        vault_suffix: "vault.usgovcloudapi.net",
        vault_audience: "https://vault.usgovcloudapi.net",
        storage_suffix: "core.usgovcloudapi.net",
    },
    Cloud {
        arm_host: "management.chinacloudapi.cn",
        login_hosts: &["login.chinacloudapi.cn", "login.partner.microsoftonline.cn"],
        arm_audiences: &["https://management.chinacloudapi.cn", "https://management.core.chinacloudapi.cn"],
        vault_suffix: "vault.azure.cn",
        vault_audience: "https://vault.azure.cn",
        storage_suffix: "core.chinacloudapi.cn",
    },
];

/// The clouds that a real host name leaves in question: its own, or all of them for the emulator's own hosts.
pub(crate) fn of_host(host: &str) -> impl Iterator<Item = &'static Cloud> {
    let named = CLOUDS.iter().find(|cloud| cloud.arm_host == host || cloud.login_hosts.contains(&host));
    CLOUDS.iter().filter(move |cloud| named.is_none_or(|named| std::ptr::eq(*cloud, named)))
}

pub(crate) fn is_arm_audience(host: &str, audience: &str) -> bool {
    let audience = audience.trim_end_matches('/');
    of_host(host).any(|cloud| cloud.arm_audiences.contains(&audience))
}

pub(crate) fn is_vault_audience(host: &str, audience: &str) -> bool {
    let audience = audience.trim_end_matches('/');
    of_host(host).any(|cloud| cloud.vault_audience == audience)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_host_takes_its_own_clouds_audiences_only() {
        assert!(is_arm_audience("arm.localhost", "https://management.usgovcloudapi.net"));
        assert!(is_arm_audience("management.azure.com", "https://management.core.windows.net/"));
        assert!(!is_arm_audience("management.azure.com", "https://management.usgovcloudapi.net"));
        assert!(!is_arm_audience("arm.localhost", "https://vault.azure.net"));
        assert!(is_vault_audience("login.microsoftonline.com", "https://vault.azure.net"));
    }
}
