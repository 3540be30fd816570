//! Entries in the feeds of MongoDB: one for each clone, in their order, in chunks behind those of the templates.

use std::collections::HashMap;

use anyhow::Context as _;
use bson::{Bson, DateTime, Document, doc};
use mongodb::Collection;

use super::{Clone, Clones};

/// Entries of a chunk.
const CHUNK: usize = 250;
/// Chunks that are inserted at once.
const BATCH: usize = 50;

/// The end of a feed, and the entries that are to follow.
#[derive(Default)]
struct Feed {
    last: i64,
    entries: Vec<Bson>,
    at: i64,
}

impl Feed {
    fn take_chunk(&mut self, tenant: &str) -> Document {
        let entries = std::mem::take(&mut self.entries);
        let first = self.last + 1;
        self.last += i64::try_from(entries.len()).unwrap_or(0);
        doc! {
            "_id": format!("{tenant}/{first:016x}"),
            "schemaVersion": 1,
            "last": self.last,
            "at": DateTime::from_millis(self.at),
            "entries": entries,
        }
    }
}

pub(super) async fn insert(feed: &Collection<Document>, templates: &[Document], clones: Clones) -> anyhow::Result<()> {
    let mut feeds: HashMap<String, Feed> = HashMap::new();
    for template in templates {
        let tenant = template.get_str("tenantId")?;
        if !feeds.contains_key(tenant) {
            let last = end(feed, tenant).await?;
            let empty = Feed {
                last,
                ..Feed::default()
            };
            feeds.insert(tenant.to_owned(), empty);
        }
    }
    let mut batch = Vec::new();
    for clone in (0..clones.count).map(|index| clones.at(index)) {
        let template = &templates[clone.template];
        let tenant = template.get_str("tenantId")?;
        let of_tenant = feeds.get_mut(tenant).context("the tenant of a template")?;
        of_tenant.at = clone.created_ms;
        of_tenant.entries.push(entry(template, &clone)?);
        if of_tenant.entries.len() == CHUNK {
            batch.push(of_tenant.take_chunk(tenant));
        }
        if batch.len() == BATCH {
            feed.insert_many(std::mem::take(&mut batch)).ordered(false).await?;
        }
    }
    let open = feeds.iter_mut().filter(|(_, of_tenant)| !of_tenant.entries.is_empty());
    batch.extend(open.map(|(tenant, of_tenant)| of_tenant.take_chunk(tenant)));
    if !batch.is_empty() {
        feed.insert_many(batch).ordered(false).await?;
    }
    Ok(())
}

/// The last place that a tenant's feed has.
async fn end(feed: &Collection<Document>, tenant: &str) -> anyhow::Result<i64> {
    let of_tenant = doc! { "_id": { "$gte": format!("{tenant}/"), "$lt": format!("{tenant}0") } };
    let last = feed.find_one(of_tenant).sort(doc! { "_id": -1 }).await?;
    Ok(last.map_or(Ok(0), |chunk| chunk.get_i64("last"))?)
}

fn entry(template: &Document, clone: &Clone) -> anyhow::Result<Bson> {
    Ok(Bson::Document(doc! {
        "kind": "message.sent",
        "subject": format!("change {} 1 sent 1", clone.id),
        "phoneNumberId": template.get_str("phoneNumberId")?,
        "at": DateTime::from_millis(clone.created_ms),
    }))
}
