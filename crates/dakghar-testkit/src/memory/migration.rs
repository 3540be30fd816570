//! Both ends of a migration: a [`MemoryStore`] can be left, and can be moved into.

use std::collections::BTreeMap;

use async_trait::async_trait;
use dakghar_core::domain::audit::AuditChain;
use dakghar_core::domain::callback::exception_id;
use dakghar_core::domain::migration::{Checksum, Kind, Migration, Place, Record, Retirement};
use dakghar_core::domain::{Message, PlacedEntry};
use dakghar_core::ports::{
    Acceptance, EndpointInserted, MigrationSource, MigrationTarget, Received, Saved, SourcePage, StoreError,
};

use super::{MemoryStore, State};

impl State {
    /// Everything of one kind, by id.
    fn records(&self, kind: Kind) -> BTreeMap<String, Record> {
        let records: Vec<Record> = match kind {
            Kind::Tenants => {
                let all = self.tenants.values().cloned();
                all.map(|tenant| Record::Tenant(Box::new(tenant))).collect()
            }
            Kind::Conversations => self.conversations.values().cloned().map(Record::Conversation).collect(),
            Kind::Messages => {
                let messages = self.messages.values().cloned();
                messages.map(|message| Record::Message(Box::new(message))).collect()
            }
            Kind::Statuses => self.statuses.values().cloned().map(Record::Status).collect(),
            Kind::Events => self.events.values().cloned().map(Record::Event).collect(),
            Kind::Apps => self.apps.values().cloned().map(Record::App).collect(),
            Kind::OperatorKeys => {
                let keys = self.operator_keys.values().cloned();
                keys.map(|key| Record::OperatorKey(Box::new(key))).collect()
            }
            Kind::InstallationSecrets => {
                let secrets = self.installation.values().cloned();
                secrets.map(Record::InstallationSecrets).collect()
            }
            Kind::Endpoints => {
                let endpoints = self.endpoints.values().cloned();
                endpoints.map(|endpoint| Record::Endpoint(Box::new(endpoint))).collect()
            }
            Kind::Progress => {
                let progress = self.callbacks.progress.values().cloned();
                progress.map(|progress| Record::Progress(Box::new(progress))).collect()
            }
            Kind::Exceptions => {
                let exceptions = self.callbacks.exceptions.values().cloned();
                exceptions
                    .map(|exception| Record::Exception(Box::new(exception)))
                    .collect()
            }
            Kind::Feed => self.feeds.all().map(Record::Entry).collect(),
            Kind::OptOuts => self.opt_outs.values().cloned().map(Record::OptOut).collect(),
            Kind::Audit => {
                let records = self.audit.values().cloned();
                records.map(|record| Record::Audit(Box::new(record))).collect()
            }
        };
        records.into_iter().map(|record| (record.id(), record)).collect()
    }

    /// The record that is stored under the id of this one.
    fn record(&self, like: &Record) -> Option<Record> {
        match like {
            Record::Tenant(like) => {
                let found = self.tenants.get(&like.id).cloned();
                found.map(|tenant| Record::Tenant(Box::new(tenant)))
            }
            Record::Conversation(like) => self.conversations.get(&like.id).cloned().map(Record::Conversation),
            Record::Message(like) => {
                let message = self.messages.get(&like.accepted.id).cloned();
                message.map(|message| Record::Message(Box::new(message)))
            }
            Record::Status(like) => self.statuses.get(&like.id()).cloned().map(Record::Status),
            Record::Event(like) => self.events.get(&like.id).cloned().map(Record::Event),
            Record::App(like) => self.apps.get(&like.id).cloned().map(Record::App),
            Record::OperatorKey(like) => {
                let key = self.operator_keys.get(&like.key.id).cloned();
                key.map(|key| Record::OperatorKey(Box::new(key)))
            }
            Record::InstallationSecrets(like) => {
                let secrets = self.installation.get(&like.name).cloned();
                secrets.map(Record::InstallationSecrets)
            }
            Record::Endpoint(like) => {
                let endpoint = self.endpoints.get(&like.id).cloned();
                endpoint.map(|endpoint| Record::Endpoint(Box::new(endpoint)))
            }
            Record::Progress(like) => {
                let progress = self.callbacks.progress.get(&like.endpoint_id).cloned();
                progress.map(|progress| Record::Progress(Box::new(progress)))
            }
            Record::Exception(like) => {
                let key = (like.endpoint_id, like.placed.place);
                let exception = self.callbacks.exceptions.get(&key).cloned();
                exception.map(|exception| Record::Exception(Box::new(exception)))
            }
            Record::Entry(like) => {
                let mut all = self.feeds.all();
                let is_it =
                    |found: &PlacedEntry| found.entry.tenant_id == like.entry.tenant_id && found.place == like.place;
                all.find(is_it).map(Record::Entry)
            }
            Record::OptOut(like) => {
                let said = self.opt_outs.get(&(like.tenant_id, like.key)).cloned();
                said.map(Record::OptOut)
            }
            Record::Audit(like) => {
                let record = self.audit.get(&like.number).cloned();
                record.map(|record| Record::Audit(Box::new(record)))
            }
        }
    }

