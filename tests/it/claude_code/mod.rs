//! The real Claude Code against the fake API: what it does, and what Mozart makes of it.

mod harness;

use jiff::Timestamp;
use mozart::{
    backend::{Answer, EndedBy, Session, Told, prices},
    job::{
        identity::SessionId,
        model::{Auth, Backend, Budget},
        outcome::{GateSignal, Usage},
    },
};
use nix::sys::signal::Signal;
use serde_json::json;

use self::harness::{Bench, Wallet, in_seconds};
use crate::{
    fake_api::{FakeApi, MODEL, Reply, unified_limit},
    jobs,
};

fn text(answer: &Answer) -> &str {
    if let Answer::Text(text) = answer { text } else { panic!("there is no text: {answer:?}") }
}

fn cut_off(seconds: i64) -> Reply {
    Reply::error(429, "rate_limit_error", "limited").headers(unified_limit(
        "rejected",
        1.0,
        in_seconds(seconds),
    ))
}

#[tokio::test]
async fn a_file_is_written_by_a_tool_and_paid_to_the_token() {
    let mut bench = Bench::new(FakeApi::playing([]).await);
    let report = bench.workspace().join("report.md");
    let replies =
        [Reply::write(&report, "## Evidence\n").tokens(3_000, 400), Reply::text("written").tokens(5_000, 7)];
    bench.api = FakeApi::playing(replies).await;
    let ran = bench.run("Write the report.").await;

    assert_eq!(ran.judgement.failure, None, "{}", ran.stdout);
    assert_eq!(bench.file("report.md").as_deref(), Some("## Evidence\n"));
    assert_eq!(text(&ran.judgement.answer), "written");
    assert!(ran.judgement.accepted && ran.judgement.session.is_some());

    let (usage, billed) = (ran.judgement.usage, bench.api.billed());
    assert_eq!((usage.input_tokens, usage.output_tokens), (billed.input_tokens, billed.output_tokens));
    assert_eq!(usage.cost_micro_usd, billed.cost_micro_usd());
    assert!(!usage.partial);
    let counted = prices::cost_micro_usd(MODEL, &Usage { cost_micro_usd: 0, ..usage });
    assert_eq!(counted, Some(usage.cost_micro_usd), "Mozart's prices are the tool's");

    assert_eq!(ran.told.first(), Some(&Told::Signal(GateSignal::Accepted)));
    assert_eq!(ran.told.last(), Some(&Told::ResultSaid));
    assert!(ran.told.contains(&Told::Spent(usage)));
    assert!(bench.api.requests()[0].said().contains("Write the report."));
}

#[tokio::test]
async fn no_secret_is_in_the_arguments_and_no_hook_file_mention_or_command_of_the_user_acts() {
    let mut bench = Bench::new(FakeApi::playing([Reply::text("read it")]).await);
    bench.settings.append_system_prompt = Some("Be terse, mozart-mark.".to_owned());
    std::fs::write(bench.workspace().join("secret.txt"), "the-secret-text").unwrap();
    let ran = bench.run("/help\n- @secret.txt").await;

    assert_eq!(ran.judgement.failure, None, "{}", ran.stdout);
    let request = &bench.api.requests()[0];
    assert!(request.said().contains("/help"), "the slash was sent as text");
    assert!(!request.said().contains("the-secret-text"), "the mention read no file");
    assert!(request.body["system"].to_string().contains("mozart-mark"));
    assert_eq!(request.header("x-api-key"), "sk-ant-fake");
    assert!(!ran.invocation.args.join(" ").contains("sk-ant"));
    let tools = request.body["tools"].to_string();
    assert!(!tools.contains("ScheduleWakeup") && tools.contains("Bash"));
}

#[tokio::test]
async fn a_slash_command_sends_nothing_and_is_no_success() {
    let mut bench = Bench::new(FakeApi::playing([Reply::text("never")]).await);
    bench.settings.slash_command = true;
    let ran = bench.run("/help me").await;
    assert_eq!(ran.exit.code, 0);
    assert_eq!(ran.failure(), "batch_fatal NothingSent");
    assert_eq!(bench.api.requests().len(), 0);
}

#[tokio::test]
async fn a_wrong_key_is_given_up_at_the_first_sign() {
    let refusal = Reply::error(401, "authentication_error", "invalid x-api-key");
    let mut bench = Bench::new(FakeApi::playing([refusal]).await);
    bench.wallet = Wallet::Key("wrong");
    let ran = bench.run("go").await;
    let Some(Told::GiveUp(failure)) = ran.told.first() else { panic!("{:?}", ran.told) };
    assert_eq!(failure.reason, "Unauthorized");
    assert_eq!(ran.failure(), "job_fatal Unauthorized", "judged again by its file it is the same");
    assert!(failure.message.contains("ANTHROPIC_API_KEY"), "{}", failure.message);
    assert!(bench.api.requests().len() <= 2);
}

