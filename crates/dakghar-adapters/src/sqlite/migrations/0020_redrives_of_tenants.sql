-- Whether the tenant itself began a redrive, and not the operator.
ALTER TABLE redrives ADD COLUMN by_tenant INTEGER NOT NULL DEFAULT 0;
