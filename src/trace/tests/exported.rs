use std::{
    future::pending,
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use prost::Message as _;
use tokio::net::TcpListener;

use super::{attempt_ended, ledger, origin, outcome};
use crate::trace::{Tracer, WAITING, otlp::ExportTraceServiceRequest, settings::Settings};

type Taken = Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>;

/// A collector that answers with each of these in turn, and then with the last for ever.
async fn collector(answers: &'static [StatusCode]) -> (String, Taken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let taken = Taken::default();
    let all = Arc::clone(&taken);
    let take = post(async move |headers: HeaderMap, body: Bytes| {
        let mut all = all.lock().unwrap();
        let answer = *answers.get(all.len()).or(answers.last()).unwrap();
        all.push((headers, ExportTraceServiceRequest::decode(body).unwrap()));
        answer
    });
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/traces", take)).await });
    (address, taken)
}

fn tracer(endpoint: &str) -> Tracer {
    let settings = Settings::of(&|variable| match variable {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.to_owned()),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("authorization=Bearer%20key".to_owned()),
        _ => None,
    });
    Tracer::start(settings.unwrap().unwrap()).unwrap()
}

fn record(tracer: &Tracer, attempts: u32) {
    for batch in 1..=attempts {
        tracer.record(&origin(), &ledger(), &[attempt_ended(batch, 1, outcome(None))]);
    }
}

fn spans(taken: &Taken) -> usize {
    let taken = taken.lock().unwrap();
    let scopes =
        taken.iter().flat_map(|(_, request)| &request.resource_spans).flat_map(|one| &one.scope_spans);
    scopes.map(|scope| scope.spans.len()).sum()
}

#[tokio::test]
async fn what_was_told_is_sent_together_when_the_process_ends_with_the_headers_of_the_environment() {
    let (address, taken) = collector(&[StatusCode::OK]).await;
    let tracer = tracer(&address);
    record(&tracer, 700);
    tracer.close().await;
    assert_eq!(spans(&taken), 700);
    let taken = taken.lock().unwrap();
    assert_eq!(taken.len(), 2, "512 go together");
    for (headers, request) in &*taken {
        assert_eq!(headers["content-type"], "application/x-protobuf");
        assert_eq!(headers["authorization"], "Bearer key");
        assert_eq!(request.resource_spans.len(), 1);
    }
    assert_eq!(tracer.dropped.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_collector_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    let (busy, at_last) = collector(&[StatusCode::SERVICE_UNAVAILABLE, StatusCode::OK]).await;
    let (refusing, refused) = collector(&[StatusCode::BAD_REQUEST]).await;
    let (patient, beaten) = (tracer(&busy), tracer(&refusing));
    record(&patient, 1);
    record(&beaten, 1);
    while at_last.lock().unwrap().len() < 2 || beaten.dropped.load(Ordering::Relaxed) == 0 {
        tokio::task::yield_now().await;
    }
    patient.close().await;
    beaten.close().await;
    assert_eq!(patient.dropped.load(Ordering::Relaxed), 0);
    assert_eq!(at_last.lock().unwrap().len(), 2);
    assert_eq!(refused.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn where_nobody_listens_the_end_does_not_wait() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let tracer = tracer(&format!("http://{gone}"));
    record(&tracer, 3);
    tracer.close().await;
    assert_eq!(tracer.dropped.load(Ordering::Relaxed), 3);
    assert!(tracer.ended.has_changed().is_err(), "the exporter has ended by itself");
}

/// In paused time every wait is over at once: that it ends shows that nothing waits for an answer.
#[tokio::test(start_paused = true)]
async fn a_collector_that_never_answers_costs_the_spans_that_find_no_room() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let holds = tokio::spawn(async move {
        let _held = listener;
        pending::<()>().await;
    });
    let tracer = tracer(&address);
    let more = 100;
    record(&tracer, u32::try_from(WAITING).unwrap() + more);
    assert_eq!(tracer.dropped.load(Ordering::Relaxed), u64::from(more));
    tracer.close().await;
    holds.abort();
}

#[tokio::test(start_paused = true)]
async fn a_collector_that_is_away_for_a_day_is_asked_still() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let tracer = tracer(&nobody);
    record(&tracer, 1);
    tokio::time::sleep(Duration::from_hours(24)).await;
    assert!(!tracer.queue.is_closed(), "the exporter is at work");
    assert_eq!(tracer.dropped.load(Ordering::Relaxed), 0, "and has given up nothing");
}
