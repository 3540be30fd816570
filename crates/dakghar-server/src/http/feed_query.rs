//! Reads what is wanted of a feed.

use std::time::Duration;

use axum::http::{HeaderMap, Uri};
use dakghar_core::app::feed_place;
use dakghar_core::domain::endpoint::{KINDS_MAX, NUMBERS_MAX};
use dakghar_core::domain::{EntryFilter, KindPattern, PhoneNumberId, Place, Problem};
use utoipa::IntoParams;

use super::query::{Parameters, invalid_filter};

/// The header in which a client names the last event that it has.
pub(super) const LAST_EVENT_ID: &str = "last-event-id";
/// Seconds that a client may wait for entries: less than the patience of usual proxies.
const WAIT_SECONDS_MAX: u64 = 60;
/// Entries in a page of a stream.
const STREAM_PAGE: u32 = 50;

/// Which part of a feed, on pages and in streams.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what FeedQuery reads")]
pub(super) struct FeedParameters {
    /// Entries behind this place: the `nextCursor` of the page before, or the `place` of an entry. `latest` is the last
    /// place that there is. Without it, from the earliest entry on that is there.
    #[param(example = "1042")]
    after: Option<String>,
    /// Only entries of these kinds, with commas between: `message.received`, or the beginning of some, `status.*`.
    #[param(example = "message.received,status.*")]
    kinds: Option<String>,
    /// Only entries about these business numbers, with commas between.
    #[param(example = "111111111111111")]
    phone_number_ids: Option<String>,
    /// `true` for messages and reports also as they came, with all that Meta said beside them.
    #[param(default = false)]
    raw: Option<bool>,
}

/// How much of it, and how long to wait: pages have this beside.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what FeedQuery reads")]
pub(super) struct FeedPageParameters {
    /// Entries on the page at most, 1 to 200. There may be fewer though more follow. A page without any is at the end; with
    /// a filter it is when its `nextCursor` is the place that was asked for.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// Seconds to wait for an entry where there is none yet, 0 to 60. The answer comes with the first one.
    #[param(minimum = 0, maximum = 60, default = 0)]
    wait: Option<u32>,
}

/// Where a reader begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// At the earliest entry that is there.
    Earliest,
    /// Behind this place.
    Behind(Place),
    /// Behind the last entry that is there.
    Latest,
}

/// What is wanted of a feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FeedQuery {
    pub(super) start: Start,
    /// Entries on a page.
    pub(super) limit: u32,
    /// The longest wait for an entry.
    pub(super) wait: Duration,
    pub(super) filter: EntryFilter,
    pub(super) wants_raw: bool,
}

impl FeedQuery {
    /// Reads the request for a page.
    pub(super) fn of_page(uri: &Uri) -> Result<Self, Problem> {
        let known = ["after", "limit", "wait", "kinds", "phoneNumberIds", "raw"];
        let parameters = Parameters::parse(uri, &known)?;
        Ok(Self {
            start: start(parameters.get("after"))?,
            limit: parameters.page()?.limit,
            wait: wait(parameters.get("wait"))?,
            filter: filter(&parameters)?,
            wants_raw: parameters.flag("raw")?,
        })
    }

    /// Reads the request for a stream, which waits by itself and has no pages. The event that the client had last counts
    /// before the place in the URL: a browser repeats the URL as it was.
    pub(super) fn of_stream(uri: &Uri, headers: &HeaderMap) -> Result<Self, Problem> {
        let parameters = Parameters::parse(uri, &["after", "kinds", "phoneNumberIds", "raw"])?;
        let last = headers.get(LAST_EVENT_ID).map(|id| id.to_str().unwrap_or("?"));
        let last = last.filter(|id| !id.is_empty());
        Ok(Self {
            start: start(last.or_else(|| parameters.get("after")))?,
            limit: STREAM_PAGE,
            wait: Duration::ZERO,
            filter: filter(&parameters)?,
            wants_raw: parameters.flag("raw")?,
        })
    }
}

fn start(text: Option<&str>) -> Result<Start, Problem> {
    match text {
        None => Ok(Start::Earliest),
        Some("latest") => Ok(Start::Latest),
        Some(text) => feed_place(text).map(Start::Behind),
    }
}

fn wait(text: Option<&str>) -> Result<Duration, Problem> {
    let Some(text) = text else { return Ok(Duration::ZERO) };
    let seconds = text
        .parse()
        .ok()
        .filter(|_| text.bytes().all(|byte| byte.is_ascii_digit()));
    let seconds = seconds.filter(|seconds| *seconds <= WAIT_SECONDS_MAX);
    let refused = || invalid_filter(&format!("wait must be whole seconds from 0 to {WAIT_SECONDS_MAX}."));
    seconds.map(Duration::from_secs).ok_or_else(refused)
}

