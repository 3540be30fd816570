// What is stored. One collection holds messages of both directions.

import mongoose from 'mongoose';

const { Schema, model } = mongoose;

// Forward only: a status is applied when its rank is above that of the stored one.
export const RANKS = Object.freeze({ queued: 0, sent: 20, failed: 25, delivered: 30, read: 40 });

const tenantSchema = new Schema(
  {
    name: { type: String, required: true, maxlength: 200 },
    phoneNumberId: { type: String, required: true, match: /^\d{1,20}$/, unique: true },
    sealedToken: { type: Buffer, required: true },
    apiKeyHash: { type: Buffer, required: true },
    callbackUrl: String,
    sealedCallbackSecret: Buffer,
  },
  { timestamps: true, versionKey: false },
);

const messageSchema = new Schema(
  {
    tenantId: { type: Schema.Types.ObjectId, required: true },
    phoneNumberId: { type: String, required: true },
    direction: { type: String, enum: ['outbound', 'inbound'], required: true },
    status: { type: String, required: true },
    rank: Number,
    type: { type: String, required: true },
    to: String,
    from: String,
    content: Schema.Types.Mixed,
    idempotencyKey: String,
    wamid: String,
    error: Schema.Types.Mixed,
  },
  { timestamps: true, versionKey: false },
);

// `$exists` and not `$type`: MongoDB uses a partial index for an equality only when the filter is this one.
messageSchema.index(
  { tenantId: 1, idempotencyKey: 1 },
  { unique: true, partialFilterExpression: { idempotencyKey: { $exists: true } } },
);
messageSchema.index({ tenantId: 1, wamid: 1 }, { unique: true, partialFilterExpression: { wamid: { $exists: true } } });

export const Tenant = model('Tenant', tenantSchema);
export const Message = model('Message', messageSchema);

export const isDuplicateKey = (error) => error?.code === 11000;
