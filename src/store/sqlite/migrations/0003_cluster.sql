-- In a cluster the ledger is in the job's status; here is a copy, which may miss saves: so many as `gap` says.
ALTER TABLE job_runs ADD COLUMN copy INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job_runs ADD COLUMN gap INTEGER NOT NULL DEFAULT 0;
DROP TRIGGER job_runs_seq;
CREATE TRIGGER job_runs_seq BEFORE UPDATE OF seq ON job_runs WHEN new.seq <> old.seq + 1 AND NOT new.copy
BEGIN
    SELECT raise(ABORT, 'seq conflict');
END;

-- Answers that are kept nowhere else. They hang on no run: those are history, which may be lost.
CREATE TABLE answers (
    job      TEXT NOT NULL,
    run      INTEGER NOT NULL,
    batch    INTEGER NOT NULL,
    ordinal  INTEGER NOT NULL,
    -- Whether it stays when the job goes.
    stays    INTEGER NOT NULL,
    answer   TEXT NOT NULL,
    PRIMARY KEY (job, run, batch)
);
