//! The Helm chart: rendered with both Helms, checked against its schema, and put on a real API server.

mod alerts;
mod argocd;
mod delivery;
mod helm;
mod install;
mod policies;
mod render;
mod server;
mod settings;
mod supply_chain;
mod values;
