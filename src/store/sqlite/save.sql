UPDATE job_runs SET seq = ?, ended = ?, phase = ?, ledger = ? WHERE job = ? AND run = ? RETURNING id;
