-- What Meta's answer said of a message beyond its id: JSON; NULL where that is nothing.
ALTER TABLE messages ADD COLUMN receipt TEXT;