#[tokio::test]
async fn nobody_logged_in_is_unauthorized() {
    let mut bench = Bench::new(FakeApi::playing([Reply::text("never")]).await);
    bench.wallet = Wallet::Key("");
    bench.settings.auth = Auth::Subscription;
    let ran = bench.run("go").await;
    assert_eq!(ran.failure(), "job_fatal Unauthorized", "{}", ran.stdout);
}

#[tokio::test]
async fn a_plan_limit_names_its_reset_and_the_session_goes_on_after_it() {
    let first =
        [Reply::tool("Bash", &json!({ "command": "echo one" })), cut_off(3600), Reply::text("finished")];
    let mut bench = Bench::new(FakeApi::playing(first).await);
    bench.wallet = Wallet::Login;
    let limited = bench.run("Do it.").await;

    let failure = limited.judgement.failure.as_ref().unwrap();
    assert_eq!(limited.failure(), "limit LimitReached");
    let away = failure.resets_at.unwrap().duration_since(Timestamp::now());
    assert!((3500..=3600).contains(&away.as_secs()), "{away:#}");
    assert!(failure.message.contains("five_hour"), "{}", failure.message);
    assert!(limited.judgement.accepted);
    assert_eq!(limited.judgement.usage.input_tokens, 1000, "what was done is paid");

    let session = limited.judgement.session.unwrap();
    let resumed = bench.run_in(Session::Continue(session), "Go on.").await;
    assert_eq!(resumed.judgement.failure, None, "{}", resumed.stdout);
    assert_eq!(resumed.judgement.usage.input_tokens, 1000, "its own turn alone, not the session's");
    let said = bench.api.requests()[2].said();
    assert!(said.contains("Do it.") && said.contains("echo one") && said.contains("Go on."));
    let mut sum = limited.judgement.usage;
    sum += resumed.judgement.usage;
    assert_eq!(sum.cost_micro_usd, bench.api.billed().cost_micro_usd());
}

#[tokio::test]
async fn a_success_near_the_limit_stays_one_and_tells_the_share() {
    let reply = Reply::text("fine").headers(unified_limit("allowed_warning", 0.93, in_seconds(3600)));
    let mut bench = Bench::new(FakeApi::playing([reply]).await);
    bench.wallet = Wallet::Login;
    let ran = bench.run("go").await;
    assert_eq!(ran.judgement.failure, None);
    let Some(GateSignal::Utilization { share, resets_at }) = ran.judgement.signal else {
        panic!("{:?}", ran.judgement.signal)
    };
    assert!((share - 0.93).abs() < 1e-9 && resets_at.is_some());
}

#[tokio::test]
async fn a_success_on_extra_usage_stays_one_and_says_so() {
    let mut headers = unified_limit("rejected", 1.0, in_seconds(3600));
    let overage = [("overage-status", "allowed"), ("overage-in-use", "true")];
    headers.extend(
        overage.map(|(name, value)| (format!("anthropic-ratelimit-unified-{name}"), value.to_owned())),
    );
    let mut bench = Bench::new(FakeApi::playing([Reply::text("dear").headers(headers)]).await);
    bench.wallet = Wallet::Login;
    let ran = bench.run("go").await;
    assert_eq!(ran.judgement.failure, None, "{}", ran.stdout);
    assert!(
        matches!(ran.judgement.signal, Some(GateSignal::Overage { resets_at: Some(_) })),
        "{}",
        ran.stdout
    );
}

#[tokio::test]
async fn a_throttle_is_told_while_the_tool_waits_by_itself() {
    let slow = Reply::error(429, "rate_limit_error", "slow down").header("retry-after", 1);
    let bench = Bench::new(FakeApi::playing([slow, Reply::text("there")]).await);
    let ran = bench.run("go").await;
    assert_eq!(ran.judgement.failure, None);
    let Told::Signal(GateSignal::Throttled { status: Some(429), retry_after_ms: Some(wait) }) = ran.told[0]
    else {
        panic!("{:?}", ran.told)
    };
    assert!((1_000..2_000).contains(&wait), "{wait}");
    assert_eq!(ran.told[1], Told::Signal(GateSignal::Accepted));
}

