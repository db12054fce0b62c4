//! How many sessions of a credential run at once, over every process of the user.

use std::time::Duration;

use super::night::{Night, Wallet, batch_of, wait_for};
use crate::fake_api::{FakeApi, Reply};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_together_run_no_more_sessions_than_may() {
    let api = FakeApi::playing([Reply::text("done").after(Duration::from_millis(30))]).await;
    let night = Night::falls(Wallet::Key).asking(&api);
    for job in ["one", "two"] {
        night.api_job(job, 12, 6, "");
    }
    let mut runs = ["one.yaml", "two.yaml"].map(|job| night.start(["local-run", job, "--max-sessions", "3"]));
    for run in &mut runs {
        assert!(run.end().success(), "{}", run.said());
    }
    assert_eq!(api.requests().len(), 24);
    assert!(api.most_at_once() <= 3, "{}", api.most_at_once());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_counts_after_its_mozart_was_killed_and_no_longer_than_it_lives() {
    let api = FakeApi::start(|request| {
        let reply = Reply::text("done");
        if batch_of(request).starts_with("killed") { reply.stalled() } else { reply }
    })
    .await;
    let night = Night::falls(Wallet::Key).asking(&api);
    night.claude_job("killed", 1, 1, "");
    night.claude_job("waiting", 1, 1, "");
    let mut killed = night.start(["local-run", "killed.yaml"]);
    wait_for("its session", || !api.requests().is_empty());
    killed.child.kill().unwrap();
    killed.child.wait().unwrap();

    let asked = || api.requests().iter().filter(|request| batch_of(request).starts_with("waiting")).count();
    let mut waiting = night.start(["local-run", "waiting.yaml", "--max-sessions", "1"]);
    let words = "one session of this credential runs, as --max-sessions bounds it";
    wait_for("it to say that it waits", || waiting.said().contains(words));
    let status = night.says(["status", "waiting"]);
    assert!(status.contains(words), "{status}");
    assert_eq!(asked(), 0);

    night.says(["stop", "killed"]);
    assert!(waiting.end().success(), "{}", waiting.said());
    assert_eq!(asked(), 1);
}
