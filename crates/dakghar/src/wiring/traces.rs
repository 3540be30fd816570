//! The traces of a server.

use std::sync::Arc;

use anyhow::Context as _;
use dakghar_adapters::otlp::{OtlpConfig, OtlpPoster, otlp};
use dakghar_core::ports::Ports;
use dakghar_core::traces::Traces;

use super::purpose::Purpose;
use crate::config::Config;

/// Sends the traces of these ports to the collector of the settings. Returns what must run for it. A command beside a
/// server has none.
pub(super) fn wire_traces(config: &Config, purpose: Purpose, ports: &mut Ports) -> anyhow::Result<Option<OtlpPoster>> {
    let Some(settings) = config.traces.as_ref().filter(|_| purpose != Purpose::Command) else {
        return Ok(None);
    };
    let otlp_config = OtlpConfig {
        url: settings.url.clone(),
        headers: settings.headers.clone(),
        timeout: settings.timeout,
        resource: vec![
            ("service.name".to_owned(), settings.service_name.clone()),
            ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            (
                "service.instance.id".to_owned(),
                hex::encode(&ports.ids.secret_bytes()[..8]),
            ),
        ],
    };
    let (exporter, poster) = otlp(&otlp_config, ports.metrics.clone()).context("OTEL_EXPORTER_OTLP_ENDPOINT")?;
    let (clock, ids) = (ports.clock.clone(), ports.ids.clone());
    ports.traces = Traces::to(Arc::new(exporter), settings.sampler, clock, ids);
    Ok(Some(poster))
}
