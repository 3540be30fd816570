-- Whether the account of a number was learned from webhooks about it, and not given.
ALTER TABLE phone_numbers ADD COLUMN waba_is_learned INTEGER NOT NULL DEFAULT 0;
