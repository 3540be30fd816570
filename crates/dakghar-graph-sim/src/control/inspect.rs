//! Reading what happened: journal and counters.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::input::{Params, Problem};
use crate::journal::JournalFilter;
use crate::state::State;
use crate::stats::StatsSnapshot;

/// Most entries in one answer unless `limit` says otherwise.
const ENTRIES_DEFAULT: usize = 10_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct JournalQuery {
    phone_number_id: Option<String>,
    biz_opaque: Option<String>,
    #[serde(default)]
    after_seq: u64,
    limit: Option<usize>,
    /// `1` for counts by `biz_opaque_callback_data` instead of entries.
    #[serde(default)]
    counts: u8,
}

pub(crate) async fn stats(Shared(state): Shared<Arc<State>>) -> Json<StatsSnapshot> {
    Json(state.snapshot())
}

pub(crate) async fn journal(
    Shared(state): Shared<Arc<State>>,
    Params(query): Params<JournalQuery>,
) -> Result<Response, Problem> {
    if query.counts == 0 {
        let entries = state.journal.entries(&JournalFilter {
            phone_number_id: query.phone_number_id,
            biz_opaque: query.biz_opaque,
            after_seq: query.after_seq,
            limit: Some(query.limit.unwrap_or(ENTRIES_DEFAULT)),
        });
        return Ok(Json(json!({ "data": entries })).into_response());
    }
    if query.phone_number_id.is_some() {
        return Err(Problem::invalid("counts are kept by biz_opaque only"));
    }
    let counts = match query.biz_opaque {
        None => state.journal.tallies(),
        Some(biz_opaque) => {
            let tally = state.journal.tally(&biz_opaque);
            BTreeMap::from([(biz_opaque, tally)])
        }
    };
    Ok(Json(json!({ "counts": counts })).into_response())
}

pub(crate) async fn clear_journal(Shared(state): Shared<Arc<State>>) -> StatusCode {
    state.journal.clear();
    StatusCode::NO_CONTENT
}
