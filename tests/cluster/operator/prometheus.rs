//! A real Prometheus (Debian's: run `make tools`) reads what a real operator tells.

use std::{fs, process::Stdio, time::Duration};

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::{ACCOUNT, Work, kubelet::Played, on_the_node, submit};
use crate::attempts::eventually;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Half a second; every fourth batch fails the first time.
fn script(batch: u32, ordinal: u32) -> Played {
    Played { takes: Duration::from_millis(500), fails: batch.is_multiple_of(4) && ordinal == 1 }
}

/// A Prometheus that reads an operator, with the alerts of the chart. It is killed when it is dropped.
struct Prometheus {
    _process: Child,
    _folder: tempfile::TempDir,
    base: String,
    client: reqwest::Client,
}

impl Prometheus {
    async fn reading(target: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": [format!("{ROOT}/charts/mozart/files/alerts.yaml")],
            "scrape_configs": [{"job_name": "mozart", "static_configs": [{"targets": [target]}]}],
        });
        let file = folder.path().join("prometheus.yaml");
        fs::write(&file, config.to_string()).unwrap();
        // It takes no free port by itself.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new(format!("{ROOT}/.cache/prometheus/usr/bin/prometheus"))
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("Prometheus is there: run `make tools`");
        let client = client();
        let base = format!("http://127.0.0.1:{port}");
        let prometheus = Self { _process: process, _folder: folder, base, client };
        eventually("Prometheus is ready", || async {
            let asked = prometheus.client.get(format!("{}/-/ready", prometheus.base)).send().await;
            asked.is_ok_and(|answer| answer.status().is_success())
        })
        .await;
        prometheus
    }

    async fn ask(&self, path: &str, query: &[(&str, &str)]) -> Value {
        let address = url::Url::parse_with_params(&format!("{}/api/v1/{path}", self.base), query).unwrap();
        let answer: Value =
            serde_json::from_str(&self.client.get(address).send().await.unwrap().text().await.unwrap())
                .unwrap();
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"].clone()
    }

    /// The one value of a query, once there is one.
    async fn value(&self, query: &str) -> Option<f64> {
        let found = self.ask("query", &[("query", query)]).await;
        found["result"][0]["value"][1].as_str().map(|value| value.parse().unwrap())
    }
}

#[tokio::test]
async fn a_real_prometheus_reads_what_a_real_operator_did() {
    let work = Work::new(script).await;
    let _operator = work.place.start(ACCOUNT);
    eventually("the operator says where it listens", || async { address(&work).is_some() }).await;
    let address = address(&work).unwrap();
    let client = client();
    eventually("the operator is ready", || async {
        let asked = client.get(format!("http://{address}/readyz")).send().await;
        asked.is_ok_and(|answer| answer.status().is_success())
    })
    .await;
    let prometheus = Prometheus::reading(&address).await;
    let spec =
        json!({"batch": {"size": 1, "totalItems": 12, "parallelism": 4}, "retry": {"baseDelaySeconds": 0.1}});
    submit(&work.namespace, "night", &on_the_node(&work.namespace, &spec)).await;
    for (query, wanted) in [
        ("mozart_batches_ended_total{outcome=\"succeeded\"}", 12.0),
        ("mozart_attempts_ended_total{outcome=\"transient\"}", 3.0),
        ("mozart_runs_ended_total{outcome=\"complete\"}", 1.0),
        ("mozart_jobs{phase=\"Complete\"}", 1.0),
        ("sum(mozart_batches)", 0.0),
        ("mozart_leader", 1.0),
        ("up", 1.0),
    ] {
        eventually(&format!("{query} is {wanted}"), || async {
            prometheus.value(query).await.is_some_and(|found| (found - wanted).abs() < 1e-9)
        })
        .await;
    }
    eventually("every alert was looked at, and none fires", || async {
        let rules = prometheus.ask("rules", &[]).await;
        let rules = rules["groups"][0]["rules"].as_array().unwrap().clone();
        rules.len() == 10 && rules.iter().all(|rule| rule["health"] == "ok" && rule["state"] == "inactive")
    })
    .await;
    let told = prometheus.ask("targets/metadata", &[("metric", "mozart_batches_ended_total")]).await;
    assert_eq!(told[0]["type"], "counter", "{told}");
    work.end().await;
}

fn client() -> reqwest::Client {
    // It cannot be made without, also where it speaks no TLS.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

/// Where the operator listens, once it has said so.
fn address(work: &Work) -> Option<String> {
    let log = work.place.log(ACCOUNT);
    let line = log.iter().find(|line| line["message"] == "metrics and health are served")?;
    line["address"].as_str().map(ToOwned::to_owned)
}
