// The process that sends. BullMQ repeats a job that failed; a message that was sent already is left alone.

import { Worker } from 'bullmq';

import { callBack, closeCallbacks, waitBefore } from './callbacks.js';
import { config } from './config.js';
import { CALLBACK_QUEUE_NAME, closeOnSignal, connectStore, newRedis, QUEUE_NAME } from './connections.js';
import { closeGraph, sendText } from './graph.js';
import { Message, RANKS } from './models.js';
import { findTenant } from './tenants.js';

/** Sends the message unless that was done before; its wamid, which whoever waits for the job learns. */
async function send({ data: { messageId, tenantId } }) {
  const [message, tenant] = await Promise.all([
    Message.findOne({ _id: messageId, tenantId }, { status: 1, to: 1, content: 1, wamid: 1 }).lean(),
    findTenant(tenantId),
  ]);
  if (!message || !tenant || message.status !== 'queued') return message?.wamid;
  const wamid = tenant.accessToken.startsWith('mock_')
    ? `wamid.mock.${messageId}`
    : await sendText({ ...tenant, to: message.to, content: message.content });
  await Message.updateOne(
    { _id: messageId, rank: { $lt: RANKS.sent } },
    { $set: { status: 'sent', rank: RANKS.sent, wamid } },
  );
  return wamid;
}

await connectStore();
const worker = new Worker(QUEUE_NAME, send, { connection: newRedis(), concurrency: config.workerConcurrency });
const caller = new Worker(CALLBACK_QUEUE_NAME, callBack, {
  connection: newRedis(),
  concurrency: config.workerConcurrency,
  settings: { backoffStrategy: waitBefore },
});

worker.on('failed', async (job, error) => {
  if (job && job.attemptsMade >= job.opts.attempts) {
    await Message.updateOne({ _id: job.data.messageId, rank: { $lt: RANKS.failed } }, { $set: { status: 'failed', error: error.message } });
  }
});
for (const each of [worker, caller]) each.on('error', (error) => console.error(error));
await Promise.all([worker.waitUntilReady(), caller.waitUntilReady()]);
console.log('working');

closeOnSignal(async () => {
  await Promise.all([worker.close(), caller.close()]);
  await Promise.all([closeGraph(), closeCallbacks()]);
});
