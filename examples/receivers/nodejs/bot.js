// A bot: answers each text that a person writes. Started as receiver.js is; DAKGHAR_URL is where Dakghar is, API_KEY the
// tenant's key, if one is asked for.
import { receive } from './receiver.js';

const URL = process.env.DAKGHAR_URL ?? 'http://localhost:3000';
const KEY = process.env.API_KEY;

async function send(tenantId, message) {
  const response = await fetch(`${URL}/tenants/${tenantId}/send`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(KEY && { Authorization: `Bearer ${KEY}` }) },
    body: JSON.stringify(message),
    signal: AbortSignal.timeout(30_000),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}

async function reply(event, isReplay) {
  const message = event.data;
  // What is replayed may be days old, and its writer has forgotten it.
  if (event.type !== 'message.received' || isReplay) return;
  // `data` is null once it was erased, and `content` once the person took it back.
  if (message?.type !== 'text' || !message.content) return;
  const { messageId } = await send(event.tenantId, {
    to: message.groupId ?? message.from,
    ...(message.groupId && { recipient_type: 'group' }),
    from: message.phoneNumberId,
    text: `You wrote: ${message.content.body}`,
    context: { message_id: message.wamid },
    // Should this run again after a crash, the same key keeps the answer from being sent twice.
    idempotency_key: event.id,
  });
  console.log(`${event.id} ${message.from}: ${message.content.body} -> ${messageId}`);
}

await receive(reply);
