//! Finding what is kept of endpoints that are gone.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use bson::{RawDocument, doc};
use dakghar_core::domain::ids::{EndpointId, TenantId};
use dakghar_core::ports::{GoneEndpoints, StoreError};

use super::ranges::behind;
use crate::mongo::MongoStore;
use crate::mongo::documents::endpoint;
use crate::mongo::indexes::{BY_ID, ENDPOINT_SEAT};
use crate::mongo::reads::{Query, text_id};

/// The endpoint of a record, and its tenant.
type Kept = (EndpointId, TenantId);

impl MongoStore {
    pub(super) async fn look_for_gone(
        &self,
        after: Option<EndpointId>,
        limit: u32,
    ) -> Result<GoneEndpoints, StoreError> {
        if limit == 0 {
            return Ok(GoneEndpoints {
                found: Vec::new(),
                next: None,
            });
        }
        let mut kept = self.with_progress(after, limit).await?;
        self.add_with_exceptions(&mut kept, after, limit).await?;
        let kept: Vec<Kept> = kept.into_iter().take(limit as usize).collect();
        // After what is kept: it was written of endpoints that were there.
        let tenants: BTreeSet<String> = kept.iter().map(|(_, tenant_id)| tenant_id.to_string()).collect();
        let of_tenants = doc! { "tenantId": { "$in": Vec::from_iter(tenants) } };
        let query = Query::new(of_tenants, ENDPOINT_SEAT)
            .fields(doc! { "_id": 1, "keptUnder": 1 })
            .majority();
        let there = self.fetch(&self.endpoints, query, endpoint::kept_under).await?;
        let there: HashSet<String> = there.into_iter().flatten().collect();
        let is_gone = |kept: &&Kept| !there.contains(&kept.0.to_string());
        Ok(GoneEndpoints {
            found: (kept.iter().filter(is_gone))
                .map(|(id, tenant_id)| (*tenant_id, *id))
                .collect(),
            next: kept.last().map(|(id, _)| *id),
        })
    }

    async fn with_progress(
        &self,
        after: Option<EndpointId>,
        limit: u32,
    ) -> Result<BTreeMap<EndpointId, TenantId>, StoreError> {
        let after = after.map_or_else(String::new, |after| after.to_string());
        let query = Query::new(doc! { "_id": { "$gt": after } }, BY_ID)
            .sort(doc! { "_id": 1 })
            .limit(limit)
            .fields(doc! { "_id": 1, "tenantId": 1 });
        let found = self.fetch(&self.callback_progress, query, kept_of).await?;
        Ok(found.into_iter().flatten().collect())
    }

    /// Adds those of which exceptions are kept: a step of the key for each endpoint, however many exceptions it has.
    async fn add_with_exceptions(
        &self,
        kept: &mut BTreeMap<EndpointId, TenantId>,
        after: Option<EndpointId>,
        limit: u32,
    ) -> Result<(), StoreError> {
        let mut from = after.map_or_else(String::new, |after| behind(&after));
        for _ in 0..limit {
            let query = Query::new(doc! { "_id": { "$gte": &from } }, BY_ID)
                .sort(doc! { "_id": 1 })
                .limit(1)
                .fields(doc! { "_id": 1, "tenantId": 1 });
            let found = self.fetch(&self.callback_exceptions, query, kept_of).await?;
            let Some((id, tenant_id)) = found.into_iter().flatten().next() else {
                return Ok(());
            };
            from = behind(&id);
            kept.insert(id, tenant_id);
        }
        Ok(())
    }
}

fn kept_of(raw: &RawDocument) -> Option<Kept> {
    let id = text_id(raw)?;
    let endpoint_id = id.split_once('/').map_or(id.as_str(), |(endpoint_id, _)| endpoint_id);
    let tenant_id = TenantId::parse(raw.get_str("tenantId").ok()?).ok()?;
    Some((EndpointId::parse(endpoint_id).ok()?, tenant_id))
}
