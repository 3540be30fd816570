// One call of the Graph API, over connections that are kept.

import { Agent } from 'undici';

import { config } from './config.js';

const agent = new Agent({ connections: 128, keepAliveTimeout: 60_000, headersTimeout: 30_000, bodyTimeout: 30_000 });
const origin = new URL(config.graphBaseUrl).origin;

/** The id that Meta gave the message. */
export async function sendText({ phoneNumberId, accessToken, to, content }) {
  const { statusCode, body } = await agent.request({
    origin,
    path: `/${config.apiVersion}/${phoneNumberId}/messages`,
    method: 'POST',
    headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ messaging_product: 'whatsapp', recipient_type: 'individual', to, type: 'text', text: content }),
  });
  const answer = await body.json();
  if (statusCode !== 200) throw new Error(`Graph answered ${statusCode}: ${answer?.error?.message ?? 'no reason'}`);
  return answer.messages[0].id;
}

export const closeGraph = () => agent.close();
