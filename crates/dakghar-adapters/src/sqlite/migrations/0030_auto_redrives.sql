-- Redrives that begin by themselves when the cause of dead letters ended: what a tenant wants and what is noted of it, and
-- what is different in such a redrive. Both are JSON; NULL is nothing.
ALTER TABLE tenants ADD COLUMN auto_redrive TEXT;
ALTER TABLE redrives ADD COLUMN automatic TEXT;
