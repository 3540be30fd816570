// Puts a backlog in place faster than the API would: the same documents and the same jobs, in bulk.
// node src/preload.js <tenantId> <count>

import mongoose from 'mongoose';

import { connectStore, newQueue } from './connections.js';
import { Message, RANKS } from './models.js';
import { findTenant } from './tenants.js';

const BATCH = 2_000;
const RECIPIENT_BASE = 919_000_000_000;

const [tenantId, count] = [process.argv[2], Number(process.argv[3])];
await connectStore();
const queue = newQueue();
const tenant = await findTenant(tenantId);

for (let start = 0; start < count; start += BATCH) {
  const now = new Date();
  const documents = Array.from({ length: Math.min(BATCH, count - start) }, (_, index) => ({
    _id: new mongoose.Types.ObjectId(),
    tenantId: tenant.id,
    phoneNumberId: tenant.phoneNumberId,
    direction: 'outbound',
    status: 'queued',
    rank: RANKS.queued,
    type: 'text',
    to: `+${RECIPIENT_BASE + start + index}`,
    content: { body: 'A message of the backlog' },
    idempotencyKey: `backlog-${start + index}`,
    createdAt: now,
    updatedAt: now,
  }));
  await Message.collection.insertMany(documents, { ordered: false });
  await queue.addBulk(
    documents.map(({ _id }) => ({ name: 'send', data: { messageId: String(_id), tenantId }, opts: { jobId: String(_id) } })),
  );
}
await queue.close();
await mongoose.disconnect();
process.exit(0);
