-- A conversation is listed along the messages of its person, whose index every message is in anyway. This one cost a page of the
-- log for nearly every sent message, because conversations lie in it in no order.
DROP INDEX messages_in_conversation;
