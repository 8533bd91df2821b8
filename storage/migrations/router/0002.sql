-- Of somebody's receipt: what the other may know of it, when the other last learnt something by it, and the place from
-- which on it counts as unread for that person alone (0: none).
ALTER TABLE conversation ADD COLUMN low_seen INTEGER NOT NULL DEFAULT 0 CHECK (low_seen <= low_read);
ALTER TABLE conversation ADD COLUMN low_told INTEGER NOT NULL DEFAULT 0 CHECK (low_told <= low_change);
ALTER TABLE conversation ADD COLUMN low_marked INTEGER NOT NULL DEFAULT 0 CHECK (low_marked <= low_read);
ALTER TABLE conversation ADD COLUMN high_seen INTEGER NOT NULL DEFAULT 0 CHECK (high_seen <= high_read);
ALTER TABLE conversation ADD COLUMN high_told INTEGER NOT NULL DEFAULT 0 CHECK (high_told <= high_change);
ALTER TABLE conversation ADD COLUMN high_marked INTEGER NOT NULL DEFAULT 0 CHECK (high_marked <= high_read);

-- Until now the other saw everything.
UPDATE conversation SET low_seen = low_read, low_told = low_change, high_seen = high_read, high_told = high_change;
