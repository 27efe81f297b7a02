//! The kubectl plugin's program: one TLS provider for everything, then the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // An error means that a provider is installed already, and there is none but this one in the program.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    certferry::cli::kubectl::main()
}
