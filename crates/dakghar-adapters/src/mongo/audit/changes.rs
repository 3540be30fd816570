//! Changes that are recorded, inside of the transaction of their records.

use bson::oid::ObjectId;
use bson::{Document, RawDocumentBuf, doc};
use dakghar_core::domain::feed::FeedEntry;
use dakghar_core::domain::hold::SendingHold;
use dakghar_core::domain::tenant::Tenant;
use dakghar_core::domain::webhook::WebhookEvent;
use dakghar_core::ports::{AuditedChange, Carried, Save, StoreError, TenantSaved};
use mongodb::{ClientSession, Collection};

use crate::mongo::MongoStore;
use crate::mongo::documents::{
    counter, date, departure, endpoint, erasure, event, meta_app, operator_key, redrive, signup, tenant,
};
use crate::mongo::holds;
use crate::mongo::indexes::BY_ID;
use crate::mongo::messages::deliveries;
use crate::mongo::reads::Query;
use crate::mongo::transactions::Aborted;

impl MongoStore {
    /// Does it inside of a transaction. Unless it is done, nothing was written.
    pub(super) async fn carry_out_within(
        &self,
        session: &mut ClientSession,
        change: &AuditedChange,
    ) -> Result<Carried, Aborted> {
        use AuditedChange as Change;
        match change {
            Change::Nothing => Ok(Carried::Done),
            Change::InsertTenant(new) => {
                let document = tenant::encode(new, new.version, ObjectId::new());
                self.insert_one_within(session, &self.tenants, document).await
            }
            Change::SaveTenant(tenant, told) => self.save_tenant_within(session, tenant, told).await,
            Change::InsertOperatorKey(key) => {
                let document = operator_key::encode(key, key.version);
                self.insert_one_within(session, &self.operators, document).await
            }
            Change::SaveOperatorKey(key) => {
                let as_read = doc! { "_id": key.key.id.to_string(), "version": counter(key.version) };
                let document = operator_key::encode(key, key.version + 1);
                self.replace_one_within(session, &self.operators, as_read, document)
                    .await
            }
            Change::RemoveOperatorKey(id) => {
                self.delete_one_within(session, &self.operators, doc! { "_id": id.to_string() })
                    .await
            }
            Change::InsertApp(app) => {
                let document = meta_app::encode(app, app.version);
                self.insert_one_within(session, &self.apps, document).await
            }
            Change::SaveApp(app) => {
                let as_read = doc! { "_id": app.id.as_str(), "version": counter(app.version) };
                let document = meta_app::encode(app, app.version + 1);
                self.replace_one_within(session, &self.apps, as_read, document).await
            }
            Change::RemoveApp(id) => {
                self.delete_one_within(session, &self.apps, doc! { "_id": id.as_str() })
                    .await
            }
            Change::InsertEndpoint(_) | Change::SaveEndpoint(_) | Change::RemoveEndpoint(..) => {
                self.carry_out_on_endpoint(session, change).await
            }
            Change::KeepSendingHold(hold) => self.keep_hold_within(session, *hold).await,
            Change::InsertRedrive(new) => {
                let document = redrive::encode(new, new.version);
                self.insert_one_within(session, &self.redrives, document).await
            }
            Change::SaveRedrive(saved) => {
                let as_read = doc! { "_id": saved.id.to_string(), "version": counter(saved.version) };
                let document = redrive::encode(saved, saved.version + 1);
                self.replace_one_within(session, &self.redrives, as_read, document)
                    .await
            }
            Change::InsertErasure(new) => {
                let document = erasure::encode(new, new.version);
                self.insert_one_within(session, &self.erasures, document).await
            }
            Change::NoteOptOuts(batch) => self.note_opt_outs_within(session, batch).await,
            Change::InsertSignup(_) | Change::SaveSignup(_) => self.carry_out_on_signup(session, change).await,
            Change::InsertDeparture(_) | Change::SaveDeparture(_) => self.carry_out_on_departure(session, change).await,
            Change::SaveMessage(save) => self.save_message_within(session, save).await,
        }
    }

