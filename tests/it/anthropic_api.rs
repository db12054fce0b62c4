//! The Messages API backend against the fake: what it sends, and which class each answer is.

use std::time::Duration;

use jiff::Timestamp;
use mozart::{
    backend::{self, Answer, Call, Judgement, Session, Told, health::HealthState},
    job::{
        batches::Batch,
        identity::{AttemptKey, AttemptName, BatchNum, RunId, SessionId},
        model::{Anthropic, Backend},
        outcome::GateSignal,
    },
};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    fake_api::{FakeApi, MODEL, Reply},
    jobs,
};

/// A variable that every test process has; the fake takes any key.
const KEY: &str = "CARGO_MANIFEST_DIR";

async fn ask(settings: Anthropic) -> (Judgement, Vec<Told>) {
    let folder = tempfile::tempdir().unwrap();
    let job = jobs::job(folder.path(), Backend::Anthropic(Box::new(settings)));
    let run = RunId { job: Uuid::nil(), run: 1 };
    let batch = Batch { number: BatchNum(1), start_item: 1, end_item: 1 };
    let call = Call {
        job: &job,
        name: AttemptName { run: &run, key: AttemptKey::first(batch.number) },
        batch,
        directory: folder.path(),
        session: Session::New(SessionId::random()),
        previous: None,
        budget_micro_usd: None,
    };
    let mut told = Vec::new();
    let judgement =
        backend::ask(&call, &backend::Way::Environment, "Name a colour.", |heard| told.push(heard)).await;
    (judgement, told)
}

async fn ask_playing(replies: impl Into<Vec<Reply>>) -> (Judgement, FakeApi) {
    let api = FakeApi::playing(replies).await;
    let (judgement, _) = ask(jobs::anthropic(api.url(), KEY)).await;
    (judgement, api)
}

fn failure(judgement: &Judgement) -> String {
    let failure = judgement.failure.as_ref().expect("it failed");
    format!("{} {}", failure.class.word(), failure.reason)
}

fn said(judgement: &Judgement) -> &str {
    &judgement.failure.as_ref().expect("it failed").message
}

#[tokio::test]
async fn an_answer_is_streamed_and_paid_to_the_token() {
    let api = FakeApi::playing([Reply::text("blue").tokens(1_200, 30)]).await;
    let (judgement, told) = ask(jobs::anthropic(api.url(), KEY)).await;
    assert_eq!(judgement.failure, None);
    assert_eq!(judgement.answer, Answer::Text("blue".to_owned()));
    let billed = api.billed();
    assert_eq!(judgement.usage.input_tokens, billed.input_tokens);
    assert_eq!(judgement.usage.output_tokens, billed.output_tokens);
    assert_eq!(judgement.usage.cost_micro_usd, billed.cost_micro_usd());
    assert!(!judgement.usage.partial);
    assert_eq!(told.first(), Some(&Told::Signal(GateSignal::Accepted)));
    assert!(told.contains(&Told::Spent(judgement.usage)));
}

#[tokio::test]
async fn an_answer_that_is_not_streamed_counts_the_same() {
    let (judgement, api) = ask_playing([Reply::text("blue").plain()]).await;
    assert_eq!(judgement.failure, None);
    assert_eq!(judgement.answer, Answer::Text("blue".to_owned()));
    assert_eq!(judgement.usage.cost_micro_usd, api.billed().cost_micro_usd());
}

#[tokio::test]
async fn only_what_the_job_says_is_sent() {
    let api = FakeApi::playing([Reply::text("blue")]).await;
    ask(jobs::anthropic(api.url(), KEY)).await;
    let mut settings = jobs::anthropic(&format!("{}/", api.url()), KEY);
    (settings.system, settings.temperature, settings.max_tokens) =
        (Some("Be terse.".to_owned()), Some(0.5), 99);
    ask(settings).await;

    let [plain, full] = &api.requests()[..] else { panic!("two requests") };
    assert_eq!(plain.header("x-api-key"), env!("CARGO_MANIFEST_DIR"));
    assert_eq!(plain.header("anthropic-version"), "2023-06-01");
    assert_eq!(plain.body["model"], MODEL);
    assert_eq!(plain.body["max_tokens"], 8192);
    assert!(plain.said().contains("Name a colour."));
    assert_eq!((&plain.body["system"], &plain.body["temperature"]), (&Value::Null, &Value::Null));
    assert_eq!(full.body["system"], "Be terse.");
    assert_eq!(full.body["temperature"], 0.5);
    assert_eq!(full.body["max_tokens"], 99);
}

