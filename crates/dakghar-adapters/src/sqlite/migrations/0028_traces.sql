-- The span in which a message was accepted or received, in 25 bytes, where traces are exported.
ALTER TABLE messages ADD COLUMN trace BLOB;
