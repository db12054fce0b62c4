//! The metrics of the operator, as Prometheus' own tools read them: run `make tools`, which unpacks those.

use std::{
    collections::BTreeSet,
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

use mozart::cluster::telemetry::{self, Telemetry};

use crate::examples::check_generated;

const ALERTS: &str = "charts/mozart/files/alerts.yaml";
const DASHBOARD: &str = "charts/mozart/files/dashboard.json";

/// What `promtool` says of `input`; it must be content.
fn promtool(arguments: &[&str], input: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut promtool = Command::new(root.join(".cache/prometheus/usr/bin/promtool"))
        .args(arguments)
        .current_dir(root.join("tests/it"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there: run `make tools`");
    promtool.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success(), "promtool {arguments:?}: {said}");
    said
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

#[test]
fn the_reference_of_the_metrics_has_every_one_of_them() {
    check_generated("docs/reference/metrics.md", &telemetry::reference());
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    assert_eq!(promtool(&["check", "metrics"], &Telemetry::default().metrics.text()), "");
}

#[test]
fn every_alert_fires_when_nothing_is_well_and_none_when_all_is() {
    let said = promtool(&["check", "rules", &format!("../../{ALERTS}")], "");
    assert!(said.contains("SUCCESS: 10 rules found"), "{said}");
    promtool(&["test", "rules", "alerts.yaml"], "");
}

#[test]
fn what_the_alerts_and_the_dashboard_ask_for_is_there() {
    let telemetry = Telemetry::default();
    let known: BTreeSet<_> = telemetry.metrics.documented().iter().map(|one| one.name.to_owned()).collect();
    let word = regex::Regex::new("mozart_[a-z_]+").unwrap();
    for path in [ALERTS, DASHBOARD] {
        let text = read(path);
        let asked: BTreeSet<_> = word.find_iter(&text).map(|found| found.as_str()).collect();
        assert!(asked.len() > 5, "{path}: {asked:?}");
        for name in asked {
            assert!(known.contains(name.trim_end_matches("_bucket")), "{path} asks for {name}");
        }
    }
}

#[test]
fn every_query_of_the_dashboard_is_one_that_prometheus_understands() {
    let dashboard: serde_json::Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    let queries = targets.map(|target| target["expr"].as_str().unwrap());
    let rules: Vec<_> = queries
        .enumerate()
        // Grafana fills these in.
        .map(|(number, query)| (number, query.replace("$__rate_interval", "5m").replace("$job", ".*")))
        .map(|(number, query)| serde_json::json!({"record": format!("panel:{number}"), "expr": query}))
        .collect();
    assert!(rules.len() > 12, "{rules:?}");
    let file = tempfile::NamedTempFile::new().unwrap();
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(file.path(), groups.to_string()).unwrap();
    promtool(&["check", "rules", file.path().to_str().unwrap()], "");
}
