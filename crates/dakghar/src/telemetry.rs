//! Log lines: readable text on a terminal, JSON elsewhere.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::fmt;
use tracing_subscriber::prelude::*;

use crate::config::logging::{Format, Logging};

/// Starts logging to standard error.
pub fn start(Logging { filter, format }: Logging) {
    let is_json = match format {
        Format::Json => true,
        Format::Text => false,
        Format::Auto => !stderr().is_terminal(),
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
}
