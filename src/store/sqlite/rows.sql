INSERT INTO batches
    SELECT r.id, value ->> 'batch', value ->> 'state', value ->> 'attempts',
           value ->> 'started', value ->> 'ended', value ->> 'until',
           value ->> 'class', value ->> 'reason', value ->> 'message',
           value ->> '$.usage.inputTokens', value ->> '$.usage.outputTokens',
           value ->> '$.usage.cacheReadTokens', value ->> '$.usage.cacheWriteTokens',
           CAST(round((value ->> '$.usage.costUSD') * 1000000) AS INTEGER), value ->> '$.usage.partial'
    FROM job_runs r CROSS JOIN json_each(?)
    WHERE r.job = ? AND r.run = ?
ON CONFLICT (run_id, batch) DO UPDATE SET
    state = excluded.state,
    attempts = max(attempts, excluded.attempts),
    started = coalesce(started, excluded.started),
    ended = coalesce(excluded.ended, ended),
    until = excluded.until,
    class = CASE excluded.state WHEN 'running' THEN coalesce(excluded.class, class) ELSE excluded.class END,
    reason = CASE excluded.state WHEN 'running' THEN coalesce(excluded.reason, reason) ELSE excluded.reason END,
    message = CASE WHEN excluded.state IN ('running', 'waiting') THEN coalesce(excluded.message, message)
                   ELSE excluded.message END,
    input_tokens = input_tokens + excluded.input_tokens,
    output_tokens = output_tokens + excluded.output_tokens,
    cache_read_tokens = cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = cache_write_tokens + excluded.cache_write_tokens,
    cost_micro_usd = cost_micro_usd + excluded.cost_micro_usd,
    usage_partial = max(usage_partial, excluded.usage_partial);

INSERT INTO attempts
    SELECT r.id, value ->> 'batch', value ->> 'ordinal', value ->> 'state',
           value ->> 'started', value ->> 'ended', value ->> 'exitCode',
           value ->> 'class', value ->> 'reason', value ->> 'message',
           value ->> 'accepted', value ->> 'session', value -> 'warnings',
           nullif(value -> 'provenance', 'null'),
           value ->> '$.usage.inputTokens', value ->> '$.usage.outputTokens',
           value ->> '$.usage.cacheReadTokens', value ->> '$.usage.cacheWriteTokens',
           CAST(round((value ->> '$.usage.costUSD') * 1000000) AS INTEGER), value ->> '$.usage.partial'
    FROM job_runs r CROSS JOIN json_each(?)
    WHERE r.job = ? AND r.run = ?
ON CONFLICT (run_id, batch, ordinal) DO UPDATE SET
    state = excluded.state, started = excluded.started, ended = excluded.ended,
    exit_code = excluded.exit_code, class = excluded.class, reason = excluded.reason,
    message = excluded.message, accepted = excluded.accepted, session = excluded.session,
    warnings = excluded.warnings, provenance = excluded.provenance, input_tokens = excluded.input_tokens,
    output_tokens = excluded.output_tokens, cache_read_tokens = excluded.cache_read_tokens,
    cache_write_tokens = excluded.cache_write_tokens, cost_micro_usd = excluded.cost_micro_usd,
    usage_partial = excluded.usage_partial;

INSERT INTO notifications
    SELECT r.id, value ->> 'id', value ->> 'occasion', value ->> 'queued',
           value ->> 'batch', value ->> 'ordinal', value ->> 'text',
           value ->> 'state', value ->> 'settled'
    FROM job_runs r CROSS JOIN json_each(?)
    WHERE r.job = ? AND r.run = ?;

UPDATE notifications SET state = change.value ->> 1, settled = change.value ->> 2
    FROM job_runs r CROSS JOIN json_each(?) AS change
    WHERE r.job = ? AND r.run = ? AND run_id = r.id AND notifications.id = change.value ->> 0;
