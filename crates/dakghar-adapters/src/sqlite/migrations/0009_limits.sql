-- Further limits of a tenant; NULL is the default of the installation.
ALTER TABLE tenants ADD COLUMN messages_waiting INTEGER;
ALTER TABLE tenants ADD COLUMN calls_under_way INTEGER;
ALTER TABLE tenants ADD COLUMN retention_days INTEGER;
