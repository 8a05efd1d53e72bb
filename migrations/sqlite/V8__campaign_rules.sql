-- Until when whatever joins a rejected campaign is rejected unseen, because a person said so; NULL for no such rule. Only adds: the version
-- before works on beside it, and holds what joins.
ALTER TABLE campaign ADD COLUMN rule_until INTEGER;
