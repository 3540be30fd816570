-- The login configuration of an app for Embedded Signup. NULL where it has none, as before.
ALTER TABLE apps ADD COLUMN signup_config_id TEXT;
