//! What pages show, as HTML and as JSON.

use super::server::{Server, sandbox_with_a_failed_run};
use crate::support::Sandbox;

#[tokio::test]
async fn a_failed_run_is_found_from_the_list_down_to_what_its_batch_said() {
    let server = Server::start(sandbox_with_a_failed_run());
    let home = server.html("/").await;
    assert!(home.contains(">review</a>") && home.contains("Failed"), "{home}");
    let job = server.only_job().await;
    let page = server.html(&job).await;
    assert!(page.contains("Run 1") && page.contains("name: review"), "the file is shown: {page}");
    let run = server.html(&format!("{job}/runs/1")).await;
    assert!(run.contains("ProgramFailed") && run.contains(&format!("{job}/runs/1/batches/2")), "{run}");
    let batch = server.html(&format!("{job}/runs/1/batches/2")).await;
    assert!(batch.contains(">it broke\n</pre>"), "it opens on the errors: {batch}");
    let prompt = server.html(&format!("{job}/runs/1/batches/2?attempt=1&show=prompt")).await;
    assert!(prompt.contains("Review 3 to 4."), "{prompt}");
    let passed = server.html(&format!("{job}/runs/1/batches/1")).await;
    assert!(passed.contains("The command is content") && passed.contains("said by batch 1"), "{passed}");
}

#[tokio::test]
async fn every_page_is_json_at_the_same_address() {
    let server = Server::start(sandbox_with_a_failed_run());
    let job = server.only_job().await;
    let run = server.json(&format!("{job}/runs/1.json")).await;
    assert_eq!(run["run"]["id"], "review/1");
    assert_eq!(run["run"]["standing"], "failed");
    assert_eq!(run["run"]["cells"]["succeeded"], "1,3");
    assert_eq!(run["failures"][0]["batches"], "2");
    let batch = server.json(&format!("{job}/runs/1/batches/2.json")).await;
    assert_eq!(batch["attempt"]["exitCode"], 1);
    let accepted = server.get(&job).header("accept", "application/json").send().await.unwrap();
    assert!(accepted.text().await.unwrap().starts_with("{\"job\""));
}

