// Node's BullMQ on Dakghar's queue. Usage: node queue.js REDIS_URL
// Each line of standard input is ["command", argument] in JSON, each line of standard output the answer to it.
import { createInterface } from 'node:readline';
import { Queue } from 'bullmq';
import { Redis } from 'ioredis';

const connection = new Redis(process.argv[2], { maxRetriesPerRequest: null });
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
  // null → how many jobs there are in each state
  counts: () => queue.getJobCounts(...STATES),
  // a state → its jobs
  list: async (state) => (await queue.getJobs([state], 0, 1999)).map(show),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = JSON.parse(line);
  console.log(JSON.stringify(await commands[command](argument)));
}
await queue.close();
await connection.quit();