fn filter(parameters: &Parameters) -> Result<EntryFilter, Problem> {
    let kind = |text: &str| {
        let pattern = KindPattern::parse(text).filter(KindPattern::can_match);
        let detail = "kinds must be kinds of entries such as message.received, or the beginning of some, such as status.*, with commas between.";
        pattern.ok_or_else(|| invalid_filter(detail))
    };
    let number = |text: &str| {
        let detail = "phoneNumberIds must be ids of 1 to 20 digits, as Meta shows them, with commas between.";
        PhoneNumberId::parse(text).map_err(|_| invalid_filter(detail))
    };
    Ok(EntryFilter {
        kinds: list(parameters, "kinds", KINDS_MAX, kind)?,
        phone_number_ids: list(parameters, "phoneNumberIds", NUMBERS_MAX, number)?,
    })
}

fn list<T>(
    parameters: &Parameters,
    name: &str,
    max: usize,
    read: impl Fn(&str) -> Result<T, Problem>,
) -> Result<Vec<T>, Problem> {
    let Some(text) = parameters.get(name) else {
        return Ok(Vec::new());
    };
    if text.split(',').count() > max {
        return Err(invalid_filter(&format!("{name} must be {max} at most.")));
    }
    text.split(',').map(read).collect()
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;
    use dakghar_core::domain::ErrorCode;

    use super::*;

    fn page(query: &str) -> Result<FeedQuery, (ErrorCode, String)> {
        let uri = format!("/tenants/x/feed{query}").parse().expect("a URI");
        FeedQuery::of_page(&uri).map_err(|problem| (problem.code, problem.detail))
    }

    #[test]
    fn a_page_is_read_with_its_filter_and_its_wait() {
        let plain = page("").expect("all have defaults");
        assert_eq!(
            (plain.start, plain.limit, plain.wait),
            (Start::Earliest, 50, Duration::ZERO)
        );
        assert!(plain.filter.is_everything());
        let full = page("?after=7&limit=3&wait=60&kinds=status.*,message.received&phoneNumberIds=1,22&raw=true");
        let full = full.expect("well formed");
        assert_eq!((full.start, full.limit), (Start::Behind(Place::new(7)), 3));
        assert_eq!((full.wait, full.wants_raw), (Duration::from_mins(1), true));
        let kinds: Vec<&str> = full.filter.kinds.iter().map(KindPattern::as_str).collect();
        assert_eq!(kinds, ["status.*", "message.received"]);
        assert_eq!(full.filter.phone_number_ids.len(), 2);
        assert_eq!(page("?after=latest").expect("a name").start, Start::Latest);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (query, name) in [
            ("?wait=61", "wait"),
            ("?wait=-1", "wait"),
            ("?wait=%2B1", "wait"),
            ("?wait=1.5", "wait"),
            ("?wait=", "wait"),
            ("?kinds=", "kinds"),
            ("?kinds=message", "kinds"),
            ("?kinds=status.*,", "kinds"),
            ("?kinds=*x", "kinds"),
            ("?phoneNumberIds=1,x", "phoneNumberIds"),
            ("?phoneNumberIds=", "phoneNumberIds"),
            ("?kind=message.received", "kind"),
        ] {
            let (code, detail) = page(query).expect_err(query);
            assert_eq!(code, ErrorCode::InvalidFilter, "{query}");
            assert!(detail.starts_with(name), "{query}: {detail}");
        }
        let many = vec!["*"; KINDS_MAX + 1].join(",");
        assert!(page(&format!("?kinds={many}")).is_err());
        assert_eq!(page("?after=x").expect_err("no place").0, ErrorCode::FeedPlaceUnknown);
    }

    #[test]
    fn the_last_event_counts_before_the_place_in_the_url() {
        let uri: Uri = "/tenants/x/feed?after=3".parse().expect("a URI");
        let mut headers = HeaderMap::new();
        let start = |headers: &HeaderMap| FeedQuery::of_stream(&uri, headers).map(|query| query.start);
        assert_eq!(start(&headers).expect("read"), Start::Behind(Place::new(3)));
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static(""));
        assert_eq!(start(&headers).expect("read"), Start::Behind(Place::new(3)), "none yet");
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static("9"));
        assert_eq!(start(&headers).expect("read"), Start::Behind(Place::new(9)));
        headers.insert(LAST_EVENT_ID, HeaderValue::from_static("nine"));
        assert_eq!(start(&headers).expect_err("no place").code, ErrorCode::FeedPlaceUnknown);
        for other in ["?wait=1", "?limit=1"] {
            let uri: Uri = format!("/tenants/x/feed{other}").parse().expect("a URI");
            assert!(FeedQuery::of_stream(&uri, &HeaderMap::new()).is_err(), "{other}");
        }
    }
}
