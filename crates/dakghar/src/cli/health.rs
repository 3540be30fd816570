//! `dakghar health`: asks the running process about its health, and ends with the answer.

use std::process::ExitCode;
use std::time::Duration;

use dakghar_server::http::HealthProbe;

use super::output;
use crate::config::{Environment, HealthAddr, health_addr};

/// Ask the running process whether it is alive, as the health check of a container does
///
/// Asks the address that the settings name, on this machine. Ends with 0 if the process is well; else with 1, and one line
/// on standard error that says why. A worker whose PORT was taken has another one, which its log names; give it a PORT of its
/// own if it is to be asked.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Args {
    /// Ask whether it can work, not only whether it is alive
    #[arg(long)]
    ready: bool,
    /// The longest wait for the answer, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
}

/// Runs the command. It needs no secret setting.
pub async fn run(environment: &Environment, args: Args) -> ExitCode {
    let HealthAddr { addr, tls } = match health_addr(environment) {
        Ok(addr) => addr,
        Err(problems) => return output::usage_error(&problems),
    };
    let probe = HealthProbe {
        addr,
        tls,
        ready: args.ready,
        timeout: Duration::from_secs(args.timeout),
    };
    match probe.ask().await {
        Ok(()) => {
            let state = if args.ready { "ready" } else { "alive" };
            output::line(&format!("{state}: {} answers 200", probe.url()));
            ExitCode::SUCCESS
        }
        Err(why) => {
            output::error(&why);
            ExitCode::FAILURE
        }
    }
}
