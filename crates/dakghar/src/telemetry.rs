//! Log lines: readable text on a terminal, JSON elsewhere.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::config::Environment;
use crate::config::variables as var;

/// Starts logging to standard error. Answers what is wrong with the settings.
pub fn start(environment: &Environment) -> Result<(), String> {
    let level = environment.get(&var::LOG_LEVEL)?.unwrap_or_default();
    let filter = EnvFilter::try_new(&level).map_err(|error| format!("LOG_LEVEL: {error}"))?;
    let is_json = match environment.get(&var::LOG_FORMAT)?.as_deref() {
        Some("json") => true,
        Some("text") => false,
        _ => !stderr().is_terminal(),
    };
    let registry = tracing_subscriber::registry().with(filter);
    if is_json {
        registry
            .with(fmt::layer().json().flatten_event(true).with_writer(stderr))
            .init();
    } else {
        let layer = fmt::layer()
            .with_ansi(stderr().is_terminal())
            .with_target(false)
            .with_writer(stderr);
        registry.with(layer).init();
    }
    Ok(())
}
