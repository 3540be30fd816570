//! The one table of instruments. A test compares it with what a running process exports, another with `api/metrics.md`,
//! and a third looks for the code that records into each.

use std::collections::HashMap;
use std::fmt;

use prometheus_client::encoding::{EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::{MetricType, TypedMetric};
use prometheus_client::registry::{self, Registry};

use super::audit_labels::AuditClassLabel;
use super::departure_labels::DepartureStepEnd;
use super::erasure_labels::{LetterErased, PersonErased};
use super::exemplars::{Exemplar, bucket_series, with_exemplars};
use super::insert_labels::InsertRepeated;
use super::instruments::{Family, Histogram, Instrument, LabelDescription, Latency, Staged, Wait};
use super::key_labels::{KeyCall, KeyRefused, KeyUsed};
use super::labels::{
    Attempt, Budget, CallbackAttempt, DeadLetter, DoubtEnd, EndpointHealth, Host, IngestGap, Lane, Limit, LiveWay,
    Received, Redriven, SpanDropped, Stage, TlsReload, WebhookKind,
};
use super::number_labels::{NumberChecked, NumberDrift};
use super::row::{PREFIX, Row, Unit};
use super::signup_labels::SignupStepEnd;
use super::store_calls::StoreCall;
use super::tenants::TopTenants;
use super::token_labels::{AllowanceOf, TokenChecked, TokenEnds};

macro_rules! table {
    ($($field:ident: $instrument:ty, $name:literal, $unit:ident, $help:literal;)*) => {
        /// Every instrument. Made once for a process; a clone records into the same places.
        #[derive(Clone, Debug, Default)]
        pub struct Metrics {
            $(#[doc = $help] pub $field: $instrument,)*
            /// The busiest tenants, each by itself, where somebody wants that.
            pub tenants: TopTenants,
        }

        impl Metrics {
            /// The table of instruments.
            pub const TABLE: &'static [Row] = &[$(Row {
                field: stringify!($field),
                name: $name,
                unit: Unit::$unit,
                kind: <$instrument as TypedMetric>::TYPE,
                label: <$instrument as Instrument>::LABEL,
                help: $help,
            },)*];

            /// Returns all instruments under their names, for the encoder.
            pub fn registry(&self) -> Registry {
                let mut registry = Registry::with_prefix(PREFIX);
                $(register(&mut registry, $name, Unit::$unit, $help, self.$field.clone());)*
                self.tenants.register(&mut registry);
                registry
            }

            /// Puts the exemplars of all histograms into OpenMetrics text that was made of these instruments.
            pub fn with_exemplars(&self, text: &str) -> String {
                let mut all = HashMap::new();
                $(collect_exemplars(&mut all, stringify!($field), &self.$field);)*
                with_exemplars(text, &all)
            }
        }
    };
}

