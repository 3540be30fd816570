-- The most requests of a tenant in a second; NULL is the default of the installation.
ALTER TABLE tenants ADD COLUMN requests_per_second INTEGER;
