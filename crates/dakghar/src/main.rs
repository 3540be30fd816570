//! The open, self-hosted, multi-tenant gateway for the WhatsApp Business Cloud API.

mod banner;
mod cli;
mod config;
mod https;
mod lifecycle;
mod memory;
mod secrets;
mod telemetry;
mod wiring;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // With more than one TLS provider in the build, rustls would refuse to choose by itself.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    cli::run()
}
