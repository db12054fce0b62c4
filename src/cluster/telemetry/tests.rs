use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use super::{Health, Listener, Payer, Telemetry, gate};
use crate::{
    engine::{
        event::{Event, EventKind},
        gate::GateState,
    },
    job::{
        identity::{AttemptKey, BatchNum},
        outcome::{Failure, FailureClass, Outcome, Provenance, Usage},
    },
};

fn ended(class: Option<FailureClass>, model: &str) -> Event {
    let outcome = Outcome {
        failure: class.map(|class| Failure::new(class, "ForTheTest", "It went wrong.")),
        accepted: true,
        usage: Usage { input_tokens: 3, output_tokens: 5, cost_micro_usd: 250_000, ..Usage::default() },
        session: None,
        signal: None,
        warnings: Vec::new(),
        exit_code: Some(0),
        provenance: Some(Provenance { model: Some(model.to_owned()), ..Provenance::default() }),
        started: Timestamp::UNIX_EPOCH,
        ended: Timestamp::from_second(3).unwrap(),
    };
    let key = AttemptKey { batch: BatchNum(1), ordinal: 1 };
    let kind = EventKind::AttemptEnded { key, outcome: Box::new(outcome), lane_free: None };
    Event { at: Timestamp::UNIX_EPOCH, kind }
}

const PAYER: Payer<'_> = Payer { namespace: "team", credential: "default" };

fn has(text: &str, line: &str) {
    assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
}

#[test]
fn what_happened_is_counted_by_how_it_ended_and_by_who_paid() {
    let telemetry = Telemetry::default();
    let batch = BatchNum(1);
    let journal = [
        ended(Some(FailureClass::Limit), "opus"),
        ended(None, "opus"),
        Event { at: Timestamp::UNIX_EPOCH, kind: EventKind::BatchSucceeded { batch } },
    ];
    telemetry.metrics.happened(PAYER, &journal);
    let text = telemetry.metrics.text();
    has(&text, "mozart_attempts_ended_total{outcome=\"limit\"} 1");
    has(&text, "mozart_attempts_ended_total{outcome=\"succeeded\"} 1");
    has(&text, "mozart_attempts_ended_total{outcome=\"throttle\"} 0");
    has(&text, "mozart_batches_ended_total{outcome=\"succeeded\"} 1");
    has(&text, "mozart_cost_usd_total{namespace=\"team\",credential=\"default\",model=\"opus\"} 0.5");
    has(
        &text,
        "mozart_tokens_total{namespace=\"team\",credential=\"default\",model=\"opus\",kind=\"output\"} 10",
    );
    has(&text, "mozart_attempt_duration_seconds_bucket{le=\"4.0\"} 2");
}

#[test]
fn a_pod_that_makes_up_models_makes_few_series() {
    let telemetry = Telemetry::default();
    let journal: Vec<Event> = (0..1000).map(|number| ended(None, &format!("m{number}"))).collect();
    telemetry.metrics.happened(PAYER, &journal);
    let text = telemetry.metrics.text();
    let series = text.lines().filter(|line| line.starts_with("mozart_cost_usd_total{")).count();
    assert_eq!(series, 33);
    assert!(text.contains("model=\"other\"} 242"), "{text}");
}

#[test]
fn what_a_job_adds_to_a_gauge_goes_with_it() {
    let telemetry = Telemetry::default();
    let now = |line: &str| has(&telemetry.metrics.text(), line);
    let mut share = telemetry.metrics.credential();
    let mut other = telemetry.metrics.credential();
    share.be([(gate(&GateState::Open), 1)]);
    other.be([(gate(&GateState::Open), 1)]);
    now("mozart_credentials{gate=\"open\"} 2");
    share.be([("held", 1)]);
    now("mozart_credentials{gate=\"open\"} 1");
    now("mozart_credentials{gate=\"held\"} 1");
    drop(share);
    now("mozart_credentials{gate=\"open\"} 1");
    now("mozart_credentials{gate=\"held\"} 0");
}

#[test]
fn every_metric_has_a_sentence_a_base_unit_and_no_label_that_could_be_a_jobs_name() {
    let telemetry = Telemetry::default();
    let allowed = ["namespace", "credential", "model", "kind", "phase", "state", "gate", "outcome"];
    let allowed: BTreeSet<_> = allowed.into_iter().chain(["method", "code", "version"]).collect();
    let mut names = BTreeSet::new();
    for one in telemetry.metrics.documented() {
        assert!(names.insert(one.name), "{} is there twice", one.name);
        assert!(
            one.name.starts_with("mozart_") && one.help.len() > 10 && !one.help.ends_with('.'),
            "{one:?}"
        );
        assert_eq!(one.kind == "counter", one.name.ends_with("_total"), "{one:?}");
        assert_eq!(one.kind == "histogram", one.name.ends_with("_seconds"), "{one:?}");
        for wrong in ["_ms", "milli", "minutes", "_kb", "percent"] {
            assert!(!one.name.contains(wrong), "{} is in no base unit", one.name);
        }
        assert!(one.labels.iter().all(|label| allowed.contains(label)), "{one:?}");
    }
    let text = telemetry.metrics.text();
    for name in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' ')) {
        assert!(names.contains(name.0), "{name:?} is not in the reference");
    }
}

#[tokio::test]
async fn the_listener_says_in_words_whether_the_process_lives_and_is_ready() {
    let telemetry = Arc::new(Telemetry::default());
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let base = format!("http://{}", listener.address());
    let served = tokio::spawn(listener.serve(Arc::clone(&telemetry)));
    // A client cannot be made without, also where it speaks no TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |path: &str| {
        let answer = client.get(format!("{base}{path}")).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    assert_eq!(get("/healthz").await, (200, "ok\n".to_owned()));
    for (health, code) in [
        (Health::Starting, 503),
        (Health::TakingUp, 503),
        (Health::Leading, 200),
        (Health::StandingBy { leader: "the-other".to_owned() }, 200),
        (Health::Stopping, 503),
    ] {
        let leads = i64::from(health.leads());
        telemetry.stands(health.clone());
        assert_eq!(get("/readyz").await, (code, format!("{health}\n")));
        has(&get("/metrics").await.1, &format!("mozart_leader {leads}"));
    }
    assert_eq!(get("/").await.0, 404);
    served.abort();
}
