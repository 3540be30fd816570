// Meta's own face: Meta's body under an API key of the tenant, stored and queued as any other message, and answered in
// Meta's form with the wamid as soon as the worker has it.

import { Message } from './models.js';
import { isPhoneNumber, isText, newMessage, queueMessage } from './send.js';
import { bearerOf, findTenantByNumber, mayActFor } from './tenants.js';

const INVALID_TOKEN = 190;
const INVALID_PARAMETER = 100;
const INVALID_VALUE = 131009;
const UNDELIVERABLE = 131026;
const UNKNOWN = 131000;

const refuse = (response, status, code, message) =>
  response.status(status).json({ error: { message: `(#${code}) ${message}`, type: 'OAuthException', code } });

function problemOf({ messaging_product: product, recipient_type: recipientType = 'individual', to, type = 'text', text }) {
  if (product !== 'whatsapp' || recipientType !== 'individual' || type !== 'text') return [INVALID_PARAMETER, 'Invalid parameter'];
  if (!isPhoneNumber(to)) return [INVALID_VALUE, 'to must be a phone number'];
  if (!isText(text?.body)) return [INVALID_VALUE, 'text.body must be 1 to 4096 characters'];
  return undefined;
}

/** The outcome in the store, for a request whose event did not come. */
async function storedOutcome(messageId) {
  const message = await Message.findById(messageId, { wamid: 1, error: 1 }).lean();
  return { wamid: message?.wamid, reason: message?.error };
}

export const sendAsMeta = (queue, outcomes) => async (request, response) => {
  const tenant = await findTenantByNumber(request.params.phoneNumberId);
  if (!tenant || !mayActFor(tenant, bearerOf(request))) return refuse(response, 401, INVALID_TOKEN, 'Invalid access token');
  const problem = problemOf(request.body ?? {});
  if (problem) return refuse(response, 400, ...problem);

  const { to, text } = request.body;
  const message = newMessage(tenant, to, text.body);
  await Message.collection.insertOne(message);
  let outcome = await outcomes.of(String(message._id), () => queueMessage(queue, message));
  if (!outcome.wamid && !outcome.reason) outcome = await storedOutcome(message._id);
  if (outcome.reason) return refuse(response, 400, UNDELIVERABLE, outcome.reason);
  // Not an error that may be repeated: the message is in the queue and may still be sent.
  if (!outcome.wamid) return refuse(response, 504, UNKNOWN, 'Nobody knows yet whether the message was sent');
  return response.json({
    messaging_product: 'whatsapp',
    contacts: [{ input: to, wa_id: to.replace(/^\+/, '') }],
    messages: [{ id: outcome.wamid }],
  });
};
