//! Every example, by the program itself: checked, planned and run.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path};

use super::mozart::{Place, Ran};
use crate::fake_api::{FakeApi, MODEL, Reply};

/// Plays Claude Code: does what the jobs of `examples/` ask for.
const CLAUDE: &str = r###"#!/bin/bash
case "$*" in
--version) echo "2.1.330 (Claude Code)"; exit ;;
*"auth status") echo '{"loggedIn":true,"authMethod":"claude.ai","subscriptionType":"max"}'; exit ;;
esac
model=claude-opus-5-5
for argument; do
  if [ "$before" = --model ]; then model=$argument; fi
  before=$argument
done
cat > /dev/null
cd "$MOZART_WORKSPACE"
echo "# Report" > "batch$MOZART_BATCH_NUM-security-report.md"
echo "## Batch $MOZART_BATCH_NUM" >> LONGFORM-REVIEW.md
printf '## Answer\n## Evidence\n' > "answer-$MOZART_BATCH_NUM.md"
echo '{"type":"system","subtype":"init","session_id":"s","model":"'$model'","apiKeySource":"none"}'
echo '{"type":"assistant","session_id":"s","message":{"id":"m","model":"'$model'","content":[{"type":"text","text":"I wrote it."}],"usage":{"input_tokens":10,"output_tokens":5}}}'
echo '{"type":"result","subtype":"success","session_id":"s","is_error":false,"num_turns":1,"result":"I wrote it.","total_cost_usd":0.25,"modelUsage":{"'$model'":{"inputTokens":10,"outputTokens":5,"costUSD":0.25}}}'
"###;

/// A copy of the examples, of which nothing of this machine's own is read.
struct Examples {
    place: Place,
    path: String,
}

impl Examples {
    fn new() -> Self {
        let place = Place::new();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        copy(&root.join("examples"), &place.work().join("examples"));
        // The quick start looks at the sources beside it; a few are enough.
        copy(&root.join("src/cli"), &place.work().join("src/cli"));
        let programs = place.work().join("programs");
        fs::create_dir(&programs).unwrap();
        fs::write(programs.join("claude"), CLAUDE).unwrap();
        fs::set_permissions(programs.join("claude"), fs::Permissions::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        Self { place, path }
    }

    fn run(&self, arguments: &[&str], api: Option<&str>) -> Ran {
        let mut command = self.place.mozart(arguments);
        // The original example skips permissions, which root may do in a sandbox only.
        command.env("PATH", &self.path).env("IS_SANDBOX", "1");
        if let Some(url) = api {
            command.env("ANTHROPIC_API_KEY", "sk-ant-fake").arg(format!("--set=backend.baseUrl={url}"));
        }
        self.place.output_of(command)
    }
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (entry, path) = (entry.as_ref().unwrap().file_name(), entry.as_ref().unwrap().path());
        if path.is_dir() && entry != "workspace" {
            copy(&path, &to.join(entry));
        } else if path.is_file() {
            fs::copy(&path, to.join(entry)).unwrap();
        }
    }
}

#[test]
fn the_original_example_is_checked_planned_and_tried() {
    let examples = Examples::new();
    let file = "examples/batch-review.yaml";
    let ran = examples.run(&["validate", file], None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stdout.contains("56 batches of 552 items"), "{}", ran.stdout);

    let ran = examples.run(&["local-run", file, "--dry-run"], None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let prompts = ran.stdout.matches("You are reviewing the history of a Git repository").count();
    assert_eq!(prompts, 56);
    assert!(ran.stdout.contains("==> batch 56 of 56, items 551-552 <=="), "{}", ran.stdout);
    assert!(ran.stdout.contains("What is at stake: 1T$ tip for success, wolves for failure"));
    assert!(ran.stdout.contains("checked: [place]/work/examples/workspace/batch56-security-report.md"));

    let ran = examples.run(&["local-run", file, "--limit", "2"], None);
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    assert!(ran.stderr.contains("commit-batch-review/1 Suspended"), "{}", ran.stderr);
    assert!(ran.stderr.contains("2/56 done, 54 to do"), "{}", ran.stderr);
    assert!(ran.stderr.contains("hint: mozart resume commit-batch-review/1"), "{}", ran.stderr);
    let logs = examples.run(&["logs", "-b", "1"], None).stdout;
    assert_eq!(logs, "session s, model claude-opus-5-5\nI wrote it.\nended: success, 1 turn, $0.2500\n");
    assert!(examples.run(&["logs", "-b", "1", "--raw"], None).stdout.starts_with("{\"type\":\"system\""));
    let status = examples.run(&["status", "-o", "json"], None).stdout;
    let status: serde_json::Value = serde_json::from_str(&status).unwrap();
    assert_eq!(status["run"]["usage"]["costUSD"], "0.50");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn every_example_is_checked_planned_and_run() {
    let api = FakeApi::start(|_| {
        Reply::text("{\"id\": \"T-1\", \"category\": \"bug\", \"urgency\": 1, \"reply\": \"x\"} | table |")
    })
    .await;
    let url = api.url().to_owned();
    tokio::task::spawn_blocking(move || {
        let examples = Examples::new();
        for path in crate::examples::examples() {
            let name = path.file_name().unwrap().to_str().unwrap();
            let file = format!("examples/{name}");
            let api = fs::read_to_string(&path).unwrap().contains("anthropic_api").then_some(url.as_str());
            let model = format!("--set=backend.model={MODEL}");
            let mut more = vec!["--limit", "2", "-o", "json"];
            if api.is_some() {
                more.extend([&model, "--yes"]);
            }
            assert_eq!(examples.run(&["validate", &file], None).code, 0, "{file}");
            let planned = examples.run(&["run", &file, "--dry-run"], None);
            assert!(planned.code == 0 && planned.stdout.contains("==> batch 1 of "), "{}", planned.stderr);
            let ran = examples.run(&[&["run", file.as_str()][..], &more].concat(), api);
            assert_eq!(ran.code, 0, "{file}: {}", ran.stderr);
            let ending: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
            assert!(ending["run"]["succeeded"].as_u64() >= Some(2), "{file}: {}", ran.stderr);
        }
    })
    .await
    .unwrap();
}
