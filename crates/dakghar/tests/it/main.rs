//! The whole product: the real program over HTTP, on both backends.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::needless_pass_by_value,
    clippy::semicolon_if_nothing_returned,
    clippy::too_many_lines,
    reason = "a test may fail where it stands and says why, has its own clock, tasks and switches, and reads from top \
              to bottom"
)]

mod product;
mod programs;
mod promises;

mod apps;
mod audit;
mod auto_redrives;
mod autoscale;
mod backup;
mod callbacks;
mod chaos;
mod cli;
mod clocks;
mod coexistence;
mod data_keys;
mod dead_letters;
mod departures;
mod dependencies;
mod disk;
mod endpoints;
mod erasures;
mod examples;
mod failover;
mod fairness;
mod faulty_disk;
mod feed;
mod graph_face;
mod health;
mod hold;
mod https;
mod inbound;
mod inputs;
mod installation;
mod interop;
mod keys;
mod kms;
mod levels;
mod limits;
mod listening;
mod live;
mod metrics;
mod migrate;
mod moved_numbers;
mod number_checks;
mod onboarding;
mod open_files;
mod opt_outs;
mod outbound;
mod people;
mod private;
mod queue_age;
mod redis_servers;
mod redrives;
mod removals;
mod reports;
mod roles;
mod rotation;
mod secrets;
mod seed;
mod signal;
mod signatures;
mod signup_faults;
mod signup_storm;
mod signups;
mod spool;
mod surroundings;
mod suspend;
mod tenants;
mod tokens;
mod traces;
mod traffic;
mod unconfirmed;
mod unreadable;
mod wrong_keys;
