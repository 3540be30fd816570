//! The command line: one file for each command.

mod app;
mod arguments;
mod audit;
mod backup;
mod data_keys;
mod dead_letter;
mod departure;
mod doctor;
mod endpoint;
mod erase;
mod feed;
mod graph_sim;
mod health;
mod hold;
mod key;
mod migrate;
mod number;
mod opt_out;
mod output;
mod restore;
mod secrets;
mod serve;
mod signup;
mod tenant;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::logging::Logging;
use crate::config::{Config, Environment, variables};
use crate::{memory, telemetry};
use serve::Parts;

/// The open, self-hosted, multi-tenant gateway for the WhatsApp Business Cloud API.
#[derive(Debug, Parser)]
#[command(name = "dakghar", version, propagate_version = true, max_term_width = 100, after_long_help = AFTER_HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Settings are environment variables, or lines in .env; .env.example explains every one.
With none of them set, `dakghar serve` keeps everything in ./data and listens on localhost only.

Exit status: 0 success; 1 the command failed (standard error says why); 64 wrong usage or settings;
130 ended by a second signal.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve everything in one process: the HTTP API, Meta's webhook and the send worker
    ///
    /// Uses an embedded SQLite file in DATA_DIR, or MongoDB and Redis when MONGO_URI is set. The first SIGTERM or
    /// SIGINT finishes what is under way within 10 seconds; a second one ends at once. Nothing is lost either way.
    Serve(serve::Args),
    /// Serve the HTTP API and Meta's webhook only (needs MONGO_URI)
    Api(serve::Args),
    /// Send messages, run the timers and deliver callbacks only (needs MONGO_URI)
    Worker(serve::WorkerArgs),
    /// Run a simulated Meta: the Graph API's messages endpoint, signed webhooks, faults by rule
    GraphSim(graph_sim::Args),
    Health(health::Args),
    /// Check settings, store, queue, keys, Graph version and clock, and say how to mend what is wrong
    Doctor(doctor::Args),
    /// Register, list, show, pause, resume and remove tenants
    #[command(subcommand)]
    Tenant(tenant::Command),
    /// Ask Meta about the numbers of tenants
    #[command(subcommand, after_long_help = number::AFTER_HELP)]
    Number(number::Command),
    /// Add, list and remove apps at Meta beside the one of the settings, and give them new secrets
    #[command(subcommand)]
    App(app::Command),
    /// Make, list, show, change, pause, resume and delete the endpoints of tenants, and give them new secrets
    #[command(subcommand, after_long_help = endpoint::AFTER_HELP)]
    Endpoint(endpoint::Command),
    /// Make, list, rotate and revoke the API keys of tenants
    #[command(subcommand, after_long_help = key::AFTER_HELP)]
    Key(key::Command),
    /// Tell under which keys data keys are wrapped, and move them to another one
    #[command(subcommand, after_long_help = secrets::AFTER_HELP)]
    Secrets(secrets::Command),
    /// Erase a person from what a tenant keeps, and list such erasures
    #[command(subcommand, after_long_help = erase::AFTER_HELP)]
    Erase(erase::Command),
    /// Note who wants no messages, and list them
    #[command(subcommand)]
    OptOut(opt_out::Command),
    /// List and show the signups of tenants, and let them go on
    #[command(subcommand, after_long_help = signup::AFTER_HELP)]
    Signup(signup::Command),
    /// List and show the departures of tenants, let them go on, and call them off
    #[command(subcommand, after_long_help = departure::AFTER_HELP)]
    Departure(departure::Command),
    /// Tell who changed what and who read what people wrote, export that, and check that nothing of it was changed
    #[command(subcommand)]
    Audit(audit::Command),
    /// List messages that were given up, and send them again
    #[command(subcommand)]
    DeadLetter(dead_letter::Command),
    /// Hold all sending of the installation, and tell what would be sent
    ///
    /// It holds every process, also after a restart, until `dakghar release`. Messages are accepted and webhooks received
    /// as ever. A running server notices within a second.
    Hold(hold::Args),
    /// Send again after `dakghar hold` or `--hold`, and tell what is sent now
    Release,
    /// Show the feed of a tenant as it grows; tell what has no place yet, and try again what could not be placed
    #[command(subcommand)]
    Feed(feed::Command),
    Backup(backup::Args),
    Restore(restore::Args),
    Migrate(migrate::Args),
    /// Print every setting with its default and what it means, in the form of a .env file
    EnvExample,
    /// Print the completion script of a shell
    ///
    /// For example: dakghar completions bash > /etc/bash_completion.d/dakghar
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
}

