// Callbacks: one job for each event, repeated for three days until the tenant's software takes it.

import { createHmac } from 'node:crypto';

import { Agent } from 'undici';

import { findTenant } from './tenants.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const WAITS = [5 * SECOND, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR, 12 * HOUR, 12 * HOUR, 12 * HOUR];
const TIMEOUT_MS = 15 * SECOND;

const JOB_OPTIONS = {
  attempts: WAITS.length + 1,
  backoff: { type: 'custom' },
  removeOnComplete: true,
  removeOnFail: 1000,
};

export const waitBefore = (attemptsMade) => WAITS[attemptsMade - 1] * (0.8 + 0.4 * Math.random());

const agent = new Agent({ connections: 128, keepAliveTimeout: 60_000, headersTimeout: TIMEOUT_MS, bodyTimeout: TIMEOUT_MS });

/** Queues what tenants want to hear of. The id of a job is that of its event, so a repetition is not queued twice. */
export async function queueCallbacks(queue, events) {
  const jobs = events.map(({ id, tenantId, event }) => ({
    name: 'callback',
    data: { id, tenantId, event },
    opts: { ...JOB_OPTIONS, jobId: `${tenantId}-${id}` },
  }));
  if (jobs.length > 0) await queue.addBulk(jobs);
}

/** Posts one event, signed after the Standard Webhooks specification. */
export async function callBack({ data: { id, tenantId, event }, attemptsMade }) {
  const tenant = await findTenant(tenantId);
  if (!tenant?.callback) return;
  const body = JSON.stringify({ id, type: 'message.received', tenantId, attempt: attemptsMade + 1, data: event });
  const timestamp = Math.floor(Date.now() / SECOND);
  const signature = createHmac('sha256', tenant.callback.secret).update(`${id}.${timestamp}.${body}`).digest('base64');
  const url = new URL(tenant.callback.url);
  const { statusCode, body: answer } = await agent.request({
    origin: url.origin,
    path: url.pathname + url.search,
    method: 'POST',
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': `v1,${signature}`,
    },
    body,
  });
  await answer.dump();
  if (statusCode < 200 || statusCode > 299) throw new Error(`the receiver answered ${statusCode}`);
}

export const closeCallbacks = () => agent.close();
