//! Reads query strings. Every parameter must be known, given once, and of the right form.

use axum::extract::Query;
use axum::http::Uri;
use dakghar_core::app::PageRequest;
use dakghar_core::domain::audit::AuditQuery;
use dakghar_core::domain::message::Direction;
use dakghar_core::domain::page::{MessageQuery, PAGE_ITEMS_DEFAULT, PAGE_ITEMS_MAX};
use dakghar_core::domain::{ErrorCode, PhoneNumberId, Problem, Status, Tenant, TenantId, Timestamp, WaId};
use utoipa::IntoParams;

const KIND_CHARS_MAX: usize = 64;

/// Which page of a list.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what Parameters::page reads")]
pub(super) struct PageParameters {
    /// Items on the page at most, 1 to 200. There may be fewer though more follow, even none: read on while there is a
    /// `nextCursor`.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<u32>,
    /// The `nextCursor` of the previous page, with the same filters.
    cursor: Option<String>,
}

/// Which messages.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "documents what Parameters::messages reads")]
pub(super) struct MessageParameters {
    /// `outbound` or `inbound`.
    direction: Option<String>,
    /// Where the message stands.
    #[param(example = "failed")]
    status: Option<String>,
    /// Meta's name of the type.
    #[param(rename = "type", example = "text")]
    kind: Option<String>,
    /// The receiving end: a person for outbound messages, a number of the tenant for inbound ones. Compared by digits.
    #[param(example = "+919111111111")]
    to: Option<String>,
    /// The sending end: a number of the tenant for outbound messages, a person for inbound ones. Compared by digits.
    from: Option<String>,
    /// The tenant's number at either end.
    #[param(example = "111111111111111")]
    phone_number_id: Option<String>,
    /// Created at or after this time, RFC 3339.
    #[param(example = "2026-11-22T00:00:00Z")]
    since: Option<String>,
    /// Created before this time, RFC 3339.
    until: Option<String>,
}

/// Which exceptions of an endpoint.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what Parameters::wants_dead reads")]
pub(super) struct ExceptionParameters {
    /// `open` or `dead`.
    #[param(default = "open")]
    state: Option<String>,
}

/// How much of a message.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents what Parameters::flag reads")]
pub(super) struct RawParameter {
    /// `true` for an inbound message also as it came, with all that Meta said beside it.
    #[param(default = false)]
    raw: Option<bool>,
}

const PAGE: [&str; 2] = ["limit", "cursor"];
const MESSAGES: [&str; 8] = [
    "direction",
    "status",
    "type",
    "to",
    "from",
    "phoneNumberId",
    "since",
    "until",
];

