-- Keys of tenants: JSON, and beside them the times of their last uses, which change without a new version. Where keys are
-- NULL the tenant has the one key of api_key_hash; a save writes keys, and leaves that column empty.
ALTER TABLE tenants ADD COLUMN keys TEXT;
ALTER TABLE tenants ADD COLUMN key_uses TEXT;