#[tokio::test]
async fn every_refusal_of_the_service_has_its_class() {
    let error = Reply::error;
    let cases = [
        (error(401, "authentication_error", "invalid x-api-key"), "job_fatal Unauthorized"),
        (error(403, "permission_error", "not yours"), "job_fatal Forbidden"),
        (error(404, "not_found_error", "model: claude-x"), "job_fatal UnknownModel"),
        (error(404, "", ""), "job_fatal NoSuchService"),
        (error(301, "", ""), "job_fatal NoSuchService"),
        (error(402, "billing_error", "pay first"), "hold CreditBalance"),
        (
            error(400, "invalid_request_error", "Your credit balance is too low to access the API."),
            "hold CreditBalance",
        ),
        (
            error(400, "invalid_request_error", "You have reached your specified API usage limits."),
            "hold SpendLimit",
        ),
        (error(400, "invalid_request_error", "prompt is too long: 9 > 8"), "batch_fatal PromptTooLong"),
        (error(413, "request_too_large", "33 MB"), "batch_fatal PromptTooLong"),
        (error(400, "invalid_request_error", "max_tokens: 8192 > 4096"), "job_fatal ParameterRefused"),
        (error(400, "invalid_request_error", "messages: odd"), "batch_fatal RequestRefused"),
        (error(429, "rate_limit_error", "slow down"), "throttle Throttled"),
        (error(529, "overloaded_error", "Overloaded"), "throttle Throttled"),
        (error(418, "teapot", "short and stout"), "batch_fatal RequestRefused"),
        (error(418, "teapot", "wait").header("x-should-retry", true), "unreachable Unreachable"),
        (error(500, "api_error", "oops").header("x-should-retry", false), "unreachable Unreachable"),
    ];
    for (reply, expected) in cases {
        let (judgement, api) = ask_playing([reply]).await;
        assert_eq!(failure(&judgement), expected, "{judgement:?}");
        assert!(!judgement.accepted && judgement.usage.tokens() == 0);
        assert_eq!(api.requests().len(), 1, "{expected}");
    }
}

#[tokio::test]
async fn a_temperature_that_is_refused_names_the_line_to_delete() {
    let refusal = Reply::error(400, "invalid_request_error", "temperature: is not supported by this model");
    let api = FakeApi::playing([refusal]).await;
    let mut settings = jobs::anthropic(api.url(), KEY);
    settings.temperature = Some(0.7);
    let (judgement, _) = ask(settings).await;
    assert_eq!(failure(&judgement), "job_fatal ParameterRefused");
    assert!(said(&judgement).contains("delete the line `temperature: 0.7`"), "{}", said(&judgement));
}

#[tokio::test]
async fn limits_that_name_their_end_are_waited_for() {
    let soon = (Timestamp::now() + jiff::SignedDuration::from_hours(30)).strftime("%Y-%m-%d").to_string();
    let message =
        format!("You have reached your specified API usage limits. You will regain access on {soon}.");
    let (judgement, _) = ask_playing([Reply::error(400, "invalid_request_error", &message)]).await;
    assert_eq!(failure(&judgement), "limit SpendLimitReached");
    let resets_at = judgement.failure.unwrap().resets_at.unwrap();
    assert_eq!(resets_at.to_string(), format!("{soon}T00:00:00Z"));

    let spent = Reply::error(429, "rate_limit_error", "cap").error_code("enforced_spend_limit_reached");
    let (judgement, _) = ask_playing([spent]).await;
    assert_eq!(failure(&judgement), "limit SpendLimitReached");
    assert!(judgement.failure.unwrap().resets_at.unwrap() > Timestamp::now());
}

#[tokio::test]
async fn a_throttle_says_how_long_it_lasts() {
    let slow = || Reply::error(429, "rate_limit_error", "slow down");
    let in_a_minute = Timestamp::now() + jiff::SignedDuration::from_secs(60);
    let cases = [
        (slow().header("retry-after", 59), 59_000..=59_000),
        (slow().header("retry-after-ms", 1500).header("retry-after", 2), 1_500..=1_500),
        (
            slow()
                .header("anthropic-ratelimit-input-tokens-remaining", 0)
                .header("anthropic-ratelimit-input-tokens-reset", in_a_minute),
            1..=60_000,
        ),
    ];
    for (reply, expected) in cases {
        let (judgement, _) = ask_playing([reply]).await;
        let wait = judgement.failure.unwrap().retry_after_ms.unwrap();
        assert!(expected.contains(&wait), "{wait} is not in {expected:?}");
    }
}

