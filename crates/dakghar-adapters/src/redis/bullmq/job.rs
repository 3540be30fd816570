//! The form of work in BullMQ: the queue it is in, the name, id, data and options of its job.
//!
//! The data of a job may name its kind and version. A `send` of version 1 names neither: jobs of this form are in Redis
//! from before there were kinds.

use std::time::SystemTime;

use bullmq::{BulkJob, JobOptions};
use dakghar_core::domain::message::Priority;
use dakghar_core::domain::{MessageId, MessageKey, PhoneNumberId, TenantId, Timestamp};
use dakghar_core::ports::{JobKey, JobKind, QueueEntry};
use serde::{Deserialize, Serialize};

/// The name of the queue when it is not split.
pub const QUEUE_NAME: &str = "whatsapp-send-queue";

/// As much of a foreign kind as is worth a log line.
const KIND_CHARS_MAX: usize = 64;

/// The order in which BullMQ starts what is due: jobs without a priority first, then those with one, the smallest
/// number first.
///
/// Normal jobs carry one too, although the sorted set that holds them costs Redis a little more than the plain list
/// would: a high job that comes due later than it was added goes to the end of that list, and must not find a backlog
/// of normal ones there.
const fn bullmq_priority(priority: Priority) -> u32 {
    match priority {
        Priority::High => 0,
        Priority::Normal => 1,
        Priority::Low => 2,
    }
}

/// The names of the queues; those of a split queue carry a hash tag, so that each is on one node of a cluster.
pub(super) fn queue_names(shards: u16) -> Vec<String> {
    if shards == 1 {
        vec![QUEUE_NAME.to_owned()]
    } else {
        (0..shards).map(|shard| format!("{{{QUEUE_NAME}-{shard}}}")).collect()
    }
}

/// The key of a queue's epoch: the mark by which a loss of Redis' data is noticed.
pub(super) fn epoch_key(queue_name: &str) -> String {
    if queue_name == QUEUE_NAME {
        "dakghar:epoch".to_owned()
    } else {
        format!("dakghar:epoch:{queue_name}")
    }
}

/// The queue that a number's messages go through. All processes must agree, whatever their version, so this is
/// FNV-1a written out and not a hash of the standard library.
pub(super) fn shard_of(phone_number_id: &PhoneNumberId, shards: u16) -> usize {
    let hash = phone_number_id
        .as_str()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
    usize::from(u16::try_from(hash % u64::from(shards)).expect("less than the number of shards"))
}

/// The part of a job's data that says how to read the rest.
#[derive(Deserialize)]
struct Tag {
    kind: Option<String>,
    #[serde(rename = "v")]
    version: Option<u32>,
}

/// The data of a `send`.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct SendPayload {
    tenant_id: String,
    message_id: String,
    /// Left out unless a client waits; earlier releases do not read it.
    #[serde(skip_deserializing, rename = "awaited", skip_serializing_if = "std::ops::Not::not")]
    is_awaited: bool,
}

impl SendPayload {
    fn of(key: &MessageKey, is_awaited: bool) -> Self {
        Self {
            tenant_id: key.tenant_id.to_string(),
            message_id: key.message_id.to_string(),
            is_awaited,
        }
    }

    fn key(&self) -> Option<MessageKey> {
        Some(MessageKey {
            tenant_id: TenantId::parse(&self.tenant_id).ok()?,
            message_id: MessageId::parse(&self.message_id).ok()?,
        })
    }
}

/// Why a job stands for no work that this process can do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotOurs {
    /// It is a ghost whose data was evicted, or something added by hand.
    NoWork,
    /// It was added by a process of a later release.
    UnknownKind {
        /// The kind it names, cut where it is very long.
        kind: String,
        /// The version it names.
        version: u32,
    },
}

/// The work and drive that a job in BullMQ stands for, if it is work of ours.
pub fn work_of_job(id: &str, data: &serde_json::Value) -> Option<(JobKey, u32)> {
    read(id, data).ok()
}

