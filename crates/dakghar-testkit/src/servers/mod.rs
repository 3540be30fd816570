//! Real servers for tests: each a child process of its own, on a free port, with its data in a temporary folder.
//!
//! [`Mongo::start`] and [`Redis::start`] give a test a server to kill and stop. [`Mongo::shared`] and
//! [`Redis::shared`] give it a database of its own on a server that all tests of a run share, which is what most
//! tests want: starting a replica set takes a second, a database takes nothing. No server outlives the run, however
//! the run ends.
//!
//! `scripts/install-services.sh` installs the servers. A test that needs them says so first, with
//! [`require_services!`](crate::require_services): where they are missing it is skipped, but never in CI.

mod mongo;
mod mongo_wire;
mod moto;
mod openbao;
mod process;
mod prometheus;
mod redis;
mod redis_cluster;
mod redis_tls;
mod shared;

use std::path::{Path, PathBuf};

pub use mongo::{Mongo, MongoSet, SharedMongo, direct_uri};
pub use moto::Moto;
pub use openbao::OpenBao;
pub use prometheus::Prometheus;
pub use redis::{Redis, SharedRedis};
pub use redis_cluster::RedisCluster;
pub use redis_tls::TlsRedis;

/// A server that tests can start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// `mongod`.
    Mongo,
    /// `redis-server`.
    Redis,
    /// `prometheus`.
    Prometheus,
    /// `bao`.
    OpenBao,
    /// `moto_server`.
    Moto,
}

impl Server {
    const fn program(self) -> &'static str {
        match self {
            Self::Mongo => "mongod",
            Self::Redis => "redis-server",
            Self::Prometheus => "prometheus",
            Self::OpenBao => "bao",
            Self::Moto => "moto_server",
        }
    }

    /// Where the program is: in `.services/bin` of the checkout, or on the `PATH`.
    fn find(self) -> Option<PathBuf> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.services/bin");
        let path = variable("PATH").unwrap_or_default();
        std::iter::once(own)
            .chain(std::env::split_paths(&path))
            .map(|folder| folder.join(self.program()))
            .find(|program| program.is_file())
    }
}

/// Whether all of these servers are installed. Where one is missing, says so as [`skip_without`] does.
pub fn are_installed(servers: &[Server]) -> bool {
    let missing = servers.iter().find(|server| server.find().is_none());
    if let Some(missing) = missing {
        skip_without(missing.program());
    }
    missing.is_none()
}

/// Says that a test is skipped because `what` is not there: with `CI=true` in the environment by a panic, so that
/// nothing is skipped unnoticed, otherwise in the output of the test.
#[expect(clippy::print_stderr, reason = "the runner shows what a test prints")]
pub fn skip_without(what: &str) {
    assert!(
        variable("CI").is_none_or(|ci| ci != "true"),
        "{what} is missing: run scripts/install-services.sh"
    );
    eprintln!("skipped: {what} is missing, run scripts/install-services.sh");
}

#[expect(
    clippy::disallowed_methods,
    reason = "these variables come from the test runner and the system"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Leaves the test, as passed, when one of the named servers is not installed: `require_services!(Mongo, Redis);`.
/// In CI it fails instead.
#[macro_export]
macro_rules! require_services {
    ($($server:ident),+ $(,)?) => {
        if !$crate::servers::are_installed(&[$($crate::servers::Server::$server),+]) {
            return;
        }
    };
}
