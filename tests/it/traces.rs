//! Traces of local runs, as a collector on loopback takes them.

use std::{
    collections::BTreeMap,
    fs,
    process::Command,
    sync::{Arc, Mutex},
};

use axum::{Router, body::Bytes, routing::post};
use mozart::trace::otlp::{ExportTraceServiceRequest, Span, Value};
use prost::Message as _;
use serde_json::json;
use tokio::{net::TcpListener, task::spawn_blocking};

use crate::{claude_run::ClaudeRun, fake_api::Reply, support::Sandbox};

/// A collector that keeps what it takes.
#[derive(Clone)]
struct Collector {
    address: String,
    spans: Arc<Mutex<Vec<Span>>>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let spans = Arc::new(Mutex::new(Vec::new()));
        let all = Arc::clone(&spans);
        let take = post(async move |body: Bytes| {
            let request = ExportTraceServiceRequest::decode(body).unwrap();
            let scopes = request.resource_spans.into_iter().flat_map(|one| one.scope_spans);
            all.lock().unwrap().extend(scopes.flat_map(|scope| scope.spans));
        });
        tokio::spawn(async move { axum::serve(listener, Router::new().route("/v1/traces", take)).await });
        Self { address, spans }
    }

    fn spans(&self) -> Vec<Span> {
        self.spans.lock().unwrap().clone()
    }

    /// `mozart` that exports to it.
    fn mozart<const N: usize>(&self, sandbox: &Sandbox, arguments: [&str; N]) -> Command {
        let mut command = sandbox.mozart(arguments);
        command.env("OTEL_EXPORTER_OTLP_ENDPOINT", &self.address);
        command
    }
}

/// The program says its span, and does what `then` says.
fn job(batches: u32, then: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let script = format!("echo \"$MOZART_BATCH_NUM $MOZART_ATTEMPT_ORDINAL $TRACEPARENT\" >> told\n{then}\n");
    let program = sandbox.write("program.sh", &script);
    let job = format!(
        "name: traced\nworkspace: .\nbackend: {{type: command, command: [bash, {}]}}\n\
         batch: {{size: 1, total_items: {batches}}}\nprompt: {{template: x}}\n\
         retry: {{base_delay_seconds: 0.01, jitter: false}}\n",
        program.display()
    );
    sandbox.write("job.yaml", &job);
    sandbox
}

/// What each program was told, by batch and ordinal.
fn told(sandbox: &Sandbox) -> BTreeMap<(i64, i64), String> {
    let lines = fs::read_to_string(sandbox.path().join("told")).unwrap_or_default();
    let line = |line: &str| {
        let [batch, ordinal, told] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        ((batch.parse().unwrap(), ordinal.parse().unwrap()), told.to_owned())
    };
    lines.lines().map(line).collect()
}

fn whole(span: &Span, key: &str) -> Option<i64> {
    let found = span.attributes.iter().find(|known| known.key == key)?;
    match found.value.as_ref()?.value.as_ref()? {
        Value::Whole(number) => Some(*number),
        _ => None,
    }
}

/// By batch and ordinal what a program that works under that span has to be told.
fn attempts(spans: &[Span]) -> BTreeMap<(i64, i64), String> {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let of = |span: &Span| {
        let key = (whole(span, "mozart.batch")?, whole(span, "mozart.attempt")?);
        Some((key, format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id))))
    };
    spans.iter().filter_map(of).collect()
}

