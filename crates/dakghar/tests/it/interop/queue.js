// Node's BullMQ on Dakghar's queue, one command a process.
// Usage: node queue.js REDIS_URL COMMAND; the argument on standard input and the answer are JSON.
import { readFileSync } from 'node:fs';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

const [url, command] = process.argv.slice(2);
const argument = JSON.parse(readFileSync(0));
const connection = new Redis(url, { maxRetriesPerRequest: null });
const queue = new Queue('whatsapp-send-queue', { connection });

const STATES = ['waiting', 'prioritized', 'active', 'delayed', 'completed', 'failed'];

const show = (job) => ({
  id: job.id,
  name: job.name,
  data: job.data,
  dueAt: job.timestamp + job.delay,
  attemptsMade: job.attemptsMade,
  returnValue: job.returnvalue,
  failedReason: job.failedReason,
});

const commands = {
  // [{ name, data, opts }, …] → ids
  add: async (jobs) => (await queue.addBulk(jobs)).map((job) => job.id),
  // id → whether it was there
  remove: async (id) => (await queue.remove(id)) === 1,
  // id → completed, failed, active, … or unknown
  state: (id) => queue.getJobState(id),
  // id → the job
  job: async (id) => show(await queue.getJob(id)),
  // null → how many jobs there are in each state
  counts: () => queue.getJobCounts(...STATES),
  // a state → its jobs
  list: async (state) => (await queue.getJobs([state], 0, 1999)).map(show),
};

console.log(JSON.stringify(await commands[command](argument)));
await queue.close();
await connection.quit();