/// The parameters of one request.
pub(super) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads the parameters that choose a page.
    pub(super) fn of_page(uri: &Uri) -> Result<Self, Problem> {
        Self::parse(uri, &PAGE)
    }

    /// Reads the parameters that choose a page of messages.
    pub(super) fn of_messages(uri: &Uri) -> Result<Self, Problem> {
        let known: Vec<&str> = MESSAGES.into_iter().chain(PAGE).collect();
        Self::parse(uri, &known)
    }

    /// Reads the parameters that choose a page of exceptions.
    pub(super) fn of_exceptions(uri: &Uri) -> Result<Self, Problem> {
        Self::parse(uri, &["state", "limit", "cursor"])
    }

    /// Returns true for those that are dead, false for those that are open.
    pub(super) fn wants_dead(&self) -> Result<bool, Problem> {
        match self.get("state") {
            None | Some("open") => Ok(false),
            Some("dead") => Ok(true),
            Some(_) => Err(invalid_filter("state must be open or dead.")),
        }
    }

    /// Reads the parameters that choose a page of the audit log, and these.
    pub(super) fn of_audit(uri: &Uri, more: &[&str]) -> Result<Self, Problem> {
        let known = ["actor", "action", "since", "until"].into_iter().chain(PAGE);
        let known: Vec<&str> = known.chain(more.iter().copied()).collect();
        Self::parse(uri, &known)
    }

    /// Returns the query for records of the audit log.
    pub(super) fn audit(&self, tenant_id: Option<TenantId>) -> Result<AuditQuery, Problem> {
        let (since, until) = (self.time("since")?, self.time("until")?);
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err(invalid_filter("since must be before until."));
        }
        let text = |name| self.get(name).map(str::to_owned);
        Ok(AuditQuery {
            tenant_id,
            actor: text("actor"),
            action: text("action"),
            since,
            until,
            ..AuditQuery::default()
        })
    }

    /// Reads the parameters that say how much of a message is wanted.
    pub(super) fn of_message(uri: &Uri) -> Result<Self, Problem> {
        Self::parse(uri, &["raw"])
    }

    /// Reads the parameters, if all are known and none is repeated.
    pub(super) fn parse(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let Query(all) = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_err(|_| invalid_filter("The query string cannot be understood."))?;
        for (i, (name, _)) in all.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(invalid_filter(&format!("{} is not known.", shown(name))));
            }
            if all[..i].iter().any(|(earlier, _)| earlier == name) {
                return Err(invalid_filter(&format!("{name} is given more than once.")));
            }
        }
        Ok(Self(all))
    }

    /// Returns the value of a parameter, if it is given.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Returns `true` or `false`; `false` if absent.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.get(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid_filter(&format!("{name} must be true or false."))),
        }
    }

    /// Returns the requested page.
    pub(super) fn page(&self) -> Result<PageRequest, Problem> {
        let limit = match self.get("limit") {
            None => PAGE_ITEMS_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|limit| (1..=PAGE_ITEMS_MAX).contains(limit) && !text.starts_with('+'))
                .ok_or_else(|| {
                    let detail = format!("limit must be a whole number from 1 to {PAGE_ITEMS_MAX}.");
                    Problem::new(ErrorCode::InvalidLimit, detail)
                })?,
        };
        Ok(PageRequest {
            limit,
            cursor: self.get("cursor").map(str::to_owned),
        })
    }

    /// Returns the query for messages of the tenant; `None` if the filters exclude each other and nothing can match.
    pub(super) fn messages(&self, tenant: &Tenant) -> Result<Option<MessageQuery>, Problem> {
        let mut ends = Ends::default();
        if let Some(text) = self.get("direction") {
            ends.direct(
                Direction::parse(text).ok_or_else(|| invalid_filter("direction must be outbound or inbound."))?,
            );
        }
        if let Some(text) = self.get("phoneNumberId") {
            ends.number(
                PhoneNumberId::parse(text)
                    .map_err(|_| invalid_filter("phoneNumberId must be 1 to 20 digits, as Meta shows it."))?,
            );
        }
        if let Some(text) = self.get("to") {
            ends.end(end_of("to", text, tenant)?, Direction::Outbound, Direction::Inbound);
        }
        if let Some(text) = self.get("from") {
            ends.end(end_of("from", text, tenant)?, Direction::Inbound, Direction::Outbound);
        }
        let status = self
            .get("status")
            .map(|text| Status::parse(text).ok_or_else(|| invalid_filter("status is not one that messages have.")))
            .transpose()?;
        let (since, until) = (self.time("since")?, self.time("until")?);
        if since.zip(until).is_some_and(|(since, until)| since >= until) {
            return Err(invalid_filter("since must be before until."));
        }
        let kind = self.get("type");
        if kind.is_some_and(|kind| !(1..=KIND_CHARS_MAX).contains(&kind.len())) {
            return Err(invalid_filter(&format!(
                "type must be a name of 1 to {KIND_CHARS_MAX} characters."
            )));
        }
        Ok((!ends.exclude_each_other).then(|| MessageQuery {
            direction: ends.direction,
            status,
            kind: kind.map(Into::into),
            peer_id: ends.peer_id,
            phone_number_id: ends.phone_number_id,
            since,
            until,
            ..MessageQuery::default()
        }))
    }

    fn time(&self, name: &str) -> Result<Option<Timestamp>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        // A plus sign that was not escaped arrives as a space.
        Timestamp::parse_rfc3339(&text.replace(' ', "+"))
            .map(Some)
            .ok_or_else(|| invalid_filter(&format!("{name} must be a time such as 2026-11-22T10:00:00Z.")))
    }
}

/// One end of a message.
enum End {
    Number(PhoneNumberId),
    Person(WaId),
}

/// Returns the end that a filter names: one of the tenant's numbers, or else a person.
fn end_of(name: &str, text: &str, tenant: &Tenant) -> Result<End, Problem> {
    let refused = || {
        invalid_filter(&format!(
            "{name} must be a phone number, a user id or a phone number id."
        ))
    };
    let is_number = text.chars().all(|c| c.is_ascii_digit() || " +-.()".contains(c));
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !is_number {
        return WaId::parse(text).map(End::Person).map_err(|_| refused());
    }
    let own = tenant
        .phone_numbers
        .iter()
        .find(|number| number.phone_number_id.as_str() == digits);
    match own {
        Some(number) => Ok(End::Number(number.phone_number_id.clone())),
        None => WaId::parse(&digits).map(End::Person).map_err(|_| refused()),
    }
}

/// The combined filters on the two ends of a message.
#[derive(Default)]
struct Ends {
    direction: Option<Direction>,
    phone_number_id: Option<PhoneNumberId>,
    peer_id: Option<WaId>,
    exclude_each_other: bool,
}

impl Ends {
    fn direct(&mut self, direction: Direction) {
        self.exclude_each_other |= self.direction.is_some_and(|known| known != direction);
        self.direction = Some(direction);
    }

    fn number(&mut self, number: PhoneNumberId) {
        self.exclude_each_other |= self.phone_number_id.as_ref().is_some_and(|known| *known != number);
        self.phone_number_id = Some(number);
    }

    /// Adds one end. The direction depends on the end: a person or a number.
    fn end(&mut self, end: End, if_person: Direction, if_number: Direction) {
        match end {
            End::Number(number) => {
                self.direct(if_number);
                self.number(number);
            }
            End::Person(person) => {
                self.direct(if_person);
                self.exclude_each_other |= self.peer_id.as_ref().is_some_and(|known| *known != person);
                self.peer_id = Some(person);
            }
        }
    }
}

/// Says what is wrong with a parameter.
pub(super) fn invalid_filter(detail: &str) -> Problem {
    Problem::new(ErrorCode::InvalidFilter, detail)
}

fn shown(name: &str) -> String {
    name.chars().take(64).flat_map(char::escape_default).collect()
}
