// Puts a backlog in place faster than the API would: the same documents and the same jobs, in bulk.
// node src/preload.js <file of tenants> <count>

import { readFile } from 'node:fs/promises';

import mongoose from 'mongoose';

import { connectStore, newQueue } from './connections.js';
import { Message, RANKS } from './models.js';
import { findTenant } from './tenants.js';

const BATCH = 2_000;
const RECIPIENT_BASE = 919_000_000_000;

const [file, count] = [process.argv[2], Number(process.argv[3])];
const tenantIds = JSON.parse(await readFile(file, 'utf8')).map(({ tenantId }) => tenantId);
await connectStore();
const queue = newQueue();
const tenants = await Promise.all(tenantIds.map(findTenant));

function documentOf(index, now) {
  const tenant = tenants[index % tenants.length];
  return {
    _id: new mongoose.Types.ObjectId(),
    tenantId: tenant.id,
    phoneNumberId: tenant.phoneNumberId,
    direction: 'outbound',
    status: 'queued',
    rank: RANKS.queued,
    type: 'text',
    to: `+${RECIPIENT_BASE + index}`,
    content: { body: 'A message of the backlog' },
    idempotencyKey: `backlog-${index}`,
    createdAt: now,
    updatedAt: now,
  };
}

for (let start = 0; start < count; start += BATCH) {
  const now = new Date();
  const documents = Array.from({ length: Math.min(BATCH, count - start) }, (_, index) => documentOf(start + index, now));
  await Message.collection.insertMany(documents, { ordered: false });
  await queue.addBulk(
    documents.map(({ _id, tenantId }) => ({
      name: 'send',
      data: { messageId: String(_id), tenantId: String(tenantId) },
      opts: { jobId: String(_id) },
    })),
  );
}
await queue.close();
await mongoose.disconnect();
process.exit(0);
