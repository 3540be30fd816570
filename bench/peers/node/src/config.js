// The settings of both processes, read once. Names are those of the product, so that one environment starts either.

const required = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is required`);
  return value;
};

export const config = Object.freeze({
  port: Number(process.env.PORT ?? 3000),
  bindAddr: process.env.BIND_ADDR ?? '127.0.0.1',
  mongoUri: required('MONGO_URI'),
  redisUrl: process.env.REDIS_URL ?? `redis://${process.env.REDIS_HOST ?? '127.0.0.1'}:${process.env.REDIS_PORT ?? 6379}`,
  masterKey: required('MASTER_KEY'),
  appSecret: process.env.APP_SECRET,
  verifyToken: process.env.VERIFY_TOKEN,
  adminApiKey: process.env.ADMIN_API_KEY,
  graphBaseUrl: process.env.GRAPH_BASE_URL ?? 'https://graph.facebook.com',
  apiVersion: process.env.WHATSAPP_API_VERSION ?? 'v25.0',
  // Only then anybody reads the queue's events: they cost every message something.
  answersWithWamid: process.env.GRAPH_ANSWER === 'wait',
  workerConcurrency: Number(process.env.WORKER_CONCURRENCY ?? 100),
});
