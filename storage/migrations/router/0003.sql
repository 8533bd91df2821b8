-- Ids that begin with the time lie at the end now, whoever minted them: a batch touches a page or two of this index
-- instead of one a sender.
DROP INDEX message_by_client_id;
CREATE UNIQUE INDEX message_by_client_id ON message (client_id, sender);
