//! The settings of traces, under the names that OpenTelemetry gives them.

use std::time::Duration;

use dakghar_core::domain::Secret;
use dakghar_core::traces::Sampler;

use super::reader::Reader;
use super::variable::{Kind, Variable, table};

table! {
    "Traces" {
        OTEL_EXPORTER_OTLP_ENDPOINT: Kind::Text, "", "The collector that traces go to, such as http://127.0.0.1:4318; /v1/traces is put behind it. Without it there are none.";
        OTEL_EXPORTER_OTLP_HEADERS: Kind::Secret, "", "Headers for the collector, as name=value with commas between; a value may be percent-encoded.";
        OTEL_EXPORTER_OTLP_PROTOCOL: Kind::OneOf(&["http/protobuf"]), "http/protobuf", "How the collector is spoken to.";
        OTEL_EXPORTER_OTLP_TIMEOUT: Kind::Integer { min: 100, max: 60_000 }, "10000", "The longest that a post to the collector may take, in milliseconds. No message waits for it.";
        OTEL_SERVICE_NAME: Kind::Text, "dakghar", "The name of this service in traces.";
        OTEL_TRACES_SAMPLER: Kind::OneOf(&["always_on", "always_off", "traceidratio", "parentbased_always_on", "parentbased_always_off", "parentbased_traceidratio"]), "parentbased_always_on", "Which traces are exported; with parentbased_ the decision of a client that sends traceparent counts. What ends in an error is exported in any case.";
        OTEL_TRACES_SAMPLER_ARG: Kind::Text, "1.0", "The part of the traces that traceidratio exports, from 0 to 1.";
    }
}

/// Where traces go.
#[derive(Clone, Debug)]
pub struct Traces {
    /// The URL that spans are posted to.
    pub url: String,
    /// Headers for the collector.
    pub headers: Vec<(String, Secret)>,
    /// The time that a post may take.
    pub timeout: Duration,
    /// The name of this service.
    pub service_name: String,
    /// Which traces are exported.
    pub sampler: Sampler,
}

impl Traces {
    /// Reads the section; `None` if there are no traces.
    pub(super) fn read(reader: &mut Reader<'_>) -> Option<Self> {
        let endpoint = reader.text(&OTEL_EXPORTER_OTLP_ENDPOINT)?;
        let is_url = ["http://", "https://"]
            .iter()
            .any(|scheme| endpoint.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        if !is_url || endpoint.contains(['?', '#', '@']) {
            reader.problem("OTEL_EXPORTER_OTLP_ENDPOINT must be a URL such as http://127.0.0.1:4318");
        }
        // A setting of the platform that asks for another protocol must not go unnoticed.
        let _ = reader.text(&OTEL_EXPORTER_OTLP_PROTOCOL);
        Some(Self {
            url: format!("{}/v1/traces", endpoint.trim_end_matches('/')),
            headers: read_headers(reader),
            timeout: reader.millis(&OTEL_EXPORTER_OTLP_TIMEOUT),
            service_name: reader.text(&OTEL_SERVICE_NAME).unwrap_or_default(),
            sampler: read_sampler(reader),
        })
    }
}

fn read_sampler(reader: &mut Reader<'_>) -> Sampler {
    let name = reader.text(&OTEL_TRACES_SAMPLER).unwrap_or_default();
    let rule = name.strip_prefix("parentbased_");
    let ratio = match rule.unwrap_or(&name) {
        "always_off" => 0.0,
        "traceidratio" => read_ratio(reader),
        _ => 1.0,
    };
    Sampler {
        follows_parent: rule.is_some(),
        ratio,
    }
}

fn read_ratio(reader: &mut Reader<'_>) -> f64 {
    let text = reader.text(&OTEL_TRACES_SAMPLER_ARG).unwrap_or_default();
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.unwrap_or_else(|| {
        reader.problem("OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1");
        0.0
    })
}

fn read_headers(reader: &mut Reader<'_>) -> Vec<(String, Secret)> {
    let Some(text) = reader.secret(&OTEL_EXPORTER_OTLP_HEADERS) else {
        return Vec::new();
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let name = name.trim();
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        let value = decoded(value.trim())?;
        let is_header =
            !name.is_empty() && name.bytes().all(is_token) && value.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        is_header.then(|| (name.to_ascii_lowercase(), Secret::new(value)))
    };
    let pairs: Option<Vec<_>> = text.reveal().split(',').map(pair).collect();
    pairs.unwrap_or_else(|| {
        reader.problem("OTEL_EXPORTER_OTLP_HEADERS must be name=value with commas between");
        Vec::new()
    })
}

/// Reads percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut decoded = [0];
        hex::decode_to_slice([rest.next()?, rest.next()?], &mut decoded).ok()?;
        bytes.extend(decoded);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Environment};

    const COLLECTOR: (&str, &str) = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318/");

    fn read<const N: usize>(values: [(&str, &str); N]) -> Result<Traces, Vec<String>> {
        let environment = Environment::of([COLLECTOR].into_iter().chain(values));
        Config::load(&environment).map(|config| config.traces.expect("traces"))
    }

    #[test]
    fn without_a_collector_there_are_none() {
        let config = Config::load(&Environment::of([("OTEL_TRACES_SAMPLER", "always_on")])).expect("valid");
        assert!(config.traces.is_none());
    }

    #[test]
    fn the_settings_mean_what_opentelemetry_says() {
        let traces = read([]).expect("valid");
        assert_eq!(traces.url, "http://127.0.0.1:4318/v1/traces");
        assert_eq!(
            (traces.service_name.as_str(), traces.timeout),
            ("dakghar", Duration::from_secs(10))
        );
        for (name, argument, follows_parent, ratio) in [
            ("always_on", "0.5", false, 1.0),
            ("always_off", "0.5", false, 0.0),
            ("traceidratio", "0.5", false, 0.5),
            ("parentbased_always_off", "0.5", true, 0.0),
            ("parentbased_traceidratio", "0.25", true, 0.25),
        ] {
            let traces = read([("OTEL_TRACES_SAMPLER", name), ("OTEL_TRACES_SAMPLER_ARG", argument)]).expect("valid");
            assert_eq!(traces.sampler, Sampler { follows_parent, ratio }, "{name}");
        }
        let headers = read([("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%3Db%20c, x=1")])
            .expect("valid")
            .headers;
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.reveal()))
            .collect();
        assert_eq!(headers, [("api-key", "a=b c"), ("x", "1")]);
    }

    #[test]
    fn what_cannot_be_meant_names_its_setting() {
        for (name, value) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://user:key@collector"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "no header"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x=%0a"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x=%4"),
            ("OTEL_TRACES_SAMPLER", "sometimes"),
        ] {
            let found = read([(name, value)]).expect_err(value);
            assert!(found.len() == 1 && found[0].starts_with(name), "{value}: {found:?}");
        }
        let ratio = ("OTEL_TRACES_SAMPLER", "traceidratio");
        for value in ["1.5", "-1", "NaN", "half"] {
            let found = read([ratio, ("OTEL_TRACES_SAMPLER_ARG", value)]).expect_err(value);
            assert!(found[0].starts_with("OTEL_TRACES_SAMPLER_ARG"), "{found:?}");
        }
    }
}
