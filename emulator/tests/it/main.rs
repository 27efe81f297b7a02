//! The emulator as others see it: the real binary over real HTTPS, asked by a client that shares no code with it.

mod api_management;
mod certificates;
mod certs;
mod client;
mod contract;
mod control;
mod faults;
mod federation;
mod front_door;
mod huawei;
mod imds;
mod iot_hub;
mod issuer;
mod journal;
mod key_vault;
mod openapi;
mod signatures;
mod switches;
mod throttle;
mod tokens;
mod vendor;
