//! The port of reports, measured.

use std::sync::Arc;

use async_trait::async_trait;
use dakghar_core::domain::ids::MessageKey;
use dakghar_core::domain::message::{Reported, Standing, StatusRecord};
use dakghar_core::domain::page::{Listed, PageLimit};
use dakghar_core::metrics::StoreCall;
use dakghar_core::ports::{StatusStore, StoreError};

use super::store::MeasuredStore;

#[async_trait]
impl<S: StatusStore> StatusStore for MeasuredStore<S> {
    async fn record_statuses(&self, batch: &[StatusRecord]) -> Vec<Result<Option<Standing>, StoreError>> {
        let recording = self.inner.record_statuses(batch);
        self.measure(StoreCall::StatusesRecord, recording).await
    }

    async fn reports_of(&self, keys: &[MessageKey]) -> Result<Vec<Vec<Reported>>, StoreError> {
        self.measure(StoreCall::StatusesReportsOf, self.inner.reports_of(keys))
            .await
    }

    async fn find_reports(&self, wanted: &[(MessageKey, Arc<str>)]) -> Vec<Result<Option<StatusRecord>, StoreError>> {
        self.measure(StoreCall::StatusesFindReports, self.inner.find_reports(wanted))
            .await
    }

    async fn statuses_of(&self, key: &MessageKey, limit: PageLimit) -> Result<Listed<StatusRecord>, StoreError> {
        let reading = self.inner.statuses_of(key, limit);
        self.measure(StoreCall::StatusesOf, reading).await
    }
}