table! {
    build: Build, "build", None, "The version that runs; the value is always 1";
    process_start_time: Gauge, "process_start_time", Seconds, "When the process started, since the Unix epoch";

    accepted: Counter, "messages_accepted", None, "Messages that were accepted and stored; repetitions of a key are not counted again";
    inserts_repeated: Family<InsertRepeated, Counter>, "inserts_repeated", None, "Messages whose insert the store did not confirm, by what became of it when it was repeated under the same ids; what is unconfirmed or not_repeated was answered with an error";
    attempts: Family<Attempt, Counter>, "attempts", None, "Calls to Meta that ended, by their outcome";
    graph_latency: Family<Attempt, Histogram<Latency>>, "graph_call", Seconds, "How long calls to Meta took, by their outcome";
    first_call_wait: Histogram<Wait>, "first_call_wait", Seconds, "From the acceptance of a message to its first call, whatever it waited for: its sendAt, the pace of its number, a hold";
    slot_wait: Histogram<Wait>, "slot_wait", Seconds, "From the slot of a message, the time at which it was to go out, to the call";
    stages: Family<Stage, Histogram<Staged>>, "stage", Seconds, "How long the stages of a message took, by the one that ended; docs/operating/monitoring.md says from when to when";
    queue_due: Family<Lane, Gauge>, "queue_due", None, "Messages that are due and not called yet, by their priority, in the whole installation; every process that reaches the queue tells the same";
    queue_age: Family<Lane, Gauge>, "queue_age", Seconds, "For how long the oldest of them has been due; 0 if none is. Compared over processes by max";
    doubts_begun: Counter, "doubts_begun", None, "Messages whose outcome became unknown; less dakghar_doubts_ended_total over all processes, those in doubt now";
    doubts_ended: Family<DoubtEnd, Counter>, "doubts_ended", None, "Messages whose outcome was unknown and is decided, by what decided it";
    outcomes_spooled: Counter, "outcomes_spooled", None, "Answers of Meta that were kept in DATA_DIR because MongoDB did not take them in time";
    outcomes_not_spooled: Counter, "outcomes_not_spooled", None, "Answers of Meta that MongoDB did not take in time and that could not be kept in DATA_DIR either; they live as long as the process until MongoDB takes them";
    outcomes_replayed: Counter, "outcomes_replayed", None, "Answers of Meta that an earlier process had kept in DATA_DIR, and that this one stored";
    dead_letters: Family<DeadLetter, Counter>, "dead_letters", None, "Messages that became dead letters, by the reason";
    letters_erased: Family<LetterErased, Counter>, "dead_letters_erased", None, "Dead letters that were erased because they are older than their tenant keeps them, by their class";
    people_erased: Family<PersonErased, Counter>, "person_erasure_records", None, "Records that erasures of people deleted or emptied, by where they were";
    person_erasures_ended: Counter, "person_erasures_ended", None, "Erasures of people that this process brought to their end";
    redrives: Family<Redriven, Counter>, "redrives", None, "Dead letters that redrives by filter took up, by what became of them";
    sending_held: Gauge, "sending_held", None, "1 while all sending is held, as this process saw it last, else 0";
    allowance_used: Family<AllowanceOf, Gauge>, "allowance_used_percent", None, "How much of Meta's allowance for calls was used, by whose it is, as the last of Meta's answers that spoke of one said; from 90 on sending slows down";
    breaker_open: Family<Host, Gauge>, "breaker_open", None, "1 while calls to the host wait because it cannot be reached, else 0";

    unreadable_records: Counter, "unreadable_records", None, "Stored records that were found and cannot be read, each once; the log names them";
    store_latency: Family<StoreCall, Histogram<Latency>>, "store_call", Seconds, "How long calls to the store took, by the method; most carry a batch";

    received: Family<Received, Counter>, "webhook_parts", None, "Parts of Meta's webhooks that were stored, by what became of them";
    webhook_lag: Family<WebhookKind, Histogram<Wait>>, "webhook_lag", Seconds, "From the time that Meta gives a part of a webhook to its arrival, a week at most; what was written before its number came to Dakghar is left out";
    ingest_gaps: Family<IngestGap, Counter>, "ingest_gaps", None, "Webhooks that were not answered with success although Meta sent them well, by the cause; Meta posts them again";
    feed_placed: Counter, "feed_placed", None, "Entries of feeds that this process gave their place; where the embedded store does it, none";
    feed_unplaced_age: Gauge, "feed_unplaced_age", Seconds, "How long the oldest entry of a feed has waited for its place; above a few seconds, no worker owns its partition";
    feed_aside: Gauge, "feed_aside", None, "Groups of entries that could not be placed and were put aside, until dakghar feed retry brings them back";
    feed_partitions: Gauge, "feed_partitions", None, "Partitions whose feeds this process places; over all processes 64, or some have no owner";
    feed_news: Gauge, "feed_news_come", None, "1 while this process hears of new entries at once, else 0: then those who wait for them are told within seconds";
    feed_readers: Family<LiveWay, Gauge>, "feed_readers", None, "Live readers of feeds: requests that wait for entries, and streams";
    feed_live_lag: Histogram<Wait>, "feed_live_lag", Seconds, "From the time of an entry of a feed to a live reader that waited for it";
    callback_attempts: Family<CallbackAttempt, Counter>, "callback_attempts", None, "Calls of tenants' endpoints that ended, by their outcome";
    callback_latency: Histogram<Latency>, "callback_call", Seconds, "How long calls of tenants' endpoints took";
    callback_lag: Histogram<Wait>, "callback_lag", Seconds, "From the time of an entry of a feed to the first call of an endpoint that took it";
    callbacks_dead: Counter, "callbacks_dead", None, "Entries that an endpoint has not taken in three days, and that are not tried again by themselves";
    callbacks_replayed: Counter, "callbacks_replayed", None, "Entries that an endpoint has taken in a replay";
    callbacks_expired: Counter, "callbacks_expired", None, "Entries that were erased by their age before an endpoint got them";
    callback_breakers_opened: Counter, "callback_breakers_opened", None, "Endpoints that took so few calls that they are only tried from time to time";
    callback_endpoints: Family<EndpointHealth, Gauge>, "callback_endpoints", None, "Endpoints to which this process delivers, by how they are";
    callback_exceptions: Gauge, "callback_exceptions", None, "Entries that the endpoints of this process have not taken and that are tried again, with those that wait for an earlier one of their conversation";
    spans_exported: Counter, "spans_exported", None, "Spans of traces that the collector took";
    spans_dropped: Family<SpanDropped, Counter>, "spans_dropped", None, "Spans of traces that were given up, by the reason";
    token_checks: Family<TokenChecked, Counter>, "token_checks", None, "Looks at access tokens of numbers, by what Meta said";
    tokens_renewed: Counter, "tokens_renewed", None, "Access tokens in whose place Meta gave a token that lasts longer";
    tokens_ending: Family<TokenEnds, Gauge>, "tokens_ending", None, "Numbers whose access token ends within the days, as the last pass over all tenants found; tokens that end in 7 days count within 14 too";
    number_checks: Family<NumberChecked, Counter>, "number_checks", None, "Checks of numbers at Meta, by what was found";
    number_changes: Family<NumberDrift, Counter>, "number_changes", None, "Differences that checks of numbers found, by what has changed";
    numbers_drifted: Family<NumberDrift, Gauge>, "numbers_drifted", None, "Numbers that somebody should see to, by what is wrong, as the last pass over all tenants found";
    signup_steps: Family<SignupStepEnd, Counter>, "signup_steps", None, "Steps of signups that this process took, by what became of them";
    signups_done: Counter, "signups_done", None, "Signups that this process brought to their end: their numbers can send";
    departure_steps: Family<DepartureStepEnd, Counter>, "departure_steps", None, "Steps of departures that this process took, by what became of them";
    departures_done: Counter, "departures_done", None, "Departures that this process brought to their end: tenants or numbers that have left";
    refused: Family<Limit, Counter>, "refused", None, "Requests and connections that were refused, by the limit they would have passed";
    tls_handshakes_failed: Counter, "tls_handshakes_failed", None, "Connections on which no TLS was agreed on";
    tls_reloads: Family<TlsReload, Counter>, "tls_reloads", None, "Changes of the files of the server's certificate, by what became of them";
    tls_certificate_expiry: Gauge, "tls_certificate_expiry", Seconds, "When the certificate that this process shows expires, since the Unix epoch; 0 where it speaks no TLS";
    keys_used: Family<KeyUsed, Counter>, "keys_used", None, "Requests that a key let in, by whose it is";
    keys_refused: Family<KeyRefused, Counter>, "keys_refused", None, "Requests whose key is right and may not do what they asked, by the reason";
    audit_records: Family<AuditClassLabel, Counter>, "audit_records", None, "Records that this process appended to the audit log, by what was done";
    audit_broken: Gauge, "audit_broken", None, "1 if the last check of this process found that the chain of the audit log is not whole, else 0";
    wrong_keys: Counter, "wrong_keys", None, "Requests whose key was checked and is wrong for what they asked; dakghar_refused_total{limit=\"wrong_keys\"} are those whose key was not looked at";
    key_calls: Family<KeyCall, Counter>, "key_service_calls", None, "Calls to the key service that ended, by their outcome; none where the master key is in the settings";
    keys_kept: Gauge, "data_keys_kept", None, "Data keys that the key service unwrapped and that are kept in memory for some minutes";
    key_service_away: Gauge, "key_service_away", None, "1 while the key service cannot be reached or refuses, else 0";
    budget_used: Family<Budget, Gauge>, "budget_used", Bytes, "Bytes of requests and answers under way";
    budget_limit: Family<Budget, Gauge>, "budget_limit", Bytes, "The most bytes of requests and answers under way";
}

