INSERT INTO jobs (uid, name, file, created, used, used_in, used_order)
    SELECT value ->> 'uid', value ->> 'name', value ->> 'file', value ->> 'now', value ->> 'now', value ->> 'usedIn',
           (SELECT ifnull(max(used_order), 0) + 1 FROM jobs)
    FROM json_each(json_array(json(?)))
    WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE uid = value ->> 'uid');

INSERT INTO job_runs (job, run, seq, ended, started, phase, ledger, copy, gap)
    SELECT value ->> 'uid', value ->> 'run', value ->> 'seq', value ->> 'ended', value ->> 'started', value ->> 'phase',
           value ->> 'ledger', 1, value ->> 'missed'
    FROM json_each(json_array(json(?)))
    WHERE true
ON CONFLICT (job, run) DO UPDATE SET
    gap = gap + max(0, excluded.seq - seq - ?),
    seq = excluded.seq, ended = excluded.ended, phase = excluded.phase, ledger = excluded.ledger
RETURNING id;