    /// Stores a record under its id; returns whether there was room for it beside the others.
    fn put_record(&mut self, record: Record) -> bool {
        if self.record(&record).is_some() {
            return true;
        }
        match record {
            Record::Tenant(tenant) => {
                let mut numbers = tenant.phone_numbers.iter();
                if numbers.any(|number| self.owner_of(&number.phone_number_id).is_some()) {
                    return false;
                }
                self.tenants.insert(tenant.id, *tenant);
            }
            Record::Conversation(conversation) => {
                self.conversations.insert(conversation.id, conversation);
            }
            Record::Message(message) => return self.put_message(*message),
            Record::Status(status) => {
                self.statuses.insert(status.id(), status);
            }
            Record::Event(event) => {
                let mut known = self.events.values();
                if known.any(|known| known.fingerprint == event.fingerprint) {
                    return false;
                }
                self.events.insert(event.id, event);
            }
            Record::App(app) => {
                self.apps.insert(app.id.clone(), app);
            }
            Record::OperatorKey(key) => {
                self.operator_keys.insert(key.key.id, *key);
            }
            Record::InstallationSecrets(secrets) => {
                self.installation.insert(secrets.name.clone(), secrets);
            }
            Record::Endpoint(endpoint) => return self.insert_endpoint(&endpoint) == EndpointInserted::Done,
            Record::Progress(progress) => {
                self.callbacks.progress.insert(progress.endpoint_id, *progress);
            }
            Record::Exception(exception) => {
                let key = (exception.endpoint_id, exception.placed.place);
                self.callbacks.exceptions.insert(key, *exception);
            }
            Record::Entry(entry) => self.feeds.put(entry),
            Record::OptOut(said) => self.note_opt_outs(&[said]),
            Record::Audit(record) => {
                self.audit_chain.take_in(&record);
                self.audit.insert(record.number, *record);
            }
        }
        true
    }

    fn put_message(&mut self, message: Message) -> bool {
        if message.is_reported() {
            self.receive(message) == Received::New
        } else {
            self.accept(message) == Acceptance::Stored
        }
    }

    fn remove_records(&mut self, kind: Kind, limit: usize) -> u64 {
        let mut ids: Vec<String> = self.records(kind).into_keys().collect();
        ids.truncate(limit);
        let is_left = |id: String| !ids.contains(&id);
        match kind {
            Kind::Tenants => self.tenants.retain(|id, _| is_left(id.to_string())),
            Kind::Conversations => self.conversations.retain(|id, _| is_left(id.to_string())),
            Kind::Messages => {
                self.messages.retain(|id, _| is_left(id.to_string()));
                self.by_key.retain(|_, id| self.messages.contains_key(id));
                self.received.retain(|_, id| self.messages.contains_key(id));
            }
            Kind::Statuses => self.statuses.retain(|id, _| is_left(id.clone())),
            Kind::Events => self.events.retain(|id, _| is_left(id.to_string())),
            Kind::Apps => self.apps.retain(|id, _| is_left(id.to_string())),
            Kind::OperatorKeys => self.operator_keys.retain(|id, _| is_left(id.to_string())),
            Kind::InstallationSecrets => self.installation.retain(|name, _| is_left(name.clone())),
            Kind::Endpoints => self.endpoints.retain(|id, _| is_left(id.to_string())),
            Kind::Progress => self.callbacks.progress.retain(|id, _| is_left(id.to_string())),
            Kind::Exceptions => {
                let exceptions = &mut self.callbacks.exceptions;
                exceptions.retain(|(endpoint_id, place), _| is_left(exception_id(endpoint_id, *place)));
            }
            Kind::Feed => self.feeds.retain(|entry| is_left(Record::Entry(entry).id())),
            Kind::OptOuts => self.opt_outs.retain(|_, said| is_left(said.id())),
            Kind::Audit => {
                self.audit.retain(|_, record| is_left(record.place()));
                self.audit_chain = AuditChain::default();
            }
        }
        ids.len() as u64
    }
}