    async fn carry_out_on_endpoint(
        &self,
        session: &mut ClientSession,
        change: &AuditedChange,
    ) -> Result<Carried, Aborted> {
        match change {
            AuditedChange::InsertEndpoint(new) => {
                let document = endpoint::encode(new, new.version);
                self.insert_one_within(session, &self.endpoints, document).await
            }
            AuditedChange::SaveEndpoint(saved) => {
                let as_read = doc! {
                    "_id": saved.id.to_string(), "tenantId": saved.tenant_id.to_string(),
                    "seat": i64::from(saved.seat), "version": counter(saved.version),
                };
                let document = endpoint::encode(saved, saved.version + 1);
                self.replace_one_within(session, &self.endpoints, as_read, document)
                    .await
            }
            AuditedChange::RemoveEndpoint(tenant_id, id, version) => {
                let mut filter = doc! { "_id": id.to_string(), "tenantId": tenant_id.to_string() };
                if let Some(version) = version {
                    filter.insert("version", counter(*version));
                }
                self.delete_one_within(session, &self.endpoints, filter).await
            }
            _ => Ok(Carried::Stale),
        }
    }

    async fn carry_out_on_signup(
        &self,
        session: &mut ClientSession,
        change: &AuditedChange,
    ) -> Result<Carried, Aborted> {
        match change {
            AuditedChange::InsertSignup(new) => {
                let document = signup::encode(new, new.version);
                self.insert_one_within(session, &self.signups, document).await
            }
            AuditedChange::SaveSignup(saved) => {
                let as_read = doc! { "_id": saved.id.to_string(), "version": counter(saved.version) };
                let document = signup::encode(saved, saved.version + 1);
                self.replace_one_within(session, &self.signups, as_read, document).await
            }
            _ => Ok(Carried::Stale),
        }
    }

    async fn carry_out_on_departure(
        &self,
        session: &mut ClientSession,
        change: &AuditedChange,
    ) -> Result<Carried, Aborted> {
        match change {
            AuditedChange::InsertDeparture(new) => {
                let document = departure::encode(new, new.version);
                self.insert_one_within(session, &self.departures, document).await
            }
            AuditedChange::SaveDeparture(saved) => {
                let as_read = doc! { "_id": saved.id.to_string(), "version": counter(saved.version) };
                let document = departure::encode(saved, saved.version + 1);
                self.replace_one_within(session, &self.departures, as_read, document)
                    .await
            }
            _ => Ok(Carried::Stale),
        }
    }

    async fn insert_one_within(
        &self,
        session: &mut ClientSession,
        collection: &Collection<RawDocumentBuf>,
        document: Result<RawDocumentBuf, StoreError>,
    ) -> Result<Carried, Aborted> {
        let document = document.map_err(Aborted::Failed)?;
        self.insert_within(session, collection, &[document]).await?;
        Ok(Carried::Done)
    }

    async fn replace_one_within(
        &self,
        session: &mut ClientSession,
        collection: &Collection<RawDocumentBuf>,
        as_read: Document,
        document: Result<RawDocumentBuf, StoreError>,
    ) -> Result<Carried, Aborted> {
        let replace = collection.replace_one(as_read, document.map_err(Aborted::Failed)?);
        match replace.session(&mut *session).await {
            Ok(replaced) => Ok(Carried::if_done(replaced.matched_count == 1)),
            Err(error) => Err(self.undone(session, error).await),
        }
    }

    async fn delete_one_within(
        &self,
        session: &mut ClientSession,
        collection: &Collection<RawDocumentBuf>,
        filter: Document,
    ) -> Result<Carried, Aborted> {
        match collection.delete_one(filter).session(&mut *session).await {
            Ok(deleted) => Ok(Carried::if_done(deleted.deleted_count == 1)),
            Err(error) => Err(self.undone(session, error).await),
        }
    }

