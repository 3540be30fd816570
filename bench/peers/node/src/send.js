// Accepting a message: check, store, put into the queue, answer. The unique index tells what was accepted before, so
// that nobody looks for it before each message.

import mongoose from 'mongoose';

import { isDuplicateKey, Message, RANKS } from './models.js';
import { bearerOf, findTenant, isTenantId, mayActFor } from './tenants.js';

const PHONE_NUMBER = /^\+?[1-9]\d{6,14}$/;
const TEXT_CHARS_MAX = 4096;
const KEY_CHARS_MAX = 255;

export const isPhoneNumber = (to) => typeof to === 'string' && PHONE_NUMBER.test(to);
export const isText = (text) => typeof text === 'string' && text.length > 0 && text.length <= TEXT_CHARS_MAX;

/** The document of a message that waits for the worker. */
export function newMessage(tenant, to, text) {
  const now = new Date();
  return {
    _id: new mongoose.Types.ObjectId(),
    createdAt: now,
    updatedAt: now,
    tenantId: tenant.id,
    phoneNumberId: tenant.phoneNumberId,
    direction: 'outbound',
    status: 'queued',
    rank: RANKS.queued,
    type: 'text',
    to,
    content: { body: text },
  };
}

/** Puts a stored message into the queue. */
export function queueMessage(queue, { _id, tenantId }) {
  const messageId = String(_id);
  return queue.add('send', { messageId, tenantId: String(tenantId) }, { jobId: messageId });
}

function problemOf({ to, text, idempotency_key: key }) {
  if (!isPhoneNumber(to)) return 'to must be a phone number';
  if (!isText(text)) return 'text must be 1 to 4096 characters';
  if (key !== undefined && (typeof key !== 'string' || key.length === 0 || key.length > KEY_CHARS_MAX)) {
    return 'idempotency_key must be 1 to 255 characters';
  }
  return undefined;
}

const findAccepted = (tenantId, idempotencyKey) =>
  Message.findOne({ tenantId, idempotencyKey }, { status: 1 }).lean();

const answerDuplicate = (response, { _id, status }) =>
  response.status(200).json({ messageId: _id.toString(), status, duplicate: true });

export const acceptMessage = (queue) => async (request, response) => {
  const { tenantId } = request.params;
  const tenant = isTenantId(tenantId) ? await findTenant(tenantId) : undefined;
  if (!tenant) return response.status(404).json({ code: 'tenant_not_found' });
  if (!mayActFor(tenant, bearerOf(request))) return response.status(401).json({ code: 'unauthenticated' });
  const problem = problemOf(request.body ?? {});
  if (problem) return response.status(422).json({ code: 'invalid_field', detail: problem });

  const { to, text, idempotency_key: idempotencyKey } = request.body;
  const message = { ...newMessage(tenant, to, text), ...(idempotencyKey && { idempotencyKey }) };
  try {
    await Message.collection.insertOne(message);
  } catch (error) {
    if (!isDuplicateKey(error)) throw error;
    return answerDuplicate(response, await findAccepted(tenant.id, idempotencyKey));
  }
  await queueMessage(queue, message);
  return response.status(202).json({ messageId: String(message._id), status: 'queued', duplicate: false });
};
