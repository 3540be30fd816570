// The long-lived connections of a process: MongoDB's pool and the queue. Nothing connects per request.

import { Queue, QueueEvents } from 'bullmq';
import { Redis } from 'ioredis';
import mongoose from 'mongoose';

import { config } from './config.js';
import { Message, Tenant } from './models.js';

export const QUEUE_NAME = 'whatsapp-send-queue';
export const CALLBACK_QUEUE_NAME = 'callback-queue';

// Five attempts, as the service promises. What was done is in the store, so finished jobs need not be kept.
const JOB_OPTIONS = {
  attempts: 5,
  backoff: { type: 'exponential', delay: 1000 },
  removeOnComplete: true,
  removeOnFail: 1000,
};

export async function connectStore() {
  await mongoose.connect(config.mongoUri, {
    maxPoolSize: 100,
    minPoolSize: 5,
    writeConcern: { w: 'majority', journal: true },
    autoIndex: false,
  });
  await Promise.all([Tenant.createIndexes(), Message.createIndexes()]);
}

// BullMQ's workers require that commands are never given up.
export const newRedis = () => new Redis(config.redisUrl, { maxRetriesPerRequest: null });

export const newQueue = () => new Queue(QUEUE_NAME, { connection: newRedis(), defaultJobOptions: JOB_OPTIONS });

export const newCallbackQueue = () => new Queue(CALLBACK_QUEUE_NAME, { connection: newRedis() });

/** The outcomes of the jobs of that queue; one reader for the whole process. */
export const newQueueEvents = () => new QueueEvents(QUEUE_NAME, { connection: newRedis() });

/** Ends the process after `close`, at the first signal. */
export function closeOnSignal(close) {
  for (const signal of ['SIGTERM', 'SIGINT']) {
    process.once(signal, async () => {
      await close();
      await mongoose.disconnect();
      process.exit(0);
    });
  }
}
