//! The settings of callbacks: where they may go, and how long they may take.

use std::net::SocketAddr;
use std::time::Duration;

use dakghar_core::domain::callback_url::{CallbackRules, host_of};

use super::reader::Reader;
use super::server::{MetricsAddr, Server, read_networks};
use super::variable::{Kind, Variable, table};

table! {
    "Callbacks" {
        CALLBACK_ALLOW_CIDRS: Kind::Text, "", "Networks that callbacks may go to although they are not public, as addresses or networks (CIDR) with commas between. In development callbacks may go to this machine without it.";
        CALLBACK_PORTS: Kind::Text, "443,8443", "The ports that callbacks may go to, with commas between. Where http is allowed 80 is one of them; in development this machine may be called on every port.";
        CALLBACK_ALLOW_HTTP: Kind::OneOf(&["yes", "no"]), "", "Whether callbacks may go over http, where everybody on the way can read them. Default: yes in development, no in production.";
        CALLBACK_TIMEOUT_MS: Kind::Integer { min: 100, max: 60_000 }, "15000", "The longest a callback may take, in milliseconds, from looking up the name to the end of the answer.";
        CALLBACK_CA_FILE: Kind::Text, "", "A file with certificate authorities, in PEM, that the certificates of receivers may be signed by besides those that this machine believes.";
    }
}

/// Where callbacks may go, and how long they may take.
#[derive(Clone, Debug)]
pub struct Callbacks {
    /// Where they may go.
    pub rules: CallbackRules,
    /// The longest that one may take.
    pub timeout: Duration,
    /// Certificate authorities in PEM, besides those of this machine.
    pub authorities_pem: Option<Vec<u8>>,
}

impl Callbacks {
    /// Reads the section. This installation may not be called where `server` listens, nor under its public URL.
    pub(super) fn read(reader: &mut Reader<'_>, server: &Server) -> Self {
        let allows_http = reader.text(&CALLBACK_ALLOW_HTTP).map(|word| word == "yes");
        let metrics = match server.metrics {
            MetricsAddr::Off => None,
            MetricsAddr::Default(addr) | MetricsAddr::Chosen(addr) => Some(addr),
        };
        let own = SocketAddr::new(server.bind_addr, server.port);
        Self {
            rules: CallbackRules {
                allows_http: allows_http.unwrap_or(!server.is_production),
                allows_loopback: !server.is_production,
                ports: read_ports(reader),
                allowed_networks: read_networks(reader, &CALLBACK_ALLOW_CIDRS),
                own_hosts: server.public_url.as_deref().and_then(host_of).into_iter().collect(),
                own_sockets: metrics.into_iter().chain([own]).collect(),
            },
            timeout: reader.millis(&CALLBACK_TIMEOUT_MS),
            authorities_pem: read_authorities(reader),
        }
    }

    /// Adds the warnings for the operator.
    pub(super) fn warn(&self, is_production: bool, warnings: &mut Vec<String>) {
        if is_production && self.rules.allows_http {
            warnings.push("CALLBACK_ALLOW_HTTP is yes: callbacks may travel in clear text.".into());
        }
    }
}

fn read_ports(reader: &mut Reader<'_>) -> Vec<u16> {
    let text = reader.text(&CALLBACK_PORTS).unwrap_or_default();
    let parse = |part: &str| part.trim().parse::<u16>().ok().filter(|port| *port > 0);
    text.split(',').map(parse).collect::<Option<_>>().unwrap_or_else(|| {
        reader.problem("CALLBACK_PORTS must be ports with commas between, such as 443,8443");
        Vec::new()
    })
}

fn read_authorities(reader: &mut Reader<'_>) -> Option<Vec<u8>> {
    let path = reader.text(&CALLBACK_CA_FILE)?;
    match std::fs::read(&path) {
        Ok(pem) => Some(pem),
        Err(error) => {
            reader.problem(format!("CALLBACK_CA_FILE: {path}: {error}"));
            None
        }
    }
}
