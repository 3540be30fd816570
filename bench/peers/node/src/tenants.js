// Tenants, their keys and tokens. Looked up by id for sending and by number for webhooks, and remembered for a while.

import { randomBytes } from 'node:crypto';

import { isKey, hashOf, newApiKey, open, seal } from './crypto.js';
import { Tenant } from './models.js';

const REMEMBERED_MS = 30_000;
const REMEMBERED_MAX = 20_000;

/** A map that forgets: single flight for concurrent look-ups of the same key. */
class Cache {
  #entries = new Map();

  constructor(load) {
    this.load = load;
  }

  get(key) {
    const found = this.#entries.get(key);
    if (found && found.until > Date.now()) return found.value;
    if (this.#entries.size >= REMEMBERED_MAX) this.#entries.delete(this.#entries.keys().next().value);
    const entry = { value: this.load(key), until: Date.now() + REMEMBERED_MS };
    this.#entries.set(key, entry);
    entry.value.then(
      (value) => value ?? this.#entries.delete(key),
      () => this.#entries.delete(key),
    );
    return entry.value;
  }
}

const remember = (tenant) =>
  tenant && {
    id: tenant._id,
    phoneNumberId: tenant.phoneNumberId,
    apiKeyHash: tenant.apiKeyHash.buffer,
    accessToken: open(tenant.sealedToken.buffer, tenant.phoneNumberId),
    callback: tenant.callbackUrl && {
      url: tenant.callbackUrl,
      secret: Buffer.from(open(tenant.sealedCallbackSecret.buffer, String(tenant._id)), 'base64'),
    },
  };

const byId = new Cache(async (id) => remember(await Tenant.findById(id).lean()));
const byNumber = new Cache(async (phoneNumberId) => remember(await Tenant.findOne({ phoneNumberId }).lean()));

export const isTenantId = (text) => /^[0-9a-f]{24}$/.test(text);
export const findTenant = (id) => byId.get(String(id));
export const findTenantByNumber = (phoneNumberId) => byNumber.get(phoneNumberId);
export const bearerOf = (request) => request.get('authorization')?.replace(/^Bearer /i, '');
export const mayActFor = (tenant, apiKey) => isKey(apiKey, tenant.apiKeyHash);

export async function registerTenant({ name, phoneNumberId, accessToken }) {
  const apiKey = newApiKey();
  const tenant = await Tenant.create({
    name,
    phoneNumberId,
    sealedToken: seal(accessToken, phoneNumberId),
    apiKeyHash: hashOf(apiKey),
  });
  return { tenantId: tenant.id, name, phoneNumberId, apiKey };
}

/** Says where a tenant wants its events, and with which secret they are signed. */
export async function setCallback(tenantId, url) {
  const secret = randomBytes(32).toString('base64');
  const found = await Tenant.findByIdAndUpdate(tenantId, { callbackUrl: url, sealedCallbackSecret: seal(secret, tenantId) });
  return found && { url, secret: `whsec_${secret}` };
}
