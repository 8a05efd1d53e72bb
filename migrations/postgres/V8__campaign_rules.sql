-- Until when whatever joins a rejected campaign is rejected unseen, because a person said so; NULL for no such rule. Only adds.
ALTER TABLE campaign ADD COLUMN rule_until bigint;
