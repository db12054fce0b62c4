use prost::Message as _;

use super::{attempt_ended, invalid, known, ledger, origin, outcome, run_ended};
use crate::{
    job::{
        identity::{AttemptKey, AttemptName, BatchNum},
        trace::{SpanId, TraceId, traceparent},
    },
    trace::{
        otlp::{
            AnyValue, ArrayValue, ExportTraceServiceRequest, KeyValue, Resource, ResourceSpans, Scope,
            ScopeSpans, Span, SpanKind, Status, StatusCode, Value,
        },
        span::spans,
    },
};

#[test]
fn each_attempt_that_ended_is_a_span_below_that_of_its_run_and_no_text_of_a_program_is_in_it() {
    let ledger = ledger();
    let journal =
        [attempt_ended(3, 1, outcome(None)), attempt_ended(3, 2, outcome(Some(invalid()))), run_ended()];
    let made = spans(&origin(), &ledger, &journal);
    let shown: Vec<String> = made
        .iter()
        .map(|span| {
            let took = (span.end_time_unix_nano - span.start_time_unix_nano) / 1_000_000_000;
            let status = span.status.as_ref().map(|status| (status.code, status.message.as_str()));
            format!("{}, {took} s, {status:?}\n{}", span.name, known(span))
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"));
    assert!(!format!("{made:?}").contains("private"));

    let [first, second, run] = &made[..] else { panic!("{made:?}") };
    let of_run = SpanId::of_run(&ledger.run).0;
    assert!(made.iter().all(|span| span.trace_id == TraceId::of(&ledger.run).0));
    assert_eq!((&first.parent_span_id[..], &second.parent_span_id[..]), (&of_run[..], &of_run[..]));
    assert_eq!((&run.span_id[..], &run.parent_span_id[..]), (&of_run[..], &[][..]));
    let key = AttemptKey { batch: BatchNum(3), ordinal: 2 };
    let told = traceparent(AttemptName { run: &ledger.run, key });
    let id = SpanId(second.span_id.clone().try_into().unwrap()).to_string();
    assert_eq!(told.split('-').nth(2), Some(id.as_str()), "its program was told another span");
}

#[test]
fn a_program_that_asks_no_model_has_no_tokens_and_a_clock_that_was_set_back_makes_no_time_negative() {
    let mut without = outcome(None);
    without.provenance = None;
    without.ended = super::at(1);
    let made = spans(&origin(), &ledger(), &[attempt_ended(1, 1, without)]);
    assert!(!known(&made[0]).contains("gen_ai"), "{}", known(&made[0]));
    assert_eq!(made[0].start_time_unix_nano, made[0].end_time_unix_nano);
}

#[test]
fn an_attempt_that_ended_with_its_run_does_not_end_after_it() {
    let mut last = outcome(None);
    last.ended = super::at(60) + jiff::SignedDuration::from_micros(900);
    let made = spans(&origin(), &ledger(), &[attempt_ended(3, 1, last), run_ended()]);
    assert_eq!(made[0].end_time_unix_nano, made[1].end_time_unix_nano);
}

#[test]
fn the_bytes_are_those_that_opentelemetrys_own_library_makes() {
    let value = |value| Some(AnyValue { value: Some(value) });
    let attribute = |key: &str, of| KeyValue { key: key.to_owned(), value: value(of) };
    let list = ArrayValue { values: vec![AnyValue { value: Some("a".into()) }] };
    let span = Span {
        trace_id: (0..16).collect(),
        span_id: (0..8).collect(),
        parent_span_id: (8..16).collect(),
        name: "attempt".to_owned(),
        kind: SpanKind::Internal.into(),
        start_time_unix_nano: 1,
        end_time_unix_nano: 1 << 60,
        attributes: vec![
            attribute("whole", Value::Whole(-2)),
            attribute("number", Value::Number(0.5)),
            attribute("list", Value::List(list)),
        ],
        status: Some(Status { message: "Timeout".to_owned(), code: StatusCode::Error.into() }),
    };
    let scope = Scope { name: "mozart".to_owned(), version: "1".to_owned() };
    let resource = Resource { attributes: vec![attribute("service.name", "mozart".into())] };
    let request = ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(resource),
            scope_spans: vec![ScopeSpans { scope: Some(scope), spans: vec![span] }],
        }],
    };
    let hex = request.encode_to_vec().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    // Made with the Python package opentelemetry-proto, of the same values.
    assert_eq!(
        hex,
        "0abb010a1a0a180a0c736572766963652e6e616d6512080a066d6f7a617274129c010a0b0a066d6f7a617274120131128c010a1000\
         0102030405060708090a0b0c0d0e0f12080001020304050607220808090a0b0c0d0e0f2a07617474656d7074300139010000000000\
         00004100000000000000104a140a0577686f6c65120b18feffffffffffffffff014a130a066e756d626572120921000000000000e0\
         3f4a0f0a046c69737412072a050a030a01617a0b120754696d656f75741802"
    );
}
