//! What a message looks like in BullMQ: the queue it is in, the id, data and options of its job.

use bullmq::{BulkJob, JobOptions};
use dakghar_core::domain::message::Priority;
use dakghar_core::domain::{MessageId, MessageKey, PhoneNumberId, TenantId, Timestamp};
use dakghar_core::ports::{JobKey, QueueEntry};
use serde::{Deserialize, Serialize};

/// The name of the queue when it is not split.
pub const QUEUE_NAME: &str = "whatsapp-send-queue";

/// What jobs are called in BullMQ's tools.
const JOB_NAME: &str = "send";

/// How BullMQ orders what is due: jobs without a priority first, then those with one, the smallest number first.
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

/// Where the epoch of a queue is kept: the mark by which a loss of Redis' data is noticed.
pub(super) fn epoch_key(queue_name: &str) -> String {
    if queue_name == QUEUE_NAME {
        "dakghar:epoch".to_owned()
    } else {
        format!("dakghar:epoch:{queue_name}")
    }
}

/// Which of the queues a number's messages go through. All processes must agree, whatever their version, so this is
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

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payload {
    tenant_id: String,
    message_id: String,
}

/// The message and drive a job stands for; `None` when it is not one of ours: a ghost whose data was evicted, or
/// something added by hand.
pub(super) fn read(id: &str, data: &serde_json::Value) -> Option<(MessageKey, u32)> {
    let payload = Payload::deserialize(data).ok()?;
    let key = MessageKey {
        tenant_id: TenantId::parse(&payload.tenant_id).ok()?,
        message_id: MessageId::parse(&payload.message_id).ok()?,
    };
    Some((key, drive(id)))
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

/// The job of an entry.
pub(super) fn bulk_job(entry: &QueueEntry, now: Timestamp) -> BulkJob {
    let JobKey::Send(key) = entry.key;
    let payload = Payload {
        tenant_id: key.tenant_id.to_string(),
        message_id: key.message_id.to_string(),
    };
    let options = JobOptions::new()
        .job_id(job_id(key.message_id, entry.drive))
        .delay(entry.slot_at.since(now))
        .priority(bullmq_priority(entry.priority))
        // The store decides about attempts.
        .attempts(1);
    BulkJob::with_options(JOB_NAME, payload, options)
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

    #[test]
    fn reads_its_own_jobs_and_those_that_others_added() {
        let (tenant, message_id) = ("ten_00000000000000000000000007", "msg_00000000000000000000000001");
        let data = json!({"tenantId": tenant, "messageId": message_id});
        let (key, drive) = read(&job_id(message(1), 3), &data).unwrap();
        assert_eq!(
            (key.tenant_id.to_string(), key.message_id, drive),
            (tenant.to_owned(), message(1), 3)
        );
        for id in [message_id, "again", "by.hand", "1.", ""] {
            assert_eq!(read(id, &data).unwrap().1, 0, "{id}");
        }
    }

    #[test]
    fn what_is_not_a_job_of_ours_is_none() {
        for data in [
            json!(null),
            json!({}),
            json!({"tenantId": "ten_x", "messageId": "msg_00000000000000000000000001"}),
            json!({"tenantId": "ten_00000000000000000000000007", "messageId": 7}),
        ] {
            assert_eq!(read("any", &data), None, "{data}");
        }
    }
}
