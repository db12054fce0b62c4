-- What lists of runs are sorted and filtered by, without reading ledgers. Milliseconds since 1970.
ALTER TABLE job_runs ADD COLUMN started INTEGER NOT NULL DEFAULT 0;
ALTER TABLE job_runs ADD COLUMN phase TEXT NOT NULL DEFAULT '';
UPDATE job_runs SET
    started = CAST(round(unixepoch(ledger ->> 'started', 'subsec') * 1000) AS INTEGER),
    phase = ledger ->> '$.phase.type';
CREATE INDEX job_runs_started ON job_runs (started, id);
CREATE INDEX job_runs_phase ON job_runs (phase, started, id);
