-- Akismet keys are looked up by a keyed hash, whose key lies sealed in `meta`; hashes of before are replaced when a service starts. No table changes:
-- the number tells nodes that know it from those of before, beside which nothing is replaced.
SELECT 1;
