//! The members of answers that support sees.

/// The names of members that are shown, in alphabetical order. The members of their values are looked at in turn.
pub(super) const SHOWN: [&str; 246] = [
    "about",
    "account",
    "accountMode",
    "accountUsage",
    "addedAt",
    "addresses",
    "advice",
    "after",
    "answers",
    "appId",
    "appUsage",
    "askedBy",
    "at",
    "attempt",
    "attempts",
    "batchMax",
    "beganAt",
    "behind",
    "breaker",
    "callbackUrl",
    "callsPercent",
    "callsUnderWay",
    "cancelled",
    "cause",
    "causes",
    "changedAt",
    "checkedAt",
    "code",
    "codeVerification",
    "concerns",
    "concurrency",
    "confirmDuplicateRisk",
    "contentDays",
    "contentRemovedAt",
    "conversationId",
    "conversationIds",
    "conversations",
    "cpuTimePercent",
    "createdAt",
    "currency",
    "customerServiceWindowUntil",
    "data",
    "dead",
    "deadReason",
    "declinedAt",
    "defaultCountry",
    "delayMs",
    "delivered",
    "deliveredAt",
    "departureId",
    "dependencies",
    "details",
    "direction",
    "disabled",
    "displayPhoneNumber",
    "editedAt",
    "endedAt",
    "endpointId",
    "enforce",
    "erased",
    "error",
    "event",
    "eventId",
    "eventIds",
    "events",
    "expired",
    "expiredDays",
    "expiresAt",
    "exportedAt",
    "failed",
    "failedAt",
    "failedDays",
    "failedSince",
    "failure",
    "failuresInARow",
    "fbtraceId",
    "feedDays",
    "field",
    "filter",
    "finishedAt",
    "firstSeenAt",
    "format",
    "from",
    "givenUpDays",
    "groupId",
    "groupMessages",
    "hasFunding",
    "hasPin",
    "hasVerifyToken",
    "headers",
    "health",
    "held",
    "heldUntil",
    "history",
    "hold",
    "holdReason",
    "httpStatus",
    "id",
    "idempotencyKey",
    "ids",
    "ignoreExpiry",
    "isCallbackUrl",
    "isDefault",
    "isOnApp",
    "isOnBusinessApp",
    "isPresent",
    "isReplay",
    "isSimulated",
    "keyId",
    "kind",
    "kinds",
    "language",
    "last",
    "lastInboundAt",
    "lastMessageAt",
    "lastMessageId",
    "lastSeenAt",
    "lastUsedAt",
    "later",
    "leaving",
    "limits",
    "link",
    "marketing",
    "maxAgeHours",
    "meaning",
    "message",
    "messageStatus",
    "messages",
    "messagesPerSecond",
    "messagesWaiting",
    "messagingLimit",
    "metaUnreachable",
    "ms",
    "name",
    "nameStatus",
    "needsCode",
    "needsVacuum",
    "nextAt",
    "nextCursor",
    "nextProbeAt",
    "nextTryAt",
    "notBefore",
    "note",
    "number",
    "oldest",
    "openExceptions",
    "openSince",
    "optOuts",
    "order",
    "origin",
    "outcome",
    "participant",
    "perMinute",
    "perSecond",
    "person",
    "personId",
    "phase",
    "phoneNumberId",
    "phoneNumberIds",
    "phoneNumbers",
    "place",
    "platform",
    "prefix",
    "priority",
    "probeAt",
    "probes",
    "problem",
    "progress",
    "quality",
    "quietHours",
    "reason",
    "receivedAt",
    "redriveId",
    "redriven",
    "report",
    "reportedAt",
    "reports",
    "requestId",
    "requestsPerSecond",
    "requireOpenWindow",
    "required",
    "retentionDays",
    "returnUrl",
    "reviewStatus",
    "revokedAt",
    "role",
    "scheduledAt",
    "scope",
    "scopes",
    "secrets",
    "sendUntil",
    "sendingHeldSince",
    "signupConfigId",
    "signupId",
    "since",
    "skipped",
    "source",
    "standing",
    "startsBehind",
    "state",
    "status",
    "statuses",
    "step",
    "steps",
    "stopWords",
    "stoppedBy",
    "storeFullSince",
    "subcode",
    "tenantId",
    "throughput",
    "timePercent",
    "timeZone",
    "timeline",
    "timesMax",
    "to",
    "token",
    "toldAt",
    "total",
    "totalIsExact",
    "tries",
    "triesFailed",
    "type",
    "unknownDays",
    "unknownOutcome",
    "unreadable",
    "unrouted",
    "until",
    "updatedAt",
    "url",
    "used",
    "userId",
    "username",
    "validUntil",
    "verifiedName",
    "version",
    "versions",
    "waId",
    "wabaId",
    "wabaIds",
    "wabaIsLearned",
    "waiting",
    "waitingFor",
    "waitsFor",
    "wamid",
    "webhookPath",
    "webhooks",
];