#[tokio::test]
async fn two_attempts_are_compared_line_by_line() {
    let sandbox = Sandbox::new();
    let program = "read -r n; echo line $n; if [ $n = 1 ]; then echo it broke; exit 1; fi; echo it held";
    sandbox.write(
        "twice.yaml",
        &format!(
            "name: twice\nbackend: {{type: command, command: [bash, -c, \"{program}\"]}}\n\
             batch: {{size: 1, total_items: 1}}\nprompt: {{template: \"{{{{ attempt }}}}\"}}\n\
             retry: {{base_delay_seconds: 0}}\n"
        ),
    );
    let ran = sandbox.mozart(["run", "twice.yaml"]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let server = Server::start(sandbox);
    let batch = format!("{}/runs/1/batches/1", server.only_job().await);
    assert!(server.html(&batch).await.contains(&format!("{batch}/difference?to=2")));
    let compared = server.json(&format!("{batch}/difference.json?show=output")).await;
    let lines = compared["pieces"][0].as_array().unwrap();
    let lines: Vec<_> =
        lines.iter().map(|line| (line["stands"].as_str().unwrap(), line["text"].as_str().unwrap())).collect();
    let wanted = [("removed", "line 1"), ("removed", "it broke"), ("added", "line 2"), ("added", "it held")];
    assert_eq!(lines, wanted);
    assert!(server.html(&format!("{batch}/difference?show=errors")).await.contains("Both are the same."));
    for path in ["?from=3", "?show=odd"] {
        let refused = server.get(&format!("{batch}/difference{path}")).send().await.unwrap();
        assert_eq!(refused.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn batches_are_called_what_the_job_calls_them() {
    let sandbox = Sandbox::new();
    let label = "label: \"Commits {{ start_item }} to <{{ end_item }}>\", size: 2";
    sandbox.write("review.yaml", &super::server::JOB.replace("size: 2", label));
    assert_eq!(sandbox.mozart(["run", "review.yaml"]).output().unwrap().status.code(), Some(1));
    let server = Server::start(sandbox);
    let run = format!("{}/runs/1", server.only_job().await);
    for (page, wanted) in [
        ("", "<span class=\"sub\">Commits 3 to &lt;4&gt;</span>"),
        ("/batches/3", "<p class=\"muted\">Commits 5 to &lt;6&gt;</p>"),
        ("/timeline", "title=\"Commits 1 to &lt;2&gt;\""),
    ] {
        let shown = server.html(&format!("{run}{page}")).await;
        assert!(shown.contains(wanted), "{page}: {shown}");
    }
    let failed = server.json(&format!("{run}.json")).await;
    assert_eq!(failed["batches"][0]["label"], "Commits 3 to <4>");
}

#[tokio::test]
async fn what_is_not_there_says_so_in_the_form_that_was_asked_for() {
    let server = Server::start(sandbox_with_a_failed_run());
    let job = server.only_job().await;
    for path in
        ["/nothing", "/jobs/review-00000000", &format!("{job}/runs/9"), &format!("{job}/runs/1/batches/4")]
    {
        let page = server.get(path).send().await.unwrap();
        assert_eq!(page.status(), 404, "{path}");
        assert!(page.text().await.unwrap().contains("There is nothing here"), "{path}");
        let value = server.get(&format!("{path}.json")).send().await.unwrap();
        assert_eq!(value.status(), 404, "{path}");
        let value: serde_json::Value = serde_json::from_str(&value.text().await.unwrap()).unwrap();
        assert_eq!(value["status"], 404, "{path}");
    }
    for path in [
        "/?sort=colour",
        "/?phase=odd",
        "/?after=x",
        &format!("{job}/runs/1?state=odd"),
        &format!("{job}/runs/x"),
    ] {
        let page = server.get(path).send().await.unwrap();
        assert_eq!(page.status(), 400, "{path}");
        assert!(page.text().await.unwrap().contains("makes no sense"), "{path}");
    }
}

#[tokio::test]
async fn nothing_has_run_yet_and_then_something_has() {
    let server = Server::start(Sandbox::new());
    let sandbox = &server.sandbox;
    assert!(server.html("/").await.contains("No job has run here yet"));
    sandbox.write("review.yaml", super::server::JOB);
    let ran = sandbox.mozart(["run", "review.yaml"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1));
    // The state file is new: the dashboard finds it by itself.
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while !server.html("/").await.contains(">review</a>") {
        assert!(std::time::Instant::now() < deadline, "the new job is not shown");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn history_has_every_run_in_pages_and_as_a_table() {
    let sandbox = sandbox_with_a_failed_run();
    sandbox.mozart(["retry", "review", "--failed"]).output().unwrap();
    let text = super::server::JOB.replace("name: review", "name: text\nstate_backend: json");
    sandbox.write("text.yaml", &text.replace("./workspace", "./other"));
    sandbox.mozart(["run", "text.yaml"]).output().unwrap();
    let server = Server::start(sandbox);
    let ids = |page: &serde_json::Value| -> Vec<String> {
        let runs = page["runs"].as_array().unwrap().iter();
        runs.map(|run| run["run"]["id"].as_str().unwrap().to_owned()).collect()
    };
    let all = server.json("/history.json").await;
    assert_eq!(ids(&all), ["text/1", "review/2", "review/1"]);
    assert_eq!((&all["totals"]["succeeded"], &all["totals"]["failed"]), (&4.into(), &3.into()));
    let mut paged = Vec::new();
    let mut next = Some("/history.json?limit=1".to_owned());
    while let Some(path) = next {
        let page = server.json(&path).await;
        paged.extend(ids(&page));
        next = page["next"].as_str().map(|next| next.replace("/history?", "/history.json?"));
    }
    assert_eq!(paged, ids(&all));
    assert_eq!(ids(&server.json("/history.json?q=REV&phase=failed&hours=1").await), ["review/2", "review/1"]);
    assert!(ids(&server.json("/history.json?phase=complete").await).is_empty());
    let job = server.json("/index.json?q=review").await["jobs"][0]["key"].as_str().unwrap().to_owned();
    assert_eq!(ids(&server.json(&format!("/history.json?job={job}")).await), ["review/2", "review/1"]);
    let table = server.get("/api/v1/history.csv?q=review").send().await.unwrap();
    assert_eq!(table.headers()["content-disposition"], "attachment; filename=\"mozart-history.csv\"");
    let table = table.text().await.unwrap();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("job,run,state,reason,started,ended"), "{table}");
    assert!(lines[1].starts_with("review,2,Failed,") && lines[2].starts_with("review,1,Failed,"), "{table}");
    assert!(server.html("/history").await.contains("text / 1"));
    assert_eq!(server.get("/history?after=x").send().await.unwrap().status(), 400);
}

#[tokio::test]
async fn a_timeline_has_attempts_and_waits_as_segments_of_their_own() {
    let sandbox = Sandbox::new();
    let job = super::server::JOB
        .replace("max_retries: 0", "max_retries: 1, base_delay_seconds: 0.2, jitter: false");
    sandbox.write("review.yaml", &job);
    sandbox.mozart(["run", "review.yaml"]).output().unwrap();
    let server = Server::start(sandbox);
    let address = format!("{}/runs/1/timeline", server.only_job().await);
    let page = server.json(&format!("{address}.json")).await;
    let second = page["rows"][1]["segments"].as_array().unwrap();
    let kinds: Vec<&str> = second.iter().map(|segment| segment["kind"].as_str().unwrap()).collect();
    assert!(kinds.ends_with(&["failed", "backoff", "failed"]), "{kinds:?}");
    assert!(second[kinds.len() - 2]["seconds"].as_f64().unwrap() >= 0.2, "{second:?}");
    let unfinished = server.json(&format!("{address}.json?show=unfinished")).await;
    assert_eq!(unfinished["rows"].as_array().unwrap().len(), 1);
    let nothing = server.json(&format!("{address}.json?from=9000&to=9001")).await;
    assert_eq!(nothing["rows"][0]["segments"].as_array().unwrap().len(), 0, "out of sight");
    assert!(server.html(&address).await.contains("class=\"backoff\""));
}

#[tokio::test]
async fn the_list_is_filtered_sorted_and_paged_by_its_address() {
    let sandbox = Sandbox::new();
    for name in ["alpha", "beta", "gamma"] {
        let file = format!("{name}.yaml");
        sandbox.write(
            &file,
            &super::server::JOB
                .replace("name: review", &format!("name: {name}"))
                .replace("./workspace", name),
        );
        sandbox.mozart(["run", &file]).output().unwrap();
    }
    let server = Server::start(sandbox);
    let names = |page: &serde_json::Value| -> Vec<String> {
        page["jobs"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(&server.json("/index.json").await), ["gamma", "beta", "alpha"]);
    assert_eq!(names(&server.json("/index.json?sort=name&q=A").await), ["alpha", "beta", "gamma"]);
    assert_eq!(names(&server.json("/index.json?q=bet&phase=failed").await), ["beta"]);
    assert!(names(&server.json("/index.json?phase=running").await).is_empty());
    for sort in ["used", "name", "cost", "progress"] {
        let mut found = Vec::new();
        let mut next = Some(format!("/index.json?limit=2&sort={sort}"));
        while let Some(path) = next {
            let page = server.json(&path).await;
            found.extend(names(&page));
            next = page["next"].as_str().map(|next| next.replace("/?", "/index.json?"));
        }
        found.sort();
        assert_eq!(found, ["alpha", "beta", "gamma"], "by {sort}");
    }
}
