// Shows Dakghar's queue: waiting, delayed, finished and failed jobs. Jobs hold ids only.
// Finds Redis by the settings that Dakghar has, except for nodes of a cluster.
import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import { ExpressAdapter } from '@bull-board/express';
import { Queue } from 'bullmq';
import express from 'express';
import { Redis } from 'ioredis';

const { REDIS_HOST = '127.0.0.1', REDIS_PORT = '6379', REDIS_URL, PORT = '3001', QUEUE_SHARDS = '1' } = process.env;
// The queue must wait for Redis for as long as it takes, which is what `null` means.
const connection = new Redis(REDIS_URL || `redis://${REDIS_HOST}:${REDIS_PORT}`, { maxRetriesPerRequest: null });
const shards = Number(QUEUE_SHARDS);
const names =
  shards === 1
    ? ['whatsapp-send-queue']
    : Array.from({ length: shards }, (_, shard) => `{whatsapp-send-queue-${shard}}`);

const board = new ExpressAdapter();
createBullBoard({
  queues: names.map((name) => new BullMQAdapter(new Queue(name, { connection }), { readOnlyMode: true })),
  serverAdapter: board,
});
express()
  .use(board.getRouter())
  .listen(Number(PORT), () => console.log(`bull-board listens on http://localhost:${PORT}`));
