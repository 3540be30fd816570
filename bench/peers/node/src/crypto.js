// Secrets: access tokens under AES-256-GCM, API keys as hashes, signatures of webhooks. All comparisons take the same
// time whatever differs.

import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

import { config } from './config.js';

const KEY = createHash('sha256').update(config.masterKey).digest();
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SIGNATURE_PREFIX = 'sha256=';

export const newApiKey = () => randomBytes(32).toString('base64url');

export const hashOf = (text) => createHash('sha256').update(text).digest();

export function isKey(presented, hash) {
  return presented !== undefined && timingSafeEqual(hashOf(presented), hash);
}

/** Nonce, tag and ciphertext in one buffer; opens for `owner` only. */
export function seal(text, owner) {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', KEY, nonce).setAAD(Buffer.from(owner));
  const sealed = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), sealed]);
}

export function open(sealed, owner) {
  const decipher = createDecipheriv('aes-256-gcm', KEY, sealed.subarray(0, NONCE_BYTES))
    .setAAD(Buffer.from(owner))
    .setAuthTag(sealed.subarray(NONCE_BYTES, NONCE_BYTES + TAG_BYTES));
  return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
}

/** Whether `header` is the value of X-Hub-Signature-256 for these raw bytes. */
export function isSignedByMeta(rawBody, header) {
  if (!header?.startsWith(SIGNATURE_PREFIX)) return false;
  const presented = Buffer.from(header.slice(SIGNATURE_PREFIX.length), 'hex');
  const expected = createHmac('sha256', config.appSecret).update(rawBody).digest();
  return presented.length === expected.length && timingSafeEqual(presented, expected);
}
