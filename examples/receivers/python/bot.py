"""A bot: answers each text that a person writes. Started as receiver.py is; DAKGHAR_URL is where Dakghar is, API_KEY the
tenant's key, if one is asked for."""

import json
import os
import urllib.request

from receiver import receive

URL = os.environ.get("DAKGHAR_URL", "http://localhost:3000")


def send(tenant_id, message):
    headers = {"Content-Type": "application/json"}
    if key := os.environ.get("API_KEY"):
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(f"{URL}/tenants/{tenant_id}/send", json.dumps(message).encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def reply(event, is_replay):
    message = event["data"]
    # What is replayed may be days old, and its writer has forgotten it.
    if event["type"] != "message.received" or is_replay:
        return
    # `data` is null once it was erased, and `content` once the person took it back.
    if not message or message["type"] != "text" or not message["content"]:
        return
    answer = {
        "to": message["groupId"] or message["from"],
        "from": message["phoneNumberId"],
        "text": f"You wrote: {message['content']['body']}",
        "context": {"message_id": message["wamid"]},
        # Should this run again after a crash, the same key keeps the answer from being sent twice.
        "idempotency_key": event["id"],
    }
    if message["groupId"]:
        answer["recipient_type"] = "group"
    sent = send(event["tenantId"], answer)
    print(f"{event['id']} {message['from']}: {message['content']['body']} -> {sent['messageId']}", flush=True)


if __name__ == "__main__":
    receive(reply)
