use mozart::job::outcome::Usage;
use serde_json::json;

use crate::{
    claude_run::{ClaudeRun, batch, said, shell, turns},
    fake_api::Reply,
};

/// Batch 1 forgets a heading; batch 2 needs more turns than it has, and forgets it too.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_missing_is_mended_in_the_same_session_and_everything_is_paid_once() {
    let run = ClaudeRun::new(|request| match (batch(request), turns(request)) {
        (1, 0) => shell("echo '# Report' > report1.md; echo section >> log1.md").tokens(1_234, 56),
        (2, 0) => shell("echo '# Report' > report2.md"),
        (2, 1) => shell("sleep 0").tokens(2_345, 67),
        (2, 2) => shell("echo section >> log2.md"),
        (1, 2) => shell("echo '## Evidence' >> report1.md"),
        (2, 4) => shell("echo '## Evidence' >> report2.md").tokens(3_456, 78),
        (1, 1 | 3) | (2, 3 | 5) => Reply::text("It is done."),
        other => panic!("{other:?} was not to come"),
    })
    .await;
    run.job(
        2,
        &json!({
            "backend": { "max_turns": 2 },
            // Two turns cost less, the whole session of batch 2 costs more.
            "budget": { "per_attempt_usd": "0.03" },
            "validations": [
                { "type": "content_contains", "path": "{workspace}/report{batch_num}.md", "pattern": "## Evidence" },
                { "type": "file_modified", "path": "{workspace}/log{batch_num}.md" },
            ],
        }),
    );
    let output = run.run(["local-run", "job.yaml"]).await;
    assert!(output.status.success(), "{}", said(&output));

    for number in [1, 2] {
        assert_eq!(run.file(&format!("report{number}.md")), "# Report\n## Evidence\n");
        assert_eq!(run.file(&format!("log{number}.md")), "section\n", "what was right was left alone");
    }
    assert_eq!(run.requests(), [4, 6], "a heading costs one turn and its end");
    let requests = run.api.requests();
    let asked = |of, after| {
        let request = requests.iter().find(|request| (batch(request), turns(request)) == (of, after));
        request.unwrap().said()
    };
    for (of, after) in [(1, 2), (2, 4)] {
        let said = asked(of, after);
        assert!(said.contains("Mend only that.") && said.contains("## Evidence"), "{said}");
        assert!(!said.contains(&format!("log{of}.md: expected")), "{said}");
    }
    assert!(asked(2, 2).contains("you were stopped after 2 turns"), "{}", asked(2, 2));

    let (billed, used) = (run.api.billed(), run.usage());
    let expected = Usage {
        input_tokens: billed.input_tokens,
        output_tokens: billed.output_tokens,
        cost_micro_usd: billed.cost_micro_usd(),
        dearest_turn_micro_usd: used.dearest_turn_micro_usd,
        ..Usage::default()
    };
    assert_eq!(used, expected, "to the token and the millionth of a dollar, and nothing of it is a guess");
}