#[tokio::test]
async fn a_server_that_stumbles_is_asked_again_and_one_that_stays_down_is_unreachable() {
    let down = Reply::error(500, "api_error", "oops");
    let (judgement, api) = ask_playing([down.clone(), down.clone(), Reply::text("blue")]).await;
    assert_eq!((judgement.failure, api.requests().len()), (None, 3));
    let (judgement, api) = ask_playing([down]).await;
    assert_eq!(failure(&judgement), "unreachable Unreachable");
    assert_eq!(api.requests().len(), 3);
}

#[tokio::test]
async fn an_address_where_nobody_listens_is_unreachable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (judgement, _) = ask(jobs::anthropic(&url, KEY)).await;
    assert_eq!(failure(&judgement), "unreachable Unreachable");
    assert!(said(&judgement).contains("127.0.0.1"), "{}", said(&judgement));
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_paid_in_part() {
    let (judgement, _) = ask_playing([Reply::text("bl").dropped()]).await;
    assert_eq!(failure(&judgement), "transient AnswerDropped");
    assert!(judgement.accepted && judgement.usage.partial);
    assert_eq!(judgement.usage.input_tokens, 1000);

    let (judgement, _) = ask_playing([Reply::text("bl").error_event("overloaded_error", "Overloaded")]).await;
    assert_eq!(failure(&judgement), "throttle Throttled");
    let (judgement, _) = ask_playing([Reply::text("bl").error_event("api_error", "oops")]).await;
    assert_eq!(failure(&judgement), "transient ServiceFailed");
}

#[tokio::test]
async fn how_the_model_stopped_decides() {
    let cases = [
        (Reply::text("bl").stop("max_tokens"), "batch_fatal OutputCap"),
        (Reply::empty().stop("refusal"), "batch_fatal Refused"),
        (Reply::text("bl").stop("model_context_window_exceeded"), "batch_fatal PromptTooLong"),
        (Reply::empty(), "transient EmptyAnswer"),
        (Reply::text("  \n"), "transient EmptyAnswer"),
        (Reply::text("bl").stop("pause_turn"), "transient UnexpectedStop"),
    ];
    for (reply, expected) in cases {
        let (judgement, api) = ask_playing([reply]).await;
        assert_eq!(failure(&judgement), expected);
        assert_eq!(
            judgement.usage.cost_micro_usd,
            api.billed().cost_micro_usd(),
            "{expected}: it is paid all the same"
        );
    }
}

#[tokio::test]
async fn a_key_that_is_not_there_is_named_before_anything_is_sent() {
    let api = FakeApi::playing([Reply::text("never")]).await;
    let settings = jobs::anthropic(api.url(), "MOZART_TEST_NO_SUCH_KEY");
    let (judgement, _) = ask(settings.clone()).await;
    assert_eq!(failure(&judgement), "job_fatal KeyMissing");
    assert!(said(&judgement).contains("MOZART_TEST_NO_SUCH_KEY"));
    assert_eq!(api.requests().len(), 0);

    let folder = tempfile::tempdir().unwrap();
    let job = jobs::job(folder.path(), Backend::Anthropic(Box::new(settings)));
    assert_eq!(backend::health_check(&job).await[0].state, HealthState::Fail);
}

#[tokio::test]
async fn dropping_the_request_ends_it() {
    let api = FakeApi::playing([Reply::text("late").after(Duration::from_hours(1))]).await;
    let asked = ask(jobs::anthropic(api.url(), KEY));
    let seen = async {
        while api.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        (judgement, _) = asked => panic!("{judgement:?}"),
        () = seen => {}
    }
}

#[tokio::test]
async fn the_health_check_tries_key_and_model_without_a_message() {
    let api = FakeApi::playing([Reply::text("never")]).await;
    let folder = tempfile::tempdir().unwrap();
    let check = async |model: &str| {
        let mut settings = jobs::anthropic(api.url(), KEY);
        model.clone_into(&mut settings.model);
        let job = jobs::job(folder.path(), Backend::Anthropic(Box::new(settings)));
        let states = backend::health_check(&job).await.into_iter().map(|health| health.state);
        states.collect::<Vec<_>>()
    };
    assert_eq!(check(MODEL).await, [HealthState::Ok, HealthState::Ok]);
    assert_eq!(check("claude-x").await, [HealthState::Ok, HealthState::Warn]);
    assert_eq!(api.requests().len(), 0);
}
