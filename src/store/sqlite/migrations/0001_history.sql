-- A job file that was run at least once.
CREATE TABLE jobs (
    uid      TEXT PRIMARY KEY,
    name     TEXT NOT NULL,
    file     TEXT NOT NULL,
    created  TEXT NOT NULL,
    used     TEXT NOT NULL,
    used_in  TEXT NOT NULL,
    used_order INTEGER NOT NULL,
    UNIQUE (name, file)
) WITHOUT ROWID;
CREATE INDEX jobs_used_in ON jobs (used_in, used_order);

-- What a run follows. A table of its own, since saving rewrites the whole row of job_runs and a plan may be large.
CREATE TABLE plans (
    job   TEXT NOT NULL REFERENCES jobs (uid) ON DELETE CASCADE,
    hash  TEXT NOT NULL,
    text  TEXT NOT NULL,
    PRIMARY KEY (job, hash)
) WITHOUT ROWID;

CREATE TABLE job_runs (
    id      INTEGER PRIMARY KEY,
    job     TEXT NOT NULL REFERENCES jobs (uid) ON DELETE CASCADE,
    run     INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    ended   TEXT,
    ledger  TEXT NOT NULL,
    UNIQUE (job, run)
);

-- Whoever saves must have seen the save before: checked here, so that no writer can forget it.
CREATE TRIGGER job_runs_seq BEFORE UPDATE OF seq ON job_runs WHEN new.seq <> old.seq + 1
BEGIN
    SELECT raise(ABORT, 'seq conflict');
END;

CREATE TABLE batches (
    run_id              INTEGER NOT NULL REFERENCES job_runs (id) ON DELETE CASCADE,
    batch               INTEGER NOT NULL,
    state               TEXT NOT NULL,
    attempts            INTEGER NOT NULL,
    started             TEXT,
    ended               TEXT,
    until               TEXT,
    class               TEXT,
    reason              TEXT,
    message             TEXT,
    input_tokens        INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,
    cache_read_tokens   INTEGER NOT NULL,
    cache_write_tokens  INTEGER NOT NULL,
    cost_micro_usd      INTEGER NOT NULL,
    usage_partial       INTEGER NOT NULL,
    PRIMARY KEY (run_id, batch)
) WITHOUT ROWID;
-- Succeeded batches are nearly all of them and found by the primary key; only the others need a way of their own.
CREATE INDEX batches_unfinished ON batches (run_id, state, batch) WHERE state <> 'succeeded';

-- Its prompt, output and validations stay in its directory, whole: see docs/decisions/state.md.
CREATE TABLE attempts (
    run_id              INTEGER NOT NULL REFERENCES job_runs (id) ON DELETE CASCADE,
    batch               INTEGER NOT NULL,
    ordinal             INTEGER NOT NULL,
    state               TEXT NOT NULL,
    started             TEXT,
    ended               TEXT,
    exit_code           INTEGER,
    class               TEXT,
    reason              TEXT,
    message             TEXT,
    accepted            INTEGER,
    session             TEXT,
    warnings            TEXT NOT NULL,
    provenance          TEXT,
    input_tokens        INTEGER NOT NULL,
    output_tokens       INTEGER NOT NULL,
    cache_read_tokens   INTEGER NOT NULL,
    cache_write_tokens  INTEGER NOT NULL,
    cost_micro_usd      INTEGER NOT NULL,
    usage_partial       INTEGER NOT NULL,
    PRIMARY KEY (run_id, batch, ordinal)
) WITHOUT ROWID;

CREATE TABLE notifications (
    run_id    INTEGER NOT NULL REFERENCES job_runs (id) ON DELETE CASCADE,
    id        INTEGER NOT NULL,
    occasion  TEXT NOT NULL,
    queued    TEXT NOT NULL,
    batch     INTEGER,
    ordinal   INTEGER,
    text      TEXT NOT NULL,
    state     TEXT NOT NULL,
    settled   TEXT,
    PRIMARY KEY (run_id, id)
) WITHOUT ROWID;

-- The answer of a batch is that of the attempt that ended it well.
CREATE VIEW outputs AS
    SELECT run_id, batch, attempts AS ordinal, ended FROM batches WHERE state = 'succeeded';
