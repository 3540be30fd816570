-- The country whose people write numbers for a number without its country code, by its two letters.
ALTER TABLE phone_numbers ADD COLUMN default_country TEXT;