/// The work and drive that a job stands for.
pub(super) fn read(id: &str, data: &serde_json::Value) -> Result<(JobKey, u32), NotOurs> {
    let tag = Tag::deserialize(data).map_err(|_| NotOurs::NoWork)?;
    let key = match known_kind(tag)? {
        JobKind::Send => SendPayload::deserialize(data)
            .ok()
            .and_then(|payload| payload.key())
            .map(JobKey::Send),
    };
    Ok((key.ok_or(NotOurs::NoWork)?, drive(id)))
}

/// True if a client waits for what Meta answers to the message of this job.
pub(super) fn is_awaited(data: &serde_json::Value) -> bool {
    data.get("awaited")
        .and_then(serde_json::Value::as_bool)
        .unwrap_or(false)
}

/// The kind of a job, if this release can read its version.
fn known_kind(Tag { kind, version }: Tag) -> Result<JobKind, NotOurs> {
    let kind = kind.as_deref().unwrap_or(JobKind::Send.as_str());
    let version = version.unwrap_or(1);
    JobKind::parse(kind)
        .filter(|known| (1..=known.version()).contains(&version))
        .ok_or_else(|| NotOurs::UnknownKind {
            kind: kind.chars().take(KIND_CHARS_MAX).collect(),
            version,
        })
}

/// The drive that the id of a job names. Whoever adds a job by hand may call it as they like.
fn drive(job_id: &str) -> u32 {
    let named = job_id.rsplit_once('.').and_then(|(_, drive)| drive.parse().ok());
    named.unwrap_or_default()
}

/// The id of the job: the message's own for its first drive, so that it is easily found in BullMQ's tools.
fn job_id(message_id: MessageId, drive: u32) -> String {
    if drive == 0 {
        message_id.to_string()
    } else {
        format!("{message_id}.{drive}")
    }
}