#[tokio::test]
async fn a_throttle_that_the_tool_gives_up_is_no_limit() {
    let hour = Reply::error(429, "rate_limit_error", "slow down").header("retry-after", 3600);
    let bench = Bench::new(FakeApi::playing([hour]).await);
    let ran = bench.run("go").await;
    assert_eq!(ran.failure(), "throttle Throttled", "{}", ran.stdout);
    assert!(!ran.judgement.accepted);
}

#[tokio::test]
async fn a_server_that_stumbles_once_costs_nothing() {
    let replies = [Reply::error(500, "api_error", "oops"), Reply::text("there")];
    let bench = Bench::new(FakeApi::playing(replies).await);
    let ran = bench.run("go").await;
    assert_eq!(ran.judgement.failure, None);
    assert_eq!(bench.api.requests().len(), 2);
    assert_eq!(ran.judgement.usage.input_tokens, 1000);
}

#[tokio::test]
async fn an_answer_that_keeps_breaking_off_is_transient_and_its_session_goes_on() {
    let bench = Bench::new(FakeApi::playing([Reply::text("half").dropped()]).await);
    let ran = bench.run("go").await;
    assert_eq!(ran.failure(), "transient ServiceFailed", "{}", ran.stdout);
    assert!(ran.judgement.session.is_some());
}

#[tokio::test]
async fn refusals_of_the_model_and_of_the_service_have_their_classes() {
    let cases = [
        (Reply::empty().stop("refusal"), "batch_fatal Refused"),
        (Reply::error(404, "not_found_error", "model: claude-x"), "job_fatal UnknownModel"),
        (
            Reply::error(
                400,
                "invalid_request_error",
                "Your credit balance is too low to access the Anthropic API.",
            ),
            "hold CreditBalance",
        ),
        (
            Reply::error(
                400,
                "invalid_request_error",
                "prompt is too long: 2000000 tokens > 1000000 maximum",
            ),
            "batch_fatal PromptTooLong",
        ),
        (Reply::error(400, "invalid_request_error", "messages: bad"), "batch_fatal RequestRefused"),
        (
            Reply::error(
                400,
                "invalid_request_error",
                "You have reached your specified API usage limits. You will regain access on 2026-12-01 at 00:00 UTC.",
            ),
            "limit LimitReached",
        ),
        (Reply::empty(), "transient EmptyAnswer"),
    ];
    for (reply, expected) in cases {
        let bench = Bench::new(FakeApi::playing([reply]).await);
        let ran = bench.run("go").await;
        assert_eq!(ran.failure(), expected, "{}", ran.stdout);
        let fresh = ran.judgement.failure.as_ref().unwrap().fresh_session;
        assert_eq!(ran.judgement.session.is_none(), fresh, "{expected}");
    }
}

#[tokio::test]
async fn a_denied_tool_is_named_though_the_run_succeeded() {
    let outside = std::env::temp_dir().join("mozart-never-written.md");
    let replies = [Reply::write(&outside, "x"), Reply::text("it was denied")];
    let bench = Bench::new(FakeApi::playing(replies).await);
    let ran = bench.run("go").await;
    assert_eq!(ran.judgement.failure, None);
    assert!(!outside.exists());
    let [warning] = &ran.judgement.warnings[..] else { panic!("{:?}", ran.judgement.warnings) };
    assert!(warning.contains("Write (1×)"), "{warning}");
}

#[tokio::test]
async fn a_workspace_beside_the_working_directory_may_be_written() {
    let mut bench = Bench::new(FakeApi::playing([]).await);
    let elsewhere = tempfile::tempdir().unwrap();
    bench.settings.working_directory = elsewhere.path().to_owned();
    let report = bench.workspace().join("report.md");
    bench.api = FakeApi::playing([Reply::write(&report, "x"), Reply::text("written")]).await;
    let ran = bench.run("go").await;
    assert_eq!(ran.judgement.failure, None);
    assert!(report.exists(), "{}", ran.stdout);
}

#[tokio::test]
async fn a_run_that_is_terminated_counts_what_it_used_and_is_continued() {
    let replies = [
        Reply::tool("Bash", &json!({ "command": "echo first" })),
        Reply::text("half of it").stalled(),
        Reply::text("the rest"),
    ];
    let mut bench = Bench::new(FakeApi::playing(replies).await);
    bench.end_at = Some(("half of it", Some(Signal::SIGTERM), EndedBy::Interrupted));
    let ended = bench.run("go").await;
    assert_eq!(ended.exit.code, 143);
    assert_eq!(ended.failure(), "disruption Interrupted");
    assert!(ended.judgement.usage.partial);
    assert_eq!(ended.judgement.usage.input_tokens, 2000);

    bench.end_at = None;
    bench.api = FakeApi::playing([Reply::text("the rest")]).await;
    let session = ended.judgement.session.unwrap();
    let resumed = bench.run_in(Session::Continue(session), "Go on.").await;
    assert_eq!(resumed.judgement.failure, None, "{}", resumed.stdout);
    assert!(bench.api.requests()[0].said().contains("echo first"));
}

