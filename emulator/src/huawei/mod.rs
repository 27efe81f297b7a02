//! Huawei Cloud: IAM with its token endpoints, and IoTDA's CA certificates, both behind a gateway that finds out who
//! calls. Source: the sheet `huawei-iotda` and the two descriptions beside it. There are no observed answers of the
//! live service: what nobody confirmed is a switch, or says so where it stands.

pub(crate) mod account;
mod canonical;
mod gateway;
pub(crate) mod iam;
pub(crate) mod iotda;
mod signature;
#[cfg(test)]
mod vectors;
