//! Ends of Claude Code that are rare or slow to bring about, as lines that were recorded from it.

use mozart::{
    backend::{self, Answer, Call, EndedBy, Exit, Follower, Judgement, Material, Session, Told},
    job::{
        batches::Batch,
        identity::{AttemptKey, AttemptName, BatchNum, RunId, SessionId},
        model::{Backend, Budget, Job},
        outcome::{FailureClass, GateSignal},
        start::Previous,
    },
};
use uuid::Uuid;

use crate::jobs;

const INIT: &str = r#"{"type":"system","subtype":"init","model":"claude-opus-5-5","apiKeySource":"none"}"#;
const MESSAGE: &str = r#"{"type":"assistant","message":{"id":"msg_1","model":"claude-opus-5-5","usage":{"input_tokens":1000,"output_tokens":1}}}"#;
const DONE: &str = r#"{"type":"result","subtype":"success","is_error":false,"num_turns":1,"result":"all done","stop_reason":"end_turn","terminal_reason":"completed","model_usage_since_last_result":{"claude-opus-5-5":{"inputTokens":1000,"outputTokens":100,"costUSD":0.006}}}"#;
const NOT_DONE: &str = r#"{"type":"result","subtype":"error_max_budget_usd","is_error":true,"num_turns":2,"errors":["Exceeded USD budget (1)"],"terminal_reason":"budget_exhausted","model_usage_since_last_result":{"claude-opus-5-5":{"inputTokens":500,"outputTokens":50,"costUSD":0.003}}}"#;

const ENDED_WELL: Exit = Exit { code: 0, signal: None, ended_by: None };
const ENDED_BADLY: Exit = Exit { code: 1, signal: None, ended_by: None };

