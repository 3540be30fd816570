-- 1 for a message whose client was answered with its gateway id, and so knows none of Meta's.
ALTER TABLE messages ADD COLUMN by_gateway_id INTEGER NOT NULL DEFAULT 0;
