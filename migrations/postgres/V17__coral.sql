-- What Coral signs its requests with, sealed: Coral makes it, so there is none until an operator sets it. The one before is believed for a time.
ALTER TABLE site ADD COLUMN coral_secret bytea;
ALTER TABLE site ADD COLUMN coral_before bytea;
ALTER TABLE site ADD COLUMN coral_before_until bigint;