/// Adds the exemplars of an instrument, by their series.
fn collect_exemplars(all: &mut HashMap<String, Exemplar>, field: &str, instrument: &impl Instrument) {
    let exemplars = instrument.exemplars();
    let Some(row) = Metrics::TABLE
        .iter()
        .find(|row| row.field == field && !exemplars.is_empty())
    else {
        return;
    };
    let (name, label) = (row.name(), row.label.map(|label| label.name));
    all.extend(
        exemplars
            .iter()
            .map(|placed| (bucket_series(&name, label, placed), placed.0)),
    );
}

fn register(registry: &mut Registry, name: &str, unit: Unit, help: &str, instrument: impl Instrument) {
    match unit {
        Unit::None => registry.register(name, help, instrument),
        Unit::Seconds => registry.register_with_unit(name, help, registry::Unit::Seconds, instrument),
        Unit::Bytes => registry.register_with_unit(name, help, registry::Unit::Bytes, instrument),
    }
}

/// The version of the program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Build;

impl TypedMetric for Build {
    const TYPE: MetricType = MetricType::Info;
}

impl EncodeMetric for Build {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        encoder.encode_info(&[("version", env!("CARGO_PKG_VERSION"))])
    }

    fn metric_type(&self) -> MetricType {
        Self::TYPE
    }
}

impl Instrument for Build {
    const LABEL: Option<LabelDescription> = Some(LabelDescription {
        name: "version",
        values: || vec![env!("CARGO_PKG_VERSION")],
    });
}
