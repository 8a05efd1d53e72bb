-- Whom a message by e-mail goes to: each recipient has a message of their own, which is settled by itself. Empty for webhooks, and for what the version
-- before put. Only adds: the version before works on beside it, and sends each of these to everybody.
ALTER TABLE operator_message ADD COLUMN recipient TEXT;
