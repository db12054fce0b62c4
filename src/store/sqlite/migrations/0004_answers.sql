-- Of which items the answer is, and what it took: JSON.
ALTER TABLE answers ADD COLUMN facts TEXT NOT NULL DEFAULT '{}';