fn with_call<T>(act: impl FnOnce(&Call<'_>) -> T, session: Session) -> T {
    let folder = tempfile::tempdir().unwrap();
    let job = jobs::job(folder.path(), Backend::ClaudeCli(Box::new(jobs::claude(folder.path()))));
    let run = RunId { job: Uuid::nil(), run: 1 };
    let batch = Batch { number: BatchNum(1), start_item: 1, end_item: 1 };
    let name = AttemptName { run: &run, key: AttemptKey::first(batch.number) };
    act(&Call {
        job: &job,
        name,
        batch,
        directory: folder.path(),
        session,
        previous: None,
        budget_micro_usd: None,
    })
}

fn judge_in(session: Session, lines: &[&str], stderr: &str, exit: Exit) -> Judgement {
    with_call(
        |call| {
            let (out, err) = (call.directory.join("stdout.log"), call.directory.join("stderr.log"));
            std::fs::write(&out, lines.join("\n")).unwrap();
            std::fs::write(&err, stderr).unwrap();
            backend::judge(call, Material { stdout: &out, stderr: &err, exit })
        },
        session,
    )
}

fn judge(lines: &[&str], stderr: &str, exit: Exit) -> Judgement {
    judge_in(Session::New(SessionId::random()), lines, stderr, exit)
}

fn class(lines: &[&str], stderr: &str, exit: Exit) -> String {
    let failure = judge(lines, stderr, exit).failure;
    failure.map_or_else(
        || "succeeded".to_owned(),
        |failure| format!("{} {}", failure.class.word(), failure.reason),
    )
}

fn error(category: &str, status: &str, text: &str) -> [String; 2] {
    [
        format!(
            r#"{{"type":"assistant","error":"{category}","message":{{"id":"x","model":"<synthetic>"}}}}"#
        ),
        format!(
            r#"{{"type":"result","subtype":"success","is_error":true,"num_turns":1,"api_error_status":{status},"result":"{text}","stop_reason":"stop_sequence","terminal_reason":"api_error","model_usage_since_last_result":{{}}}}"#
        ),
    ]
}

fn retry(attempt: u32, delay: u32, status: &str, category: &str) -> String {
    format!(
        r#"{{"type":"system","subtype":"api_retry","attempt":{attempt},"max_retries":10,"retry_delay_ms":{delay},"error_status":{status},"error":"{category}"}}"#
    )
}

#[test]
fn errors_of_the_service_have_their_classes_before_and_after_an_accepted_request() {
    let cases = [
        ("authentication_failed", "401", "Invalid API key · Fix external API key", "job_fatal Unauthorized"),
        ("authentication_failed", "null", "Not logged in · Please run /login", "job_fatal Unauthorized"),
        ("authentication_failed", "403", "Request not allowed", "throttle TooManySessions"),
        ("authentication_failed", "401", "OAuth token has been revoked", "hold LoginRevoked"),
        ("billing_error", "400", "Credit balance is too low", "hold CreditBalance"),
        (
            "rate_limit",
            "429",
            "API Error: Request rejected (429) · this may be temporary",
            "throttle Throttled",
        ),
        (
            "rate_limit",
            "429",
            "API Error: Server is temporarily limiting requests (not your usage limit)",
            "throttle Throttled",
        ),
        ("rate_limit", "429", "You've hit your Opus limit · resets 8:54pm (UTC)", "limit LimitReached"),
        ("rate_limit", "429", "You've hit your limit", "limit LimitReached"),
        ("unknown", "400", "You have reached your specified API usage limits.", "hold SpendLimit"),
        ("server_error", "529", "API Error: Repeated 529 Overloaded errors", "throttle Throttled"),
        ("server_error", "500", "API Error: 500 Internal server error", "unreachable Unreachable"),
        ("server_error", "null", "API Error: Connection refused (ECONNREFUSED)", "unreachable Unreachable"),
        (
            "max_output_tokens",
            "null",
            "API Error: the response exceeded 128000 tokens",
            "batch_fatal OutputCap",
        ),
        ("model_not_found", "404", "There's an issue with the selected model", "job_fatal UnknownModel"),
        ("invalid_request", "400", "API Error: 400 messages: bad", "batch_fatal RequestRefused"),
        ("invalid_request", "400", "Prompt is too long", "batch_fatal PromptTooLong"),
    ];
    for (category, status, text, expected) in cases {
        let [message, result] = error(category, status, text);
        assert_eq!(class(&[INIT, &message, &result], "", ENDED_BADLY), expected, "{text}");
        let after = class(&[INIT, MESSAGE, &message, &result], "", ENDED_BADLY);
        let expected = expected.replace("unreachable Unreachable", "transient ServiceFailed");
        assert_eq!(after, expected, "{text}, after an accepted request");
    }
}

#[test]
fn every_other_end_of_a_run_has_its_class() {
    let cases = [
        ("error_max_turns", "max_turns", "transient MaxTurns"),
        ("error_max_budget_usd", "budget_exhausted", "batch_fatal BudgetPerAttempt"),
        (
            "error_max_structured_output_retries",
            "structured_output_retry_exhausted",
            "batch_fatal NoStructuredAnswer",
        ),
        ("error_during_execution", "aborted_tools", "transient Aborted"),
        ("error_during_execution", "turn_setup_failed", "transient RunFailed"),
        ("error_of_next_year", "something_new", "transient RunFailed"),
        ("success", "prompt_too_long", "batch_fatal PromptTooLong"),
        ("success", "blocking_limit", "batch_fatal PromptTooLong"),
        ("success", "rapid_refill_breaker", "batch_fatal PromptTooLong"),
        ("success", "image_error", "batch_fatal ImageRefused"),
        ("success", "stop_hook_prevented", "batch_fatal HookStopped"),
        ("success", "tool_deferred", "batch_fatal ToolDeferred"),
        ("success", "malformed_tool_use_exhausted", "transient MalformedToolUse"),
    ];
    for (subtype, reason, expected) in cases {
        let result = format!(
            r#"{{"type":"result","subtype":"{subtype}","is_error":true,"num_turns":2,"errors":["why"],"terminal_reason":"{reason}"}}"#
        );
        assert_eq!(class(&[INIT, MESSAGE, &result], "", ENDED_BADLY), expected, "{subtype} {reason}");
    }
}

fn after(reason: &str) -> Previous {
    Previous { class: FailureClass::Transient, reason: reason.to_owned(), session: None }
}

#[test]
fn turns_that_are_used_up_twice_in_a_row_fail_the_batch() {
    let result = r#"{"type":"result","subtype":"error_max_turns","is_error":true,"num_turns":3,"errors":["Reached maximum number of turns (2)"]}"#;
    for (before, expected) in [("Timeout", FailureClass::Transient), ("MaxTurns", FailureClass::BatchFatal)] {
        let judgement = with_call(
            |call| {
                let (out, err) = (call.directory.join("stdout.log"), call.directory.join("stderr.log"));
                std::fs::write(&out, [INIT, MESSAGE, result].join("\n")).unwrap();
                std::fs::write(&err, "").unwrap();
                let call = Call { previous: Some(&after(before)), ..*call };
                backend::judge(&call, Material { stdout: &out, stderr: &err, exit: ENDED_BADLY })
            },
            Session::Continue(SessionId::random()),
        );
        assert_eq!(judgement.failure.unwrap().class, expected, "{before}");
    }
}

#[test]
fn an_attempt_with_a_budget_is_told_it_and_asks_one_sub_agent_at_a_time() {
    const ONE_AT_A_TIME: &str = "CLAUDE_CODE_MAX_CONCURRENT_SUBAGENTS";
    for (budget, told) in [(Some(1_250_000), Some("1.250000")), (Some(1), Some("0.000001")), (None, None)] {
        let (process, settings) = with_call(
            |call| {
                let call = Call { budget_micro_usd: budget, ..*call };
                let process = backend::invocation(&call).unwrap();
                (process, std::fs::read_to_string(call.directory.join("settings.json")).unwrap())
            },
            Session::Continue(SessionId::random()),
        );
        let at = process.args.iter().position(|arg| arg == "--max-budget-usd");
        assert_eq!(at.map(|at| process.args[at + 1].as_str()), told);
        let one = process
            .env_set
            .iter()
            .any(|(name, value)| (name.as_str(), value.as_str()) == (ONE_AT_A_TIME, "1"));
        assert_eq!((one, settings.contains(ONE_AT_A_TIME)), (budget.is_some(), budget.is_some()));
    }
}

#[test]
fn a_share_of_the_runs_budget_that_is_used_up_does_not_fail_the_batch() {
    for (per_attempt, expected) in
        [(None, "disruption BudgetShare"), (Some(5), "batch_fatal BudgetPerAttempt")]
    {
        let failure = with_call(
            |call| {
                let (out, err) = (call.directory.join("stdout.log"), call.directory.join("stderr.log"));
                std::fs::write(&out, [INIT, MESSAGE, NOT_DONE].join("\n")).unwrap();
                std::fs::write(&err, "").unwrap();
                let budget = Budget { per_attempt_micro_usd: per_attempt, ..Budget::default() };
                let job = Job { budget, ..call.job.clone() };
                let call = Call { job: &job, budget_micro_usd: Some(5), ..*call };
                backend::judge(&call, Material { stdout: &out, stderr: &err, exit: ENDED_BADLY })
                    .failure
                    .unwrap()
            },
            Session::New(SessionId::random()),
        );
        assert_eq!(format!("{} {}", failure.class.word(), failure.reason), expected);
    }
}

#[test]
fn a_model_that_answered_instead_of_the_one_that_was_asked_is_told() {
    let by = |model: &str, parent: &str| {
        MESSAGE
            .replace("claude-opus-5-5", model)
            .replace(r#""type":"assistant""#, &format!(r#""type":"assistant","parent_tool_use_id":{parent}"#))
    };
    let warnings = |message: String| judge(&[INIT, &message, DONE], "", ENDED_WELL).warnings;
    assert_eq!(warnings(by("claude-opus-5-5-20261001", "null")), [""; 0]);
    assert_eq!(
        warnings(by("claude-haiku-5-5", r#""toolu_1""#)),
        [""; 0],
        "a sub-agent has a model of its own"
    );
    assert_eq!(
        warnings(by("claude-sonnet-5-5", "null")),
        ["claude-sonnet-5-5 answered instead of claude-opus-5-5"]
    );
}

#[test]
fn a_process_without_a_result_is_judged_by_how_it_ended() {
    let by = |ended_by| Exit { code: 143, signal: None, ended_by: Some(ended_by) };
    let killed = Exit { code: 137, signal: Some(9), ended_by: None };
    let cases: [(&[&str], &str, Exit, &str); 9] = [
        (&[], "Error: --no-such-flag", ENDED_BADLY, "job_fatal ClaudeDidNotStart"),
        (&[], "Error: Session ID 1 is already in use.", ENDED_BADLY, "disruption SessionInUse"),
        (&[], "", killed, "transient Killed"),
        (&[INIT, MESSAGE], "", killed, "transient Killed"),
        (&[INIT, MESSAGE], "", Exit { code: 143, signal: None, ended_by: None }, "transient Killed"),
        (&[INIT, MESSAGE], "", by(EndedBy::Timeout), "transient Timeout"),
        (&[INIT, MESSAGE], "", by(EndedBy::Interrupted), "disruption Interrupted"),
        (&[INIT, MESSAGE], "", by(EndedBy::Stopped), "transient Stopped"),
        (&[INIT, MESSAGE], "", ENDED_BADLY, "transient NoResult"),
    ];
    for (lines, stderr, exit, expected) in cases {
        assert_eq!(class(lines, stderr, exit), expected, "{exit:?}");
    }
}

#[test]
fn a_deadline_in_the_tools_own_wait_is_no_failure_of_the_batch() {
    let late = Exit { code: 143, signal: None, ended_by: Some(EndedBy::Timeout) };
    let (throttled, down) = (retry(3, 8479, "429", "rate_limit"), retry(3, 8479, "null", "unknown"));
    assert_eq!(class(&[INIT, &throttled], "", late), "throttle Throttled");
    assert_eq!(class(&[INIT, MESSAGE, &throttled], "", late), "throttle Throttled");
    assert_eq!(class(&[INIT, &down], "", late), "unreachable Unreachable");
    assert_eq!(class(&[INIT, MESSAGE, &down], "", late), "transient ServiceFailed");
    assert_eq!(class(&[INIT, &down, MESSAGE], "", late), "transient Timeout", "the wait was over");
}

#[test]
fn the_last_result_decides_and_the_answer_is_the_last_that_is_not_empty() {
    let background = DONE.replace("all done", "and the background too");
    let empty = DONE.replace("all done", "");
    let judgement = judge(&[INIT, MESSAGE, DONE, &background, &empty], "", ENDED_WELL);
    assert_eq!(judgement.failure, None);
    assert_eq!(judgement.answer, Answer::Text("and the background too".to_owned()));
    assert_eq!(judgement.usage.cost_micro_usd, 18_000, "each result says what came since the one before");
    assert_eq!(judgement.usage.input_tokens, 3000);

    assert_eq!(class(&[INIT, MESSAGE, DONE, NOT_DONE], "", ENDED_BADLY), "batch_fatal BudgetPerAttempt");
    let late = Exit { code: 143, signal: None, ended_by: Some(EndedBy::Timeout) };
    assert_eq!(class(&[INIT, MESSAGE, DONE], "", late), "succeeded", "a deadline after a good result");
}

#[test]
fn without_the_exact_figures_a_new_session_is_its_totals_and_a_continued_one_its_messages() {
    let old = r#"{"type":"result","subtype":"success","is_error":false,"num_turns":2,"result":"all done","stop_reason":"end_turn","terminal_reason":"completed","total_cost_usd":0.5,"modelUsage":{"claude-opus-5-5":{"inputTokens":70000,"outputTokens":9000,"costUSD":0.5}}}"#;
    let lines = [INIT, MESSAGE, MESSAGE, old];
    let new = judge(&lines, "", ENDED_WELL).usage;
    assert_eq!((new.cost_micro_usd, new.input_tokens, new.partial), (500_000, 70_000, false));
    let continued = judge_in(Session::Continue(SessionId::random()), &lines, "", ENDED_WELL).usage;
    assert_eq!((continued.cost_micro_usd, continued.input_tokens, continued.partial), (4_020, 1_000, true));
}

#[test]
fn what_is_no_line_of_the_tool_is_skipped_and_a_line_may_be_megabytes_long() {
    let long = MESSAGE.replace("msg_1", &"x".repeat(4 << 20));
    let odd = r#"{"type":"assistant","message":{"id":7,"model":["?"],"usage":null},"error":{}}"#;
    let lines = [
        "",
        "npm warn",
        "[1]",
        "{\"type\":\"from_next_year\"}",
        odd,
        "{\"type\":\"result\"",
        INIT,
        &long,
        DONE,
    ];
    assert_eq!(class(&lines, "", ENDED_WELL), "succeeded");
}

#[test]
fn a_limit_that_the_model_only_writes_about_is_none() {
    let chat = DONE.replace("all done", "You've hit your weekly limit · resets Nov 27, 10:02am (UTC)");
    assert_eq!(class(&[INIT, MESSAGE, &chat], "", ENDED_WELL), "succeeded");
}

fn follow(lines: &[&str]) -> Vec<Told> {
    with_call(
        |call| {
            let mut follower = Follower::new(call).unwrap();
            lines.iter().flat_map(|line| follower.line(line.as_bytes())).collect()
        },
        Session::New(SessionId::random()),
    )
}

#[test]
fn a_long_wait_is_told_once_and_the_next_accepted_request_again() {
    let waits = [68_479, 38_479, 8_479].map(|delay| retry(1, delay, "429", "rate_limit"));
    let second = MESSAGE.replace("msg_1", "msg_2");
    let told = follow(&[INIT, MESSAGE, &waits[0], &waits[1], &waits[2], &second]);
    let signals: Vec<_> = told.iter().filter(|told| matches!(told, Told::Signal(_))).collect();
    let expected = [
        Told::Signal(GateSignal::Accepted),
        Told::Signal(GateSignal::Throttled { status: Some(429), retry_after_ms: Some(68_479) }),
        Told::Signal(GateSignal::Accepted),
    ];
    assert_eq!(signals, expected.iter().collect::<Vec<_>>());
}

#[test]
fn a_key_that_was_accepted_before_is_not_given_up_at_once() {
    let refused = retry(1, 500, "401", "authentication_failed");
    assert!(matches!(follow(&[INIT, &refused])[..], [Told::GiveUp(_)]));
    assert!(!follow(&[INIT, MESSAGE, &refused]).iter().any(|told| matches!(told, Told::GiveUp(_))));
}

#[test]
fn a_result_is_not_the_end_while_a_task_runs_in_the_background() {
    let started = r#"{"type":"system","subtype":"task_started","task_id":"t1"}"#;
    let ended = r#"{"type":"system","subtype":"task_notification","task_id":"t1","status":"completed"}"#;
    let said = |lines: &[&str]| follow(lines).iter().filter(|told| **told == Told::ResultSaid).count();
    assert_eq!(said(&[INIT, MESSAGE, DONE]), 1);
    assert_eq!(said(&[INIT, started, MESSAGE, DONE]), 0);
    assert_eq!(said(&[INIT, started, MESSAGE, DONE, ended, DONE]), 1);
}