#[async_trait]
impl MigrationSource for MemoryStore {
    async fn state(&self) -> Result<[u8; 32], StoreError> {
        self.with(|state| {
            let mut checksum = Checksum::new();
            for kind in Kind::ALL {
                for record in state.records(kind).values() {
                    checksum.add(record);
                }
            }
            checksum.finish()
        })
    }

    async fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        self.with(|state| state.records(kind).len() as u64)
    }

    async fn open_redrives(&self) -> Result<u64, StoreError> {
        self.with(|state| {
            let open = state.redrives.values().filter(|redrive| redrive.status.is_open());
            open.count() as u64
        })
    }

    async fn open_erasures(&self) -> Result<u64, StoreError> {
        self.with(|state| state.erasures.values().filter(|erasure| erasure.is_open()).count() as u64)
    }

    async fn open_signups(&self) -> Result<u64, StoreError> {
        self.with(|state| state.signups.values().filter(|signup| signup.needs_work()).count() as u64)
    }

    async fn open_departures(&self) -> Result<u64, StoreError> {
        self.with(|state| {
            state
                .departures
                .values()
                .filter(|departure| departure.is_open())
                .count() as u64
        })
    }

    async fn page(&self, kind: Kind, after: Option<&Place>, limit: u32) -> Result<SourcePage, StoreError> {
        self.with(|state| {
            let records = state.records(kind);
            let behind = records
                .into_iter()
                .filter(|(id, _)| after.is_none_or(|after| *id > after.0));
            let (ids, records): (Vec<String>, Vec<Record>) = behind.take(limit as usize).unzip();
            SourcePage {
                records,
                end: ids.into_iter().next_back().map(Place),
            }
        })
    }

    async fn retirement(&self) -> Result<Option<Retirement>, StoreError> {
        self.with(|state| state.retirement.clone())
    }

    async fn retire(&self, retirement: &Retirement) -> Result<(), StoreError> {
        self.with(|state| state.retirement = Some(retirement.clone()))
    }
}

#[async_trait]
impl MigrationTarget for MemoryStore {
    async fn migration(&self) -> Result<Option<Migration>, StoreError> {
        self.with(|state| state.migration.clone())
    }

    async fn save_migration(&self, migration: &Migration) -> Result<Saved, StoreError> {
        self.with(|state| {
            let stored = state.migration.as_ref().map_or(0, |stored| stored.version);
            if stored != migration.version {
                return Saved::Stale;
            }
            state.migration = Some(Migration {
                version: stored + 1,
                ..migration.clone()
            });
            Saved::Done
        })
    }

    async fn count(&self, kind: Kind) -> Result<u64, StoreError> {
        self.with(|state| state.records(kind).len() as u64)
    }

    async fn put(&self, records: &[Record]) -> Result<(), StoreError> {
        let refused = self.with(|state| {
            let mut records = records.iter();
            records
                .find(|record| !state.put_record((*record).clone()))
                .map(Record::id)
        })?;
        refused.map_or(Ok(()), |id| {
            Err(StoreError::Corrupt(format!("{id} has no room beside what is there")))
        })
    }

    async fn stored(&self, like: &[Record]) -> Result<Vec<Option<Record>>, StoreError> {
        self.with(|state| like.iter().map(|like| state.record(like)).collect())
    }

    async fn clear(&self, kind: Kind, limit: u32) -> Result<u64, StoreError> {
        self.with(|state| state.remove_records(kind, limit as usize))
    }
}
