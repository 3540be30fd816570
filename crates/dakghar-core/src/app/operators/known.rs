//! The keys of operators as this process knows them: read once a second at most, by one request while others wait.
//!
//! So a wrong key costs no read of its own. While the store is away, what was read within the second before is believed, and
//! after it every key of an operator fails as the read did. That of the settings needs no store.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::lock::Mutex;

use crate::app::failure::Failure;
use crate::app::tenants::key_uses::NOTE_EVERY;
use crate::domain::api_key::{ApiKey, KeyRefusal, find_key};
use crate::domain::operator_key::{OperatorKey, Role};
use crate::domain::{ApiKeyId, Timestamp};
use crate::group_commit::{BoxFuture, GroupCommit, Limits, Weighed};
use crate::ports::{Clock, OperatorStore, Ports, StoreError};
use crate::vault::InstallationSecrets;

/// The time for which what was read is believed.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was found out about a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OperatorVerdict {
    /// It is that of an operator with this role.
    Right(ApiKeyId, Role),
    /// It is one, and may not be used now or from there.
    Refused(KeyRefusal),
    /// It is nobody's.
    Wrong,
}

/// A use that is to be noted.
pub(in crate::app) struct Use(ApiKeyId, Timestamp);

impl Weighed for Use {
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// The last reading.
struct Seen {
    /// When it was made, by the machine's uptime; `None` if what is known may be older than a change of this process.
    at: Option<Duration>,
    keys: Result<Vec<ApiKey>, StoreError>,
    roles: HashMap<ApiKeyId, Role>,
    /// The uses that this process has noted.
    noted: HashMap<ApiKeyId, Timestamp>,
}

/// The keys, as they were a second ago or later.
pub(super) struct KnownOperators {
    store: Arc<dyn OperatorStore>,
    secrets: Arc<InstallationSecrets>,
    clock: Arc<dyn Clock>,
    seen: Mutex<Seen>,
    notes: GroupCommit<Use, ()>,
}

impl KnownOperators {
    /// The future notes uses.
    pub(super) fn new(ports: &Ports, limits: &Limits) -> (Self, BoxFuture<()>) {
        let store = ports.operators.clone();
        let (notes, noting) = GroupCommit::new(limits.clone(), move |uses: Vec<Use>| {
            let store = store.clone();
            async move {
                for Use(id, at) in &uses {
                    if let Err(error) = store.note_operator_use(id, *at).await {
                        tracing::debug!(%error, key_id = %id, "the last use of a key is not noted");
                    }
                }
                vec![(); uses.len()]
            }
        });
        let known = Self {
            store: ports.operators.clone(),
            secrets: ports.secrets.clone(),
            clock: ports.clock.clone(),
            seen: Mutex::new(Seen {
                at: None,
                keys: Ok(Vec::new()),
                roles: HashMap::new(),
                noted: HashMap::new(),
            }),
            notes,
        };
        (known, noting)
    }

    /// Makes the next check read the store.
    pub(super) async fn forget(&self) {
        self.seen.lock().await.at = None;
    }

    /// Returns the name of a key that was read last.
    pub(super) async fn name_of(&self, id: &ApiKeyId) -> Option<Arc<str>> {
        let seen = self.seen.lock().await;
        let key = seen.keys.as_ref().ok()?.iter().find(|key| key.id == *id)?;
        Some(key.name.as_str().into())
    }

    /// Checks a key. One that is right is noted as used.
    pub(super) async fn check(&self, key: &str, address: Option<IpAddr>) -> Result<OperatorVerdict, Failure> {
        let hashes = self.secrets.hashes_of_api_key(key);
        // Who waits here for a reading has its result, whatever it is.
        let mut seen = self.seen.lock().await;
        let now = self.clock.uptime();
        if seen.at.is_none_or(|at| now.saturating_sub(at) >= LOOK_EVERY) {
            self.read(&mut seen, now).await;
        }
        let wall = self.clock.wall();
        let seen = &mut *seen;
        let keys = seen.keys.as_ref().map_err(Clone::clone)?;
        let Some(key) = find_key(keys, &hashes, wall) else {
            return Ok(OperatorVerdict::Wrong);
        };
        if let Err(refusal) = key.judge(address, wall) {
            return Ok(OperatorVerdict::Refused(refusal));
        }
        let Some(role) = seen.roles.get(&key.id) else {
            return Ok(OperatorVerdict::Wrong);
        };
        let is_recent = |noted: &Timestamp| wall >= *noted && wall.since(*noted) < NOTE_EVERY;
        if !key.last_used_at.iter().chain(seen.noted.get(&key.id)).any(is_recent) {
            seen.noted.insert(key.id, wall);
            self.notes.post(Use(key.id, wall));
        }
        Ok(OperatorVerdict::Right(key.id, *role))
    }

    async fn read(&self, seen: &mut Seen, began: Duration) {
        match self.store.operator_keys().await {
            Ok(found) => {
                seen.at = Some(began);
                seen.roles = found
                    .iter()
                    .map(|OperatorKey { role, key, .. }| (key.id, *role))
                    .collect();
                seen.noted.retain(|id, _| seen.roles.contains_key(id));
                seen.keys = Ok(found.into_iter().map(|found| found.key).collect());
            }
            Err(error) => {
                // Those who waited meanwhile do not try again one after the other.
                seen.at = Some(self.clock.uptime());
                seen.keys = Err(error);
            }
        }
    }
}