async fn succeeds(mut command: Command) -> String {
    let output = spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

#[tokio::test]
async fn a_run_is_one_trace_in_which_each_program_was_told_its_span() {
    let collector = Collector::start().await;
    let sandbox = job(3, "[ $MOZART_BATCH_NUM$MOZART_ATTEMPT_ORDINAL != 21 ] || kill -9 $$");
    succeeds(collector.mozart(&sandbox, ["run", "job.yaml"])).await;

    let spans = collector.spans();
    let attempts = attempts(&spans);
    assert_eq!(attempts.keys().copied().collect::<Vec<_>>(), [(1, 1), (2, 1), (2, 2), (3, 1)]);
    assert_eq!(attempts, told(&sandbox));
    assert_eq!(spans.len(), 5, "{spans:?}");
    let run = spans.iter().find(|span| span.name == "run traced").unwrap();
    assert_eq!((run.parent_span_id.as_slice(), &run.status), (&[][..], &None));
    for span in spans.iter().filter(|span| span.name == "attempt") {
        assert_eq!((&span.trace_id, &span.parent_span_id), (&run.trace_id, &run.span_id));
        let killed = whole(span, "mozart.batch") == Some(2) && whole(span, "mozart.attempt") == Some(1);
        let said = span.status.as_ref().map(|status| status.message.as_str());
        assert_eq!(said, killed.then_some("Killed"));
        assert!(run.start_time_unix_nano <= span.start_time_unix_nano);
        assert!(span.end_time_unix_nano <= run.end_time_unix_nano);
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_run_that_was_killed_goes_on_in_its_trace() {
    let collector = Collector::start().await;
    // The third batch holds until the run is taken up again.
    let sandbox = job(4, "[ $MOZART_BATCH_NUM != 3 ] || while [ ! -e go ]; do sleep 0.01; done");
    let mut command = collector.mozart(&sandbox, ["run", "job.yaml"]);
    let mut mozart = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    while attempts(&collector.spans()).len() < 2 || told(&sandbox).len() < 3 {
        tokio::task::yield_now().await;
        assert_eq!(mozart.try_wait().unwrap(), None);
    }
    mozart.kill().unwrap();
    mozart.wait().unwrap();
    sandbox.write("go", "");
    succeeds(collector.mozart(&sandbox, ["resume", "traced"])).await;

    let spans = collector.spans();
    assert_eq!(attempts(&spans), told(&sandbox));
    assert_eq!(spans.len(), 5, "each attempt once, and the run: {spans:?}");
    assert!(spans.iter().all(|span| span.trace_id == spans[0].trace_id));
}

#[tokio::test]
async fn a_run_that_is_stopped_while_nobody_drives_it_is_a_span_too() {
    let collector = Collector::start().await;
    let sandbox = job(2, "");
    succeeds(collector.mozart(&sandbox, ["run", "job.yaml", "--limit", "1"])).await;
    assert_eq!(collector.spans().len(), 1);
    succeeds(collector.mozart(&sandbox, ["stop", "traced"])).await;
    let spans = collector.spans();
    let status = spans[1].status.as_ref().map(|status| status.message.as_str());
    assert_eq!((spans[1].name.as_str(), status), ("run traced", Some("Stopped")));
}

#[tokio::test]
async fn what_cannot_be_followed_is_said_once_and_the_run_goes_on_without_traces() {
    let collector = Collector::start().await;
    let sandbox = job(2, "");
    let mut command = collector.mozart(&sandbox, ["run", "job.yaml"]);
    command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc").env("OTEL_EXPORTER_OTLP_HEADERS", "key=secret");
    let said = succeeds(command).await;
    assert_eq!(said.matches("http/protobuf").count(), 1, "{said}");
    assert!(!said.contains("secret"), "{said}");
    assert!(collector.spans().is_empty());
    assert!(told(&sandbox).values().all(String::is_empty), "{:?}", told(&sandbox));
}

#[tokio::test]
async fn claude_code_goes_on_in_the_trace_below_the_span_of_its_attempt() {
    let collector = Collector::start().await;
    let claude = ClaudeRun::new(|_| Reply::text("done")).await;
    claude.job(1, &json!({}));
    let mut mozart = claude.mozart(["run", "job.yaml", "--yes"]);
    mozart
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.address)
        .env("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
        .env("OTEL_TRACES_EXPORTER", "otlp")
        .env("CLAUDE_CODE_ENABLE_TELEMETRY", "1")
        .env("CLAUDE_CODE_ENHANCED_TELEMETRY_BETA", "1");
    let output = mozart.output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

    let spans = collector.spans();
    let named = |name: &str| {
        let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name} in {names:?}"))
    };
    let (attempt, within) = (named("attempt"), named("claude_code.interaction"));
    assert_eq!((&within.trace_id, &within.parent_span_id), (&attempt.trace_id, &attempt.span_id));
    assert!(whole(attempt, "gen_ai.usage.output_tokens") > Some(0), "{attempt:?}");
}
