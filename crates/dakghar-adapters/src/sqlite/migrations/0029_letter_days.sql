-- The days that dead letters are kept, by their class; NULL is the default of the installation.
ALTER TABLE tenants ADD COLUMN failed_days INTEGER;
ALTER TABLE tenants ADD COLUMN expired_days INTEGER;
ALTER TABLE tenants ADD COLUMN unknown_days INTEGER;
ALTER TABLE tenants ADD COLUMN given_up_days INTEGER;
