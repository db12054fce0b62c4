//! Spans of a cluster's runs, as they are told to the exporter.

use std::{collections::BTreeMap, time::Duration};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::{JOB, UID, failed, job, pods, slowly, until};
use crate::{
    cluster::testing::{ApiServer, Kubelet, Operator, Played},
    job::{
        identity::{AttemptKey, AttemptName, BatchNum, RunId},
        trace::{SpanId, TraceId, traceparent},
    },
    trace::{
        Tracer,
        otlp::{Span, Value},
    },
};

/// The second batch fails once.
fn once(batch: u32, ordinal: u32) -> Played {
    if (batch, ordinal) == (2, 1) {
        failed("transient", &serde_json::json!({}))
    } else {
        slowly(batch, ordinal)
    }
}

fn traced(server: &ApiServer) -> (Operator, mpsc::Receiver<Span>) {
    let (tracer, spans) = Tracer::in_memory();
    let operator = Operator::named(server, "pod-uid", |settings| settings.tracer = Some(tracer));
    (operator, spans)
}

/// The variable of each Pod that there is, by batch and ordinal.
fn told(server: &ApiServer) -> BTreeMap<(u32, u32), String> {
    let of = |pod: &serde_json::Value| {
        let label = |name: &str| pod["metadata"]["labels"][name].as_str().unwrap().parse().unwrap();
        let variables = pod["spec"]["containers"][0]["env"].as_array().unwrap();
        let mut variables = variables.iter().filter(|variable| variable["name"] == "TRACEPARENT");
        let value = variables.next().unwrap()["value"].as_str().unwrap().to_owned();
        assert_eq!(variables.next(), None, "{pod}");
        ((label("mozart.dev/batch"), label("mozart.dev/attempt")), value)
    };
    pods(server).iter().map(of).collect()
}

fn all(spans: &mut mpsc::Receiver<Span>) -> Vec<Span> {
    std::iter::from_fn(|| spans.try_recv().ok()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_operator_that_died_goes_on_with_the_trace_and_tells_of_each_attempt_once() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, once);
    let mut night = job(6, 2);
    night["spec"]["pod"] = serde_json::json!({"env": [{"name": "TRACEPARENT", "value": "of the job"}]});
    server.put(JOB, night);
    let (operator, mut spans) = traced(&server);
    let mut seen = BTreeMap::new();
    until(&server, "the third batch", |server| {
        seen.extend(told(server));
        seen.contains_key(&(3, 1))
    })
    .await;
    let mut told_of = vec![spans.recv().await.unwrap()];
    // What dies between a save and the next moment tells of that save no more.
    let mut writes = 0;
    while std::mem::replace(&mut writes, server.writes().len()) != server.writes().len() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(operator);
    told_of.extend(all(&mut spans));
    let (_operator, mut spans) = traced(&server);
    until(&server, "the last batch", |server| {
        seen.extend(told(server));
        seen.contains_key(&(6, 1))
    })
    .await;
    // That of the run is the last.
    while told_of.last().is_none_or(|span| !span.parent_span_id.is_empty()) {
        told_of.push(spans.recv().await.unwrap());
    }

    let run = RunId { job: UID.parse::<Uuid>().unwrap(), run: 1 };
    let name =
        |batch, ordinal| AttemptName { run: &run, key: AttemptKey { batch: BatchNum(batch), ordinal } };
    for ((batch, ordinal), value) in &seen {
        assert_eq!(*value, traceparent(name(*batch, *ordinal)));
    }
    assert!(told_of.iter().all(|span| span.trace_id == TraceId::of(&run).0), "one run is one trace");
    let mut ids: Vec<&[u8]> = told_of.iter().map(|span| &span.span_id[..]).collect();
    let attempts = [(1, 1), (2, 1), (2, 2), (3, 1), (4, 1), (5, 1), (6, 1)];
    let mut wanted: Vec<[u8; 8]> =
        attempts.map(|(batch, ordinal)| SpanId::of_attempt(name(batch, ordinal)).0).to_vec();
    wanted.push(SpanId::of_run(&run).0);
    ids.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(ids, wanted.iter().map(|id| &id[..]).collect::<Vec<_>>());
    let namespace = |span: &Span| {
        let found = span.attributes.iter().find(|known| known.key == "k8s.namespace.name");
        found.and_then(|known| known.value.clone()?.value) == Some(Value::Text("team".to_owned()))
    };
    assert!(told_of.iter().all(namespace));
}

#[tokio::test(start_paused = true)]
async fn without_a_collector_pods_are_told_of_no_span() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(1, 1));
    let _operator = Operator::start(&server);
    until(&server, "a Pod", |server| !pods(server).is_empty()).await;
    assert!(!pods(&server)[0]["spec"].to_string().contains("TRACEPARENT"));
}
