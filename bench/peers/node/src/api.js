// The process that answers: registration, sending, Meta's webhook.

import express from 'express';

import { config } from './config.js';
import { closeOnSignal, connectStore, newCallbackQueue, newQueue, newQueueEvents } from './connections.js';
import { hashOf, isKey } from './crypto.js';
import { sendAsMeta } from './metaFace.js';
import { isDuplicateKey } from './models.js';
import { Outcomes } from './outcomes.js';
import { acceptMessage } from './send.js';
import { isTenantId, registerTenant, setCallback } from './tenants.js';
import { receiveWebhook, verifyWebhook } from './webhook.js';

const adminKeyHash = config.adminApiKey && hashOf(config.adminApiKey);

async function register(request, response) {
  if (adminKeyHash && !isKey(request.get('authorization')?.replace(/^Bearer /i, ''), adminKeyHash)) {
    return response.status(401).json({ code: 'unauthenticated' });
  }
  const { name, phoneNumberId, accessToken } = request.body ?? {};
  if ([name, phoneNumberId, accessToken].some((field) => typeof field !== 'string' || field === '')) {
    return response.status(422).json({ code: 'invalid_field' });
  }
  try {
    return response.status(201).json(await registerTenant({ name, phoneNumberId, accessToken }));
  } catch (error) {
    if (isDuplicateKey(error)) return response.status(409).json({ code: 'phone_number_taken' });
    throw error;
  }
}

async function putCallback(request, response) {
  if (adminKeyHash && !isKey(request.get('authorization')?.replace(/^Bearer /i, ''), adminKeyHash)) {
    return response.status(401).json({ code: 'unauthenticated' });
  }
  const { url } = request.body ?? {};
  if (!isTenantId(request.params.tenantId) || !URL.canParse(url)) return response.status(422).json({ code: 'invalid_field' });
  const callback = await setCallback(request.params.tenantId, url);
  return callback ? response.json(callback) : response.status(404).json({ code: 'not_found' });
}

await connectStore();
const [queue, callbacks] = [newQueue(), newCallbackQueue()];
const events = config.answersWithWamid ? newQueueEvents() : undefined;
await Promise.all([queue.waitUntilReady(), callbacks.waitUntilReady(), events?.waitUntilReady()]);

const app = express();
app.disable('x-powered-by').disable('etag').set('query parser', 'simple');
app.get('/healthz', (_request, response) => response.sendStatus(200));
app.get('/whatsapp/webhook', verifyWebhook);
app.post('/whatsapp/webhook', express.raw({ type: () => true, limit: '4mb' }), receiveWebhook(callbacks));
app.post('/tenants/register', express.json(), register);
app.put('/tenants/:tenantId/callback', express.json(), putCallback);
app.post('/tenants/:tenantId/send', express.json(), acceptMessage(queue));
if (events) app.post(`/${config.apiVersion}/:phoneNumberId/messages`, express.json(), sendAsMeta(queue, new Outcomes(events)));
app.use((error, _request, response, _next) => {
  const status = error.status ?? 500;
  if (status >= 500) console.error(error);
  response.status(status).json({ code: status >= 500 ? 'internal' : 'bad_request' });
});

const server = app.listen(config.port, config.bindAddr, () => console.log(`listening on ${config.port}`));
server.keepAliveTimeout = 60_000;

closeOnSignal(async () => {
  server.close();
  await Promise.all([queue.close(), callbacks.close(), events?.close()]);
});
