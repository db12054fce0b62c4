//! The dashboard in a real Chromium: `tests/browser` drives it, over jobs that are made here.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};

use super::{payloads, server::Server};
use crate::support::Sandbox;

/// Batches of which two fail; the first one speaks to a terminal.
const REVIEW: &str = r#"
name: review
description: Reviews two commits at a time
backend: {type: command, working_directory: ., command: [bash, review.sh]}
workspace: ./review
batch: {size: 2, total_items: 10}
prompt: {template: "{{ batch_num }}\nReview {{ start_item }} to {{ end_item }}, attempt {{ attempt }}."}
retry: {max_retries: 1, base_delay_seconds: 0}
validations: [{type: command_succeeds, command: "true", description: The command is content}]
"#;

const REVIEW_PROGRAM: &str = r#"
read -r n
echo "said by batch $n"
if [ "$n" = 1 ]; then
  printf '\e[32mgreen\e[0m and \e[1;31mred\e[0m\n'
  printf '\e]8;;https://example.com/a\aa page\e]8;;\a\n'
  printf '\e]8;;javascript:alert(1)\abad link stays text\e]8;;\a\n'
  printf '\e]52;c;Y29weQ==\a\e]0;owned\a\e[2J\e[5;5Hstill one line\n'
fi
if [ "$n" = 2 ] || [ "$n" = 4 ]; then echo "it broke on $n" >&2; exit 1; fi
"#;

/// Batches that end when they are told to, by files in their workspace.
const STEPS: &str = r#"
name: steps
backend: {type: command, working_directory: ., command: [bash, steps.sh]}
workspace: ./steps
batch: {size: 1, total_items: 6, parallelism: 3}
prompt: {template: "{{ batch_num }}"}
validations: [{type: command_succeeds, command: "true"}]
"#;

const STEPS_PROGRAM: &str = r#"
read -r n
for i in $(seq 2000); do echo "line $i of batch $n"; done
while [ ! -e "steps/more$n" ] && [ ! -e "steps/go$n" ]; do sleep 0.05; done
printf 'new\nmore\nthe last line\n'
while [ ! -e "steps/go$n" ]; do sleep 0.05; done
"#;

/// A batch for each payload, which is in its prompt, its output, its errors and its failure.
const INJECTION: &str = r#"
name: injection
description: PAYLOAD
backend: {type: command, working_directory: ., command: [bash, injection.sh]}
workspace: ./injection
batch: {size: 1, parallelism: 8, items_from: {file: payloads.jsonl}}
prompt: {template: "{{ batch_num }}\n{{ items[0] }}\n{{ mark }}", variables: {mark: PAYLOAD}}
retry: {max_retries: 1, base_delay_seconds: 0, max_failed_in_a_row: 1000}
validations: [{type: file_exists, path: "{workspace}/<img src=x onerror=alert(1)>{batch_num}", description: PAYLOAD}]
"#;

const INJECTION_PROGRAM: &str = r#"
read -r n
cat > "injection/said$n"
cat "injection/said$n"
cat "injection/said$n" >&2
if [ $((n % 2)) = 0 ]; then exit 1; fi
"#;

/// A run that goes on while the browser looks.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run_to_its_end(sandbox: &Sandbox, file: &str) {
    let ran = sandbox.mozart(["run", file]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// Chromium over what `server` shows, driven by a file of `tests/browser`.
fn drive(script: &str, server: &Server, prepared: &Value) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = root.join(".cache/browser/node_modules/playwright-core");
    assert!(
        installed.is_dir() && Path::new("/usr/bin/chromium").exists(),
        "the dashboard is tested in a real Chromium, which is not installed: run `make tools`"
    );
    let mut prepared = prepared.clone();
    prepared["address"] = json!(format!("{}/?token={}", server.base(), server.token));
    let ran = Command::new("node")
        .args(["--test", "--test-reporter=spec", "--test-timeout=240000"])
        .arg(root.join("tests/browser").join(script))
        .env("MOZART_BROWSER_TEST", prepared.to_string())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success(), "{said}\n{}", String::from_utf8_lossy(&ran.stderr));
}

async fn keys(server: &Server) -> Value {
    let home = server.json("/index.json").await;
    let jobs = home["jobs"].as_array().unwrap().iter();
    jobs.map(|job| (job["name"].as_str().unwrap().to_owned(), job["key"].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_is_what_a_person_expects_in_a_real_browser() {
    let sandbox = Sandbox::new();
    for (name, text) in [
        ("review.yaml", REVIEW),
        ("review.sh", REVIEW_PROGRAM),
        ("steps.yaml", STEPS),
        ("steps.sh", STEPS_PROGRAM),
    ] {
        sandbox.write(name, text);
    }
    let workspace = sandbox.path().join("steps");
    fs::create_dir(&workspace).unwrap();
    run_to_its_end(&sandbox, "review.yaml");
    let mut steps = sandbox.mozart(["run", "steps.yaml"]);
    let _steps = Running(steps.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    let server = Server::start(sandbox);
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    // The run's batches are running when the browser begins to look.
    while server.json("/index.json").await["jobs"][0]["last"]["cells"]["running"] != "1-3" {
        assert!(std::time::Instant::now() < deadline, "the batches do not begin");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let shots = std::env::var_os("MOZART_SCREENSHOTS").map(PathBuf::from);
    let prepared = json!({ "jobs": keys(&server).await, "workspace": workspace, "shots": shots });
    tokio::task::block_in_place(|| drive("suite.mjs", &server, &prepared));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_payload_becomes_part_of_a_page() {
    let payloads = payloads::all();
    assert_eq!(payloads.len(), 200);
    let sandbox = Sandbox::new();
    let lines: Vec<String> = payloads.iter().map(|payload| json!(payload).to_string()).collect();
    sandbox.write("payloads.jsonl", &(lines.join("\n") + "\n"));
    sandbox.write("injection.sh", INJECTION_PROGRAM);
    // A file may be called so, too.
    let file = "<img src=x onerror=alert(1)>.yaml";
    let quoted = json!("\"><script>alert(1)</script><img src=x onerror=alert(1)>").to_string();
    sandbox.write(file, &INJECTION.replace("PAYLOAD", &quoted));
    run_to_its_end(&sandbox, file);
    let server = Server::start(sandbox);
    let prepared = json!({ "jobs": keys(&server).await });
    tokio::task::block_in_place(|| drive("injection.mjs", &server, &prepared));
}
