// Meta's webhook: verified over the raw bytes, split by number, stored before the answer. Every entry, change, message
// and status in it counts, and a repetition changes nothing.

import { queueCallbacks } from './callbacks.js';
import { config } from './config.js';
import { isSignedByMeta } from './crypto.js';
import { isDuplicateKey, Message, RANKS } from './models.js';
import { findTenantByNumber } from './tenants.js';

export function verifyWebhook(request, response) {
  const { 'hub.mode': mode, 'hub.verify_token': token, 'hub.challenge': challenge } = request.query;
  if (mode !== 'subscribe' || !config.verifyToken || token !== config.verifyToken) return response.sendStatus(403);
  return response.type('text/plain').send(challenge);
}

export const receiveWebhook = (callbacks) => async (request, response) => {
  if (config.appSecret && !isSignedByMeta(request.body, request.get('x-hub-signature-256'))) {
    return response.sendStatus(401);
  }
  let payload;
  try {
    payload = JSON.parse(request.body);
  } catch {
    return response.sendStatus(400);
  }
  const { writes, events } = await writesOf(payload);
  if (writes.length > 0) await store(writes);
  // Before the answer: Meta repeats what was stored and not queued.
  await queueCallbacks(callbacks, events);
  return response.sendStatus(200);
};

/** A message that is there already was received before: the index refuses it, and that is right. */
async function store(writes) {
  try {
    await Message.collection.bulkWrite(writes, { ordered: false });
  } catch (error) {
    const refusals = [error.writeErrors ?? error].flat();
    if (!refusals.every(isDuplicateKey)) throw error;
  }
}

async function writesOf(payload) {
  const changes = (payload.entry ?? []).flatMap((entry) => entry.changes ?? []);
  const now = new Date();
  const events = [];
  const writes = await Promise.all(
    changes.map(async ({ value }) => {
      const tenant = await findTenantByNumber(value?.metadata?.phone_number_id);
      if (!tenant) return [];
      if (tenant.callback) {
        const tenantId = String(tenant.id);
        events.push(...(value.messages ?? []).map((message) => ({ id: message.id, tenantId, event: message })));
      }
      return [
        ...(value.messages ?? []).map((message) => storeMessage(tenant, message, now)),
        ...(value.statuses ?? []).filter(({ status }) => status in RANKS).map((status) => applyStatus(tenant, status, now)),
      ];
    }),
  );
  return { writes: writes.flat(), events };
}

const storeMessage = (tenant, message, now) => ({
  insertOne: {
    document: {
      tenantId: tenant.id,
      wamid: message.id,
      phoneNumberId: tenant.phoneNumberId,
      direction: 'inbound',
      status: 'received',
      type: message.type,
      from: message.from,
      content: message,
      createdAt: now,
      updatedAt: now,
    },
  },
});

const applyStatus = (tenant, { id, status, errors }, now) => ({
  updateOne: {
    filter: { tenantId: tenant.id, wamid: id, rank: { $lt: RANKS[status] } },
    update: { $set: { status, rank: RANKS[status], updatedAt: now, ...(errors && { error: errors[0] }) } },
  },
});