    async fn save_tenant_within(
        &self,
        session: &mut ClientSession,
        saved: &Tenant,
        told: &[WebhookEvent],
    ) -> Result<Carried, Aborted> {
        let as_read = doc! { "_id": saved.id.to_string(), "version": counter(saved.version) };
        let document = tenant::encode(saved, saved.version + 1, ObjectId::new());
        let carried = self
            .replace_one_within(session, &self.tenants, as_read, document)
            .await?;
        if carried != Carried::Done || told.is_empty() {
            return Ok(carried);
        }
        let events = told.iter().map(event::encode).collect::<Result<Vec<_>, _>>();
        self.insert_within(session, &self.events, &events.map_err(Aborted::Failed)?)
            .await?;
        let entries: Vec<FeedEntry> = told.iter().filter_map(FeedEntry::of_event).collect();
        let arrivals = self.next_arrivals_within(session, &saved.id, &entries).await?;
        self.insert_within(session, &self.feed_arrivals, &arrivals).await?;
        Ok(Carried::Done)
    }

    /// A change of a message is announced elsewhere because that costs the server less. For the few of operators it is a part of
    /// this transaction, and nothing is left to be settled.
    async fn save_message_within(&self, session: &mut ClientSession, save: &Save) -> Result<Carried, Aborted> {
        let quiet = Save {
            entry: None,
            ..save.clone()
        };
        let statement = deliveries(&[quiet], ObjectId::new(), 1).map_err(Aborted::Failed)?;
        let Some((filter, steps)) = statement.first().and_then(|(_, statement)| parts_of(statement)) else {
            return Ok(Carried::Stale);
        };
        let update = self.messages.update_one(filter, steps);
        match update.session(&mut *session).await {
            Ok(updated) if updated.matched_count == 0 => return Ok(Carried::Stale),
            Ok(_) => {}
            Err(error) => return Err(self.undone(session, error).await),
        }
        if let Some(entry) = &save.entry {
            let entries = std::slice::from_ref(entry);
            let arrivals = self.next_arrivals_within(session, &save.key.tenant_id, entries).await?;
            self.insert_within(session, &self.feed_arrivals, &arrivals).await?;
        }
        Ok(Carried::Done)
    }

    async fn keep_hold_within(
        &self,
        session: &mut ClientSession,
        hold: Option<SendingHold>,
    ) -> Result<Carried, Aborted> {
        let (collection, one) = (self.of_holds(), doc! { "_id": holds::ID });
        let Some(hold) = hold else {
            self.delete_one_within(session, &collection, one).await?;
            return Ok(Carried::Done);
        };
        let fields = doc! { "schemaVersion": 1, "since": date(hold.since) };
        let begin = collection.update_one(one, doc! { "$set": fields }).upsert(true);
        match begin.session(&mut *session).await {
            Ok(_) => Ok(Carried::Done),
            Err(error) => Err(self.undone(session, error).await),
        }
    }

    /// The outcome of a change whose key is there already.
    pub(super) async fn why_duplicate(&self, change: &AuditedChange) -> Result<Carried, StoreError> {
        match change {
            AuditedChange::InsertTenant(tenant) => {
                let query = Query::new(doc! { "_id": tenant.id.to_string() }, BY_ID).majority();
                if self.fetch(&self.tenants, query, |_| ()).await?.is_empty() {
                    return self.taken_number(tenant).await.map(TenantSaved::into);
                }
                Ok(Carried::Stale)
            }
            AuditedChange::SaveTenant(tenant, _) => self.taken_number(tenant).await.map(TenantSaved::into),
            AuditedChange::InsertEndpoint(endpoint) => {
                let query = Query::new(doc! { "_id": endpoint.id.to_string() }, BY_ID).majority();
                let known = self.fetch(&self.endpoints, query, |_| ()).await?;
                Ok(if known.is_empty() {
                    Carried::SeatTaken
                } else {
                    Carried::Stale
                })
            }
            _ => Ok(Carried::Stale),
        }
    }
}

/// The filter and the steps of an update statement.
fn parts_of(statement: &RawDocumentBuf) -> Option<(Document, Vec<Document>)> {
    let statement = Document::try_from(statement.as_ref()).ok()?;
    let filter = statement.get_document("q").ok()?.clone();
    let steps = statement.get_array("u").ok()?.iter();
    let steps = steps.map(|step| step.as_document().cloned()).collect::<Option<_>>()?;
    Some((filter, steps))
}
