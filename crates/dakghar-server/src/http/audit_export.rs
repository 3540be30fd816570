//! The audit log as NDJSON, in the order of the chain, with what is needed to check it elsewhere: a first line that says where the
//! chain begins and ends, the records with their texts and hashes, and a last line. It holds one page at a time.

use dakghar_core::app::{Auditing, Failure};
use dakghar_core::domain::audit::{AuditChain, AuditRecord, ChainLink};
use serde::Serialize;
use serde_json::{Value, json};

/// Where an export goes on.
#[derive(Clone, Copy, Debug)]
pub struct AuditExport {
    /// The chain as it was when the export began, and the last record that came.
    begun: Option<(AuditChain, u64)>,
}

impl AuditExport {
    /// The beginning.
    pub const fn begin() -> Self {
        Self { begun: None }
    }

    /// Reads the next lines; and where it goes on.
    pub async fn page(self, auditing: &Auditing) -> Result<(Vec<u8>, Option<Self>), Failure> {
        let mut lines = Vec::new();
        let Some((chain, after)) = self.begun else {
            let chain = auditing.chain().await?;
            let head = json!({ "behind": link(&chain.anchor), "upTo": link(&chain.head) });
            line(&mut lines, "audit", &head);
            let next = Self {
                begun: Some((chain, chain.anchor.number)),
            };
            return Ok((lines, Some(next)));
        };
        let walked = auditing.walk(after).await?;
        let mut last = after;
        for (number, record) in walked.iter().take_while(|(number, _)| *number <= chain.head.number) {
            line(&mut lines, "record", &shown(*number, record.as_ref()));
            last = *number;
        }
        if last == after || last == chain.head.number {
            line(&mut lines, "end", &json!({ "number": last }));
            return Ok((lines, None));
        }
        let next = Self {
            begun: Some((chain, last)),
        };
        Ok((lines, Some(next)))
    }
}

fn link(link: &ChainLink) -> Value {
    json!({ "number": link.number, "hash": link.hash_text() })
}

/// A record that cannot be read is a line all the same: its number is a link of the chain.
fn shown(number: u64, record: Option<&AuditRecord>) -> Value {
    record.map_or_else(
        || json!({ "number": number, "unreadable": true }),
        |record| {
            json!({
                "number": number,
                "previous": record.before().hash_text(),
                "hash": record.link().hash_text(),
                "text": record.text,
            })
        },
    )
}

#[derive(Serialize)]
struct Line<'a> {
    kind: &'static str,
    data: &'a Value,
}

fn line(lines: &mut Vec<u8>, kind: &'static str, data: &Value) {
    serde_json::to_writer(&mut *lines, &Line { kind, data }).expect("texts and numbers");
    lines.push(b'\n');
}
