-- What stood around an inbound message in its webhook: the contact of the person, the metadata, the entry.
ALTER TABLE messages ADD COLUMN frame TEXT;