#[tokio::test]
async fn a_run_that_is_stopped_says_what_it_cost() {
    // The tool itself sends the signal, so that it comes in the middle of a tool and not of an answer.
    let reply = Reply::tool("Bash", &json!({ "command": "kill -INT $PPID; sleep 60" }));
    let mut bench = Bench::new(FakeApi::playing([reply]).await);
    bench.settings.allowed_tools = vec!["Bash".to_owned()];
    bench.end_at = Some(("tool_use", None, EndedBy::Stopped));
    let ran = bench.run("go").await;
    assert_eq!(ran.failure(), "transient Stopped", "{}", ran.stdout);
    // On a machine under load the tool has been seen to end without its result line: then the cost is a part, and said so.
    let (usage, billed) = (ran.judgement.usage, bench.api.billed().cost_micro_usd());
    let said = ran.stdout.contains(r#""type":"result""#);
    assert_eq!(usage.partial, !said, "{}", ran.stdout);
    assert!(if said { usage.cost_micro_usd == billed } else { usage.cost_micro_usd <= billed }, "{usage:?}");
}

#[tokio::test]
async fn a_lost_session_is_started_anew_and_not_counted() {
    let bench = Bench::new(FakeApi::playing([Reply::text("never")]).await);
    let ran = bench.run_in(Session::Continue(SessionId::random()), "Go on.").await;
    assert_eq!(ran.failure(), "disruption SessionLost");
    assert!(ran.judgement.failure.unwrap().fresh_session && ran.judgement.session.is_none());
    assert_eq!(bench.api.requests().len(), 0);
}

#[tokio::test]
async fn a_session_id_that_was_used_before_is_left() {
    let bench = Bench::new(FakeApi::playing([Reply::text("there")]).await);
    let session = Session::New(SessionId::random());
    assert_eq!(bench.run_in(session, "go").await.judgement.failure, None);
    let again = bench.run_in(session, "go").await;
    assert_eq!(again.failure(), "disruption SessionInUse");
}

#[tokio::test]
async fn a_call_that_cannot_start_says_why() {
    let mut bench = Bench::new(FakeApi::playing([Reply::text("never")]).await);
    bench.settings.extra_args = vec!["--no-such-flag".to_owned()];
    let ran = bench.run("go").await;
    assert_eq!(ran.failure(), "job_fatal ClaudeDidNotStart");
    let message = ran.judgement.failure.unwrap().message;
    assert!(message.contains("--no-such-flag"), "{message}");
}

#[tokio::test]
async fn turns_and_money_of_an_attempt_end_it() {
    let forever = Reply::tool("Bash", &json!({ "command": "echo more" }));
    let mut bench = Bench::new(FakeApi::playing([forever]).await);
    bench.settings.max_turns = Some(2);
    let turns = bench.run("go").await;
    assert_eq!(turns.failure(), "transient MaxTurns", "{}", turns.stdout);
    assert_eq!(turns.judgement.usage.cost_micro_usd, bench.api.billed().cost_micro_usd());

    bench.settings.max_turns = None;
    let mut job = jobs::job(&bench.workspace(), Backend::ClaudeCli(Box::new(bench.settings.clone())));
    job.budget = Budget { per_attempt_micro_usd: Some(10_000), ..Budget::default() };
    let money = bench.run_job(&job, Session::New(SessionId::random()), "go").await;
    assert_eq!(money.failure(), "batch_fatal BudgetPerAttempt", "{}", money.stdout);
    assert!(money.judgement.usage.cost_micro_usd <= 18_000, "{:?}", money.judgement.usage);
}

#[tokio::test]
async fn a_fallback_model_that_answered_is_told_with_the_attempt() {
    const OTHER: &str = "claude-sonnet-5-5";
    let api = FakeApi::start(|request| match request.body["model"].as_str() {
        Some(OTHER) => Reply::text("done").by(OTHER),
        _ => Reply::error(529, "overloaded_error", "Overloaded"),
    })
    .await;
    let mut bench = Bench::new(api);
    bench.settings.fallback_model = Some(OTHER.to_owned());
    let ran = bench.run("go").await;
    assert_eq!(ran.judgement.failure, None, "{}", ran.stdout);
    assert_eq!(ran.judgement.warnings, [format!("{OTHER} answered instead of {MODEL}")]);
    assert_eq!(ran.judgement.provenance.unwrap().model.as_deref(), Some(MODEL));
}