/// The names of members that are withheld; a test sees to it that every documented member is in one of the two lists.
#[cfg(test)]
const WITHHELD: [&str; 14] = [
    "answer",
    "bizOpaqueCallbackData",
    "contact",
    "content",
    "conversation",
    "envelope",
    "errors",
    "metadata",
    "payload",
    "pricing",
    "profile",
    "raw",
    "recipientId",
    "recipientUserId",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn names_are_in_order_and_in_one_list() {
        assert!(SHOWN.is_sorted(), "the search needs it");
        let both = SHOWN.iter().filter(|name| WITHHELD.contains(name));
        assert_eq!(both.count(), 0);
    }

    /// Adds the names of the members of a schema, and of those that can hold anything.
    fn members(document: &Value, schema: &Value, seen: &mut BTreeSet<String>, found: &mut [BTreeSet<String>; 2]) {
        if let Some(reference) = schema["$ref"].as_str() {
            if seen.insert(reference.to_owned()) {
                let schema = document.pointer(&reference[1..]).expect("a known schema");
                members(document, schema, seen, found);
            }
            return;
        }
        for parts in ["allOf", "oneOf", "anyOf"] {
            for part in schema[parts].as_array().into_iter().flatten() {
                members(document, part, seen, found);
            }
        }
        if schema["items"].is_object() {
            members(document, &schema["items"], seen, found);
        }
        for (name, value) in schema["properties"].as_object().into_iter().flatten() {
            found[0].insert(name.clone());
            let types = value["type"].to_string();
            let is_described = ["$ref", "oneOf", "allOf", "anyOf", "properties"]
                .iter()
                .any(|key| value.get(key).is_some());
            if !is_described && (types == "null" || types.contains("object")) {
                found[1].insert(name.clone());
            }
            members(document, value, seen, found);
        }
    }

    #[test]
    fn every_documented_member_has_a_decision_and_what_can_hold_anything_is_withheld() {
        let document: Value = serde_json::from_str(&crate::http::openapi_json()).expect("JSON");
        let (mut found, mut seen) = ([BTreeSet::new(), BTreeSet::new()], BTreeSet::new());
        for path in document["paths"].as_object().expect("paths").values() {
            let roles = path["get"]["x-roles"].as_array();
            if !roles.is_some_and(|roles| roles.iter().any(|role| role == "support")) {
                continue;
            }
            for (status, response) in path["get"]["responses"].as_object().into_iter().flatten() {
                if !status.starts_with('2') {
                    continue;
                }
                for content in response["content"].as_object().into_iter().flatten() {
                    members(&document, &content.1["schema"], &mut seen, &mut found);
                }
            }
        }
        let [all, anything] = found;
        let without: Vec<_> = all
            .iter()
            .filter(|name| !SHOWN.contains(&name.as_str()) && !WITHHELD.contains(&name.as_str()))
            .collect();
        assert!(without.is_empty(), "shown to support, or withheld? {without:?}");
        let shown: Vec<_> = anything.iter().filter(|name| SHOWN.contains(&name.as_str())).collect();
        assert!(shown.is_empty(), "these can hold anything, and are shown: {shown:?}");
        assert!(
            anything.contains("content") && anything.contains("payload"),
            "{anything:?}"
        );
    }
}
