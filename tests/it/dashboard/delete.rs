//! Jobs and runs that are deleted: from the dashboard and by the command line.

use std::process::Stdio;

use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE, LOCATION},
};
use serde_json::{Value, json};

use super::server::{JOB, Server, sandbox_with_a_failed_run};
use crate::support::Sandbox;

/// Posts a form as a program does.
async fn act(server: &Server, action: &str, form: &str) -> reqwest::Response {
    let request = server.stranger(Method::POST, &format!("/actions/{action}"));
    let request = request.header(AUTHORIZATION, format!("Bearer {}", server.token));
    request
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .body(form.to_owned())
        .send()
        .await
        .unwrap()
}

fn folders(sandbox: &Sandbox) -> Vec<String> {
    let runs = sandbox.home().join("runs");
    let mut found = Vec::new();
    for job in std::fs::read_dir(runs).unwrap() {
        for entry in std::fs::read_dir(job.unwrap().path()).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.starts_with('r') {
                found.push(name);
            }
        }
    }
    found.sort();
    found
}

#[tokio::test]
async fn an_earlier_run_is_deleted_and_the_last_one_only_with_its_job() {
    for backend in ["sqlite", "json"] {
        let sandbox = Sandbox::new();
        sandbox.write(
            "review.yaml",
            &JOB.replace("name: review", &format!("name: review\nstate_backend: {backend}")),
        );
        assert_eq!(sandbox.mozart(["run", "review.yaml"]).output().unwrap().status.code(), Some(1));
        assert_eq!(sandbox.mozart(["retry", "review", "--failed"]).output().unwrap().status.code(), Some(1));
        let server = Server::start(sandbox);
        let job = server.only_job().await;
        let key = job.trim_start_matches("/jobs/").to_owned();
        assert!(server.html(&format!("{job}/runs/1")).await.contains("Delete this run"));
        let asked = server.html(&format!("/confirm/delete?job={key}&run=1")).await;
        assert!(asked.contains("Delete run 1 of review?") && asked.contains("mozart delete"), "{asked}");
        let last = act(&server, "delete", &format!("job={key}&run=2")).await;
        assert_eq!(last.status(), 409, "{backend}");
        let done = act(&server, "delete", &format!("job={key}&run=1")).await;
        assert_eq!(
            (done.status().as_u16(), &done.headers()[LOCATION]),
            (303, &job.parse().unwrap()),
            "{backend}"
        );
        let gone = server.get(&format!("{job}/runs/1")).send().await.unwrap();
        assert_eq!(gone.status(), 404, "{backend}");
        assert_eq!(folders(&server.sandbox), ["r2"], "{backend}");
        let asked = server.html(&format!("/confirm/delete?job={key}")).await;
        assert!(asked.contains("Delete review?") && asked.contains("for good"), "{asked}");
        assert_eq!(act(&server, "delete", &format!("job={key}")).await.status(), 303, "{backend}");
        assert_eq!(server.json("/api/v1/jobs").await["total"], 0, "{backend}");
        assert_eq!(server.json("/api/v1/history").await["runs"], json!([]), "{backend}");
        assert!(folders(&server.sandbox).is_empty(), "{backend}");
        assert!(server.sandbox.path().join("review.yaml").exists(), "the job file stays");
        // It is a new job when it runs again.
        assert_eq!(server.sandbox.mozart(["run", "review.yaml"]).output().unwrap().status.code(), Some(1));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
        let mut again = Value::Null;
        while again["total"] != 1 {
            assert!(std::time::Instant::now() < deadline, "the new job is not shown");
            again = server.json("/api/v1/jobs").await;
        }
        assert_eq!(again["jobs"][0]["last"]["run"], 1, "{backend}");
        assert_ne!(again["jobs"][0]["key"], key, "{backend}");
    }
}

#[tokio::test]
async fn jobs_are_deleted_in_bulk_after_a_question_that_names_their_number() {
    let sandbox = sandbox_with_a_failed_run();
    let other = JOB.replace("name: review", "name: other").replace("./workspace", "./other");
    sandbox.write("other.yaml", &other);
    sandbox.mozart(["run", "other.yaml"]).output().unwrap();
    let server = Server::start(sandbox);
    let jobs = server.json("/api/v1/jobs").await;
    let keys: Vec<&str> =
        jobs["jobs"].as_array().unwrap().iter().map(|job| job["key"].as_str().unwrap()).collect();
    let form = format!("job={}&job={}", keys[0], keys[1]);
    let asked = server.html(&format!("/confirm/delete?{form}")).await;
    assert!(asked.contains("Delete 2 jobs?") && asked.contains(">Delete 2 jobs</button>"), "{asked}");
    assert_eq!(act(&server, "delete", &form).await.status(), 200);
    assert_eq!(server.json("/api/v1/jobs").await["total"], 0);
}

#[tokio::test]
async fn a_job_that_a_process_drives_is_not_deleted() {
    let sandbox = Sandbox::new();
    sandbox
        .write("slow.yaml", &JOB.replace("read -r n;", "read -r n; while [ ! -e go ]; do sleep 0.05; done;"));
    let mut command = sandbox.mozart(["run", "slow.yaml"]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let server = Server::start(sandbox);
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while server.json("/api/v1/jobs").await["jobs"][0]["last"]["standing"] != "running" {
        assert!(std::time::Instant::now() < deadline, "the run does not begin");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let key = server.only_job().await.replace("/jobs/", "");
    assert_eq!(act(&server, "delete", &format!("job={key}")).await.status(), 409);
    let typed = server.sandbox.mozart(["delete", "review", "--yes"]).output().unwrap();
    assert_eq!(typed.status.code(), Some(2));
    let said = String::from_utf8_lossy(&typed.stderr).into_owned();
    assert!(said.contains("is in use by") && said.contains("stop it first"), "{said}");
    for folder in [server.sandbox.path().to_owned(), server.sandbox.path().join("workspace")] {
        let _ = std::fs::write(folder.join("go"), "");
    }
    run.wait().unwrap();
    let typed = server.sandbox.mozart(["delete", "review"]).output().unwrap();
    assert_eq!(typed.status.code(), Some(2), "it is asked for on a terminal only");
    let typed = server.sandbox.mozart(["delete", "review", "--yes"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&typed.stdout), "review deleted\n");
}
