//! What must hold of every parser that takes outside bytes, whatever the bytes are. Each body takes one input and panics
//! where a claim fails.
//!
//! libFuzzer calls the bodies from the folder `fuzz`; an ordinary test calls them with every input that is stored there
//! and with mutations of these.
//!
//! - [`pki`]: certificates, keys, proofs, codes.
//! - [`wire`]: endpoints, planned calls, `Retry-After`.
//! - [`azure`]: what a hub, Resource Manager and the token endpoint answer.
//! - [`api_management`]: what an API Management service answers.
//! - [`huawei`]: what IoTDA, its gateway and IAM answer.
//! - [`iotda`]: what an IoTDA instance answers.
//! - [`key_vault`]: what a vault answers and hands out.
//! - [`manifest`]: resources as the API server hands them over.

#![forbid(unsafe_code)]

pub mod api_management;
pub mod azure;
mod cloud;
pub mod huawei;
mod hub;
pub mod iotda;
pub mod key_vault;
pub mod manifest;
pub mod pki;
mod plain;
pub mod wire;

/// A body, and the name of its corpus and of its fuzz target.
pub struct Target {
    pub name: &'static str,
    pub body: fn(&[u8]),
}

/// Every body.
pub const TARGETS: [Target; 19] = [
    Target { name: "pem", body: pki::pem },
    Target { name: "certificate", body: pki::certificate },
    Target { name: "private_key", body: pki::private_key },
    Target { name: "proof", body: pki::proof },
    Target { name: "verification_code", body: pki::verification_code },
    Target { name: "retry_after", body: wire::retry_after },
    Target { name: "endpoint", body: wire::endpoint },
    Target { name: "call", body: wire::call },
    Target { name: "azure_error", body: azure::error },
    Target { name: "azure_token", body: azure::token },
    Target { name: "iot_hub", body: azure::iot_hub },
    Target { name: "key_vault", body: key_vault::bundle },
    Target { name: "pkcs12", body: key_vault::pkcs12 },
    Target { name: "signing_request", body: key_vault::signing_request },
    Target { name: "api_management", body: api_management::contract },
    Target { name: "huawei_error", body: huawei::error },
    Target { name: "huawei_members", body: huawei::members },
    Target { name: "iotda", body: iotda::contract },
    Target { name: "manifest", body: manifest::manifest },
];