/// Runs the command that the process was started with.
pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let is_help = !error.use_stderr();
            let _ = error.print();
            return if is_help {
                ExitCode::SUCCESS
            } else {
                ExitCode::from(output::EXIT_USAGE)
            };
        }
    };
    match cli.command {
        Command::Completions { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "dakghar", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::EnvExample => {
            output::line(variables::env_example().trim_end());
            ExitCode::SUCCESS
        }
        Command::GraphSim(args) => with_environment(|_| finish(in_runtime(graph_sim::run(&args)))),
        Command::Health(args) => with_environment(|environment| in_runtime(health::run(environment, args))),
        Command::Doctor(args) => with_environment(|environment| in_runtime(doctor::run(environment, &args))),
        Command::Migrate(args) => with_environment(|environment| in_runtime(migrate::run(environment, &args))),
        Command::Serve(args) => with_config(|config| serve::run(config, Parts::WHOLE, args)),
        Command::Api(args) => with_config(|config| serve::run(config, Parts::API, args)),
        Command::Worker(args) => with_config(|config| serve::run(config, Parts::worker(args.only), args.args)),
        Command::Hold(args) => with_config(|config| hold::hold(config, args)),
        Command::Release => with_config(hold::release),
        Command::Backup(args) => with_config(async |config| backup::run(&config, &args)),
        Command::Restore(args) => with_config(async |config| restore::run(&config, &args)),
        Command::Tenant(command) => with_config(|config| tenant::run(config, command)),
        Command::Number(command) => with_config(|config| number::run(config, command)),
        Command::App(command) => with_config(|config| app::run(config, command)),
        Command::Key(command) => with_config(|config| key::run(config, command)),
        Command::Secrets(command) => with_config(|config| secrets::run(config, command)),
        Command::Erase(command) => with_config(|config| erase::run(config, command)),
        Command::OptOut(command) => with_config(|config| opt_out::run(config, command)),
        Command::Signup(command) => with_config(|config| signup::run(config, command)),
        Command::Departure(command) => with_config(|config| departure::run(config, command)),
        Command::Audit(command) => with_config(|config| audit::run(config, command)),
        Command::Endpoint(command) => with_config(|config| endpoint::run(config, command)),
        Command::Feed(command) => with_environment(|environment| {
            let colour = output::Colour::of(environment.forbids_colour());
            with_config_of(environment, |config| feed::run(config, command, colour))
        }),
        Command::DeadLetter(command) => with_config(|config| dead_letter::run(config, command)),
    }
}

/// Runs a command that needs the settings as text, and judges them by itself or not at all. Logging is started for it.
fn with_environment(command: impl FnOnce(&Environment) -> ExitCode) -> ExitCode {
    let environment = match Environment::of_process() {
        Ok(environment) => environment,
        Err(problem) => return output::usage_error(&[problem]),
    };
    match Logging::read(&environment) {
        Ok(logging) => telemetry::start(logging),
        Err(problem) => return output::usage_error(&[problem]),
    }
    if let Err(error) = memory::keep_private() {
        tracing::warn!(%error, "the memory of this process may be dumped, with what is secret in it");
    }
    command(&environment)
}

/// Runs a command that needs settings without any problem.
fn with_config<F>(command: impl FnOnce(Config) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    with_environment(|environment| with_config_of(environment, command))
}

fn with_config_of<F>(environment: &Environment, command: impl FnOnce(Config) -> F) -> ExitCode
where
    F: Future<Output = anyhow::Result<()>>,
{
    match Config::load(environment) {
        Ok(config) => finish(in_runtime(command(config))),
        Err(problems) => output::usage_error(&problems),
    }
}

fn in_runtime<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the runtime starts");
    let result = runtime.block_on(future);
    // Everything that matters has ended by now. Tearing down the rest task by task would only make drivers complain
    // about each other's absence in the last log lines; the process is about to end.
    std::mem::forget(runtime);
    result
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::error(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
