// A webhook as the guides of Meta's SDKs write it for Node.js: each update is a line of JSON on standard output. Started as
// meta_pywa.py is.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const { PORT, VERIFY_TOKEN, APP_SECRET } = process.env;
const tell = (fields) => console.log(JSON.stringify(fields));

function verify(url) {
  const query = url.searchParams;
  const isOurs = query.get('hub.mode') === 'subscribe' && query.get('hub.verify_token') === VERIFY_TOKEN;
  return isOurs ? [200, query.get('hub.challenge')] : [403, ''];
}

function isSigned(payload, header) {
  const [method, signature] = (header ?? '').split('=');
  const expected = createHmac('sha256', APP_SECRET).update(payload).digest('hex');
  return method === 'sha256' && signature?.length === expected.length
    && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
}

function receive(payload, header) {
  if (!isSigned(payload, header)) return [401, 'Invalid signature'];
  const { object, entry } = JSON.parse(payload);
  if (object !== 'whatsapp_business_account') return [404, ''];
  const { messages, contacts, statuses } = entry[0].changes[0].value;
  if (messages?.[0].type === 'text') {
    const [{ id, from, text }] = messages;
    tell({ kind: 'text', id, sender: from, name: contacts[0].profile.name, text: text.body });
  } else if (messages?.[0].type === 'interactive') {
    const [{ id, from, context, interactive }] = messages;
    const { id: data, title } = interactive.button_reply;
    tell({ kind: 'button', id, sender: from, data, title, replied: context.id });
  } else if (statuses) {
    const [{ id, status, biz_opaque_callback_data: tracker = null }] = statuses;
    tell({ kind: 'status', id, status, tracker });
  }
  return [200, 'EVENT_RECEIVED'];
}

createServer(async (request, response) => {
  const parts = await request.toArray();
  const url = new URL(request.url, 'http://localhost');
  const [status, text] = request.method === 'POST'
    ? receive(Buffer.concat(parts), request.headers['x-hub-signature-256'])
    : verify(url);
  response.writeHead(status, { 'content-type': 'text/plain' }).end(text);
}).listen(Number(PORT), '127.0.0.1');
