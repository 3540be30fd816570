//! Everything of a tenant as NDJSON: page by page, each line with its kind, and after each page a line that says where to
//! go on. It holds one page at a time, whatever there is.

use dakghar_core::app::{Failure, PageRequest, Reading};
use dakghar_core::domain::page::{MessageQuery, PAGE_ITEMS_MAX};
use dakghar_core::domain::{ErrorCode, Problem, Tenant};
use serde::Serialize;

use super::views::{ConversationView, EventView, MessageView, PersonView, TenantView};

/// What an export has, in the order in which it has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportKind {
    /// The tenant itself, with its numbers and limits and without any secret.
    Tenant,
    /// People, by what their conversations share.
    People,
    /// Conversations.
    Conversations,
    /// Messages, newest first, with their timelines.
    Messages,
    /// Events, as Meta sent them.
    Events,
}

impl ExportKind {
    /// All kinds, in their order.
    pub const ALL: [Self; 5] = [
        Self::Tenant,
        Self::People,
        Self::Conversations,
        Self::Messages,
        Self::Events,
    ];

    /// The name used in requests and cursors.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::People => "people",
            Self::Conversations => "conversations",
            Self::Messages => "messages",
            Self::Events => "events",
        }
    }

    /// Reads the name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    fn next(self) -> Option<Self> {
        let mut behind = Self::ALL.into_iter().skip_while(|kind| *kind != self);
        behind.nth(1)
    }
}

/// Where an export goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportPosition {
    kind: ExportKind,
    /// The end of the page before, in the list of this kind.
    cursor: Option<String>,
    /// True if nothing but this kind is wanted.
    is_alone: bool,
}

impl ExportPosition {
    /// The beginning: of everything, or of one kind.
    pub fn begin(only: Option<ExportKind>) -> Self {
        Self {
            kind: only.unwrap_or(ExportKind::Tenant),
            cursor: None,
            is_alone: only.is_some(),
        }
    }

    /// Reads a cursor that an export told. With `only`, it must be of that kind.
    pub fn parse(text: &str, only: Option<ExportKind>) -> Result<Self, Problem> {
        let invalid = || Problem::new(ErrorCode::InvalidCursor, "The cursor is none of this export.");
        let (kind, cursor) = match text.split_once(':') {
            Some((kind, cursor)) => (kind, Some(cursor.to_owned())),
            None => (text, None),
        };
        let kind = ExportKind::parse(kind).ok_or_else(invalid)?;
        if only.is_some_and(|only| only != kind) {
            return Err(invalid());
        }
        Ok(Self {
            kind,
            cursor,
            is_alone: only.is_some(),
        })
    }

    fn text(&self) -> String {
        let kind = self.kind.as_str();
        self.cursor
            .as_ref()
            .map_or_else(|| kind.to_owned(), |cursor| format!("{kind}:{cursor}"))
    }

    /// The position behind a page that ended so.
    fn behind(&self, cursor: Option<String>) -> Option<Self> {
        if cursor.is_some() {
            return Some(Self { cursor, ..self.clone() });
        }
        let kind = self.kind.next().filter(|_| !self.is_alone)?;
        Some(Self {
            kind,
            cursor: None,
            is_alone: false,
        })
    }
}

/// Reads the page of an export at a position, as lines; and where it goes on. The last line says it, too.
pub async fn export_page(
    reading: &Reading,
    tenant: &Tenant,
    position: &ExportPosition,
) -> Result<(Vec<u8>, Option<ExportPosition>), Failure> {
    let page = PageRequest {
        limit: PAGE_ITEMS_MAX,
        cursor: position.cursor.clone(),
    };
    let mut lines = Vec::new();
    let next_cursor = match position.kind {
        ExportKind::Tenant => {
            line(&mut lines, "tenant", &TenantView::from(tenant));
            None
        }
        ExportKind::People => {
            let page = reading.people(&tenant.id, &page).await?;
            let people = page.items.iter().map(PersonView::from);
            people.for_each(|person| line(&mut lines, "person", &person));
            page.next_cursor
        }
        ExportKind::Conversations => {
            let page = reading.conversations(&tenant.id, &page).await?;
            let conversations = page.items.iter().map(ConversationView::from);
            conversations.for_each(|conversation| line(&mut lines, "conversation", &conversation));
            page.next_cursor
        }
        ExportKind::Messages => {
            let page = reading.messages(&tenant.id, MessageQuery::default(), &page).await?;
            let messages = page.items.iter().map(MessageView::exported);
            messages.for_each(|message| line(&mut lines, "message", &message));
            page.next_cursor
        }
        ExportKind::Events => {
            let page = reading.events(Some(&tenant.id), &page).await?;
            let events = page.items.iter().map(EventView::from);
            events.for_each(|event| line(&mut lines, "event", &event));
            page.next_cursor
        }
    };
    let next = position.behind(next_cursor);
    match &next {
        Some(next) => line(&mut lines, "cursor", &next.text()),
        None => line(&mut lines, "end", &()),
    }
    Ok((lines, next))
}

#[derive(Serialize)]
struct Line<'a, T> {
    kind: &'static str,
    data: &'a T,
}

fn line<T: Serialize>(lines: &mut Vec<u8>, kind: &'static str, data: &T) {
    serde_json::to_writer(&mut *lines, &Line { kind, data }).expect("texts, numbers and JSON");
    lines.push(b'\n');
}
