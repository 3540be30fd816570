-- What is known of a number at Meta, from the checks of it and the events of its account: JSON. NULL where nothing is known.
ALTER TABLE phone_numbers ADD COLUMN standing TEXT;
