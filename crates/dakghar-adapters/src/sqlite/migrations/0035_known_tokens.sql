-- What Meta said of the access token of a number: JSON; NULL where it was not asked.
ALTER TABLE phone_numbers ADD COLUMN token TEXT;
