-- What an endpoint was made from under an idempotency key, as a sealed digest.
ALTER TABLE endpoints ADD COLUMN sealed_creation BLOB;