/// The job of an entry. `now` is by the clock that gave the slot. `made_at` is from when its delay counts; without it, from
/// what this machine's own clock shows.
pub(super) fn bulk_job(entry: &QueueEntry, now: Timestamp, made_at: Option<SystemTime>) -> BulkJob {
    let JobKey::Send(message) = &entry.key;
    let options = made_at.map_or_else(JobOptions::new, |at| JobOptions::new().timestamp(at));
    let options = options
        .job_id(job_id(message.message_id, entry.drive))
        .delay(entry.slot_at.since(now))
        .priority(bullmq_priority(entry.priority))
        // The store decides about attempts.
        .attempts(1);
    BulkJob::with_options(
        entry.key.kind().as_str(),
        SendPayload::of(message, entry.is_awaited),
        options,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use uuid::Uuid;

    fn message(bits: u128) -> MessageId {
        MessageId::from_uuid(Uuid::from_u128(bits))
    }

    #[test]
    fn names_of_queues_and_their_epochs() {
        assert_eq!(queue_names(1), ["whatsapp-send-queue"]);
        assert_eq!(queue_names(2), ["{whatsapp-send-queue-0}", "{whatsapp-send-queue-1}"]);
        assert_eq!(epoch_key(QUEUE_NAME), "dakghar:epoch");
        assert_eq!(
            epoch_key("{whatsapp-send-queue-1}"),
            "dakghar:epoch:{whatsapp-send-queue-1}"
        );
    }

    #[test]
    fn ids_name_the_message_and_later_drives() {
        assert_eq!(job_id(message(1), 0), "msg_00000000000000000000000001");
        assert_eq!(job_id(message(1), 12), "msg_00000000000000000000000001.12");
    }

    #[test]
    fn a_number_keeps_its_shard_in_every_version() {
        let number = PhoneNumberId::parse("111111111111111").unwrap();
        assert_eq!(shard_of(&number, 1), 0);
        assert_eq!(shard_of(&number, 4), 2);
        assert_eq!(shard_of(&number, 1000), 982);
    }

    #[test]
    fn shards_are_used_evenly() {
        let mut counts = [0_u32; 4];
        for number in 0..4000 {
            let number = PhoneNumberId::parse(&format!("{}", 104_000_000_000_000_u64 + number)).unwrap();
            counts[shard_of(&number, 4)] += 1;
        }
        assert!(counts.iter().all(|count| (800..1200).contains(count)), "{counts:?}");
    }

    const TENANT: &str = "ten_00000000000000000000000007";
    const MESSAGE: &str = "msg_00000000000000000000000001";

    fn unknown(kind: &str, version: u32) -> Result<(JobKey, u32), NotOurs> {
        Err(NotOurs::UnknownKind {
            kind: kind.to_owned(),
            version,
        })
    }

    #[test]
    fn a_send_names_its_message_and_nothing_else() {
        let JobKey::Send(key) = read(MESSAGE, &json!({"tenantId": TENANT, "messageId": MESSAGE}))
            .unwrap()
            .0;
        assert_eq!(
            serde_json::to_string(&SendPayload::of(&key, false)).unwrap(),
            format!(r#"{{"tenantId":"{TENANT}","messageId":"{MESSAGE}"}}"#)
        );
        assert_eq!(JobKey::Send(key).kind().as_str(), "send");
    }

    #[test]
    fn a_send_that_is_awaited_says_so_to_who_can_read_it() {
        let data = json!({"tenantId": TENANT, "messageId": MESSAGE});
        assert!(!is_awaited(&data));
        let JobKey::Send(key) = read(MESSAGE, &data).unwrap().0;
        let data = serde_json::to_value(SendPayload::of(&key, true)).unwrap();
        assert_eq!(data, json!({"tenantId": TENANT, "messageId": MESSAGE, "awaited": true}));
        assert!(is_awaited(&data));
        assert_eq!(read(MESSAGE, &data).unwrap().0, JobKey::Send(key));
        assert!(!is_awaited(&json!({"awaited": "yes"})));
    }

    #[test]
    fn reads_its_own_jobs_and_those_that_others_added() {
        let data = json!({"tenantId": TENANT, "messageId": MESSAGE});
        let (JobKey::Send(key), drive) = read(&job_id(message(1), 3), &data).unwrap();
        assert_eq!(
            (key.tenant_id.to_string(), key.message_id, drive),
            (TENANT.to_owned(), message(1), 3)
        );
        for id in [MESSAGE, "again", "by.hand", "1.", ""] {
            assert_eq!(read(id, &data).unwrap().1, 0, "{id}");
        }
    }

    #[test]
    fn a_job_that_names_a_known_kind_and_version_is_read_like_one_that_names_none() {
        let untagged = read("any", &json!({"tenantId": TENANT, "messageId": MESSAGE}));
        assert!(untagged.is_ok());
        for data in [
            json!({"kind": "send", "v": 1, "tenantId": TENANT, "messageId": MESSAGE}),
            json!({"kind": "send", "tenantId": TENANT, "messageId": MESSAGE}),
            json!({"kind": null, "v": null, "tenantId": TENANT, "messageId": MESSAGE}),
        ] {
            assert_eq!(read("any", &data), untagged, "{data}");
        }
    }

    #[test]
    fn a_kind_of_a_later_release_is_unknown() {
        let data = json!({"kind": "callback", "v": 1, "eventId": "evt_1"});
        assert_eq!(read("any", &data), unknown("callback", 1));
        let data = json!({"kind": "x".repeat(1000), "v": 1});
        assert_eq!(read("any", &data), unknown(&"x".repeat(64), 1));
    }

    #[test]
    fn a_later_version_of_a_kind_is_unknown() {
        for version in [0, 2, u32::MAX] {
            let data = json!({"kind": "send", "v": version, "tenantId": TENANT, "messageId": MESSAGE});
            assert_eq!(read("any", &data), unknown("send", version));
        }
    }

    #[test]
    fn what_is_not_a_job_of_ours_is_no_work() {
        for data in [
            json!(null),
            json!({}),
            json!({"tenantId": "ten_x", "messageId": MESSAGE}),
            json!({"tenantId": TENANT, "messageId": 7}),
            json!({"kind": 7, "v": 1, "tenantId": TENANT, "messageId": MESSAGE}),
            json!({"kind": "send", "v": -1, "tenantId": TENANT, "messageId": MESSAGE}),
        ] {
            assert_eq!(read("any", &data), Err(NotOurs::NoWork), "{data}");
        }
    }
}
