//! Streams that go on after a break, and actions.

use std::time::Duration;

use reqwest::{
    Method, Response,
    header::{CONTENT_TYPE, COOKIE, ORIGIN, SET_COOKIE},
};

use super::server::{JOB, Server, sandbox_with_a_failed_run};
use crate::support::Sandbox;

/// An event of a stream.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    id: String,
    data: String,
}

/// Reads the next event; what a stream says to be heard is passed over.
async fn next(response: &mut Response, rest: &mut String) -> Option<Event> {
    loop {
        if let Some((block, after)) = rest.split_once("\n\n").map(|(a, b)| (a.to_owned(), b.to_owned())) {
            *rest = after;
            let mut event = Event::default();
            for line in block.lines() {
                match line.split_once(": ") {
                    Some(("event", name)) => name.clone_into(&mut event.name),
                    Some(("id", id)) => id.clone_into(&mut event.id),
                    Some(("data", data)) => event.data += data,
                    _ => {}
                }
            }
            if !event.name.is_empty() {
                return Some(event);
            }
            continue;
        }
        let chunk = tokio::time::timeout(Duration::from_secs(30), response.chunk()).await;
        let chunk = chunk.expect("an event within 30 s").unwrap()?;
        *rest += std::str::from_utf8(&chunk).unwrap();
    }
}

#[tokio::test]
async fn whoever_listens_is_told_the_present_state_first() {
    let server = Server::start(sandbox_with_a_failed_run());
    let events = format!("/api/v1{}/runs/1/events", server.only_job().await);
    let mut stream = server.get(&events).send().await.unwrap();
    let first = next(&mut stream, &mut String::new()).await.unwrap();
    assert_eq!(first.name, "run");
    assert!(first.data.contains("\"succeeded\":2"), "{first:?}");
    // An id of another process says nothing here.
    let mut other = server.get(&events).header("last-event-id", "00000000-1").send().await.unwrap();
    assert_eq!(next(&mut other, &mut String::new()).await.unwrap().data, first.data);
    let mut changes = server.get("/api/v1/events").send().await.unwrap();
    assert_eq!(next(&mut changes, &mut String::new()).await.unwrap().name, "change");
}

#[tokio::test]
async fn a_log_goes_on_after_a_break_without_gap_or_repeat() {
    let server = Server::start(Sandbox::new());
    let sandbox = &server.sandbox;
    let program =
        "read -r n; for i in 1 2 3; do echo line $i; while [ ! -e go$i ]; do sleep 0.02; done; done";
    let job = JOB.replace("total_items: 6", "total_items: 2").replace(
        "[bash, -c, \"read -r n; echo said by batch $n; if [ $n = 2 ]; then echo it broke >&2; exit 1; fi\"]",
        &format!("[bash, -c, {program:?}]"),
    );
    sandbox.write("slow.yaml", &job);
    std::fs::create_dir(sandbox.path().join("workspace")).unwrap();
    let go = |step: u32| sandbox.write(&format!("workspace/go{step}"), "");
    let mut run = sandbox.mozart(["run", "slow.yaml"]).stderr(std::process::Stdio::null()).spawn().unwrap();
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    while server.json("/index.json").await["jobs"][0]["last"]["cells"]["running"] != "1" {
        assert!(std::time::Instant::now() < deadline, "the batch does not begin");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let follow = format!("{}/runs/1/batches/1/attempts/1/output/follow", server.only_job().await);
    let mut stream = server.get(&follow).send().await.unwrap();
    let first = next(&mut stream, &mut String::new()).await.unwrap();
    assert!(first.data.contains("[\"line 1\"]"), "{first:?}");
    drop(stream);
    go(1);
    go(2);
    let mut stream = server.get(&follow).header("last-event-id", &first.id).send().await.unwrap();
    let mut rest = String::new();
    let mut said = String::new();
    while !said.contains("line 3") {
        said += &next(&mut stream, &mut rest).await.unwrap().data;
    }
    assert!(said.contains("line 2") && !said.contains("line 1"), "{said}");
    go(3);
    assert_eq!(next(&mut stream, &mut rest).await.unwrap().name, "end");
    assert!(next(&mut stream, &mut rest).await.is_none(), "the stream has ended");
    run.wait().unwrap();
}

#[tokio::test]
async fn a_change_is_asked_for_by_a_form_of_our_own_page_and_nothing_else() {
    let server = Server::start(sandbox_with_a_failed_run());
    let job = server.only_job().await.trim_start_matches("/jobs/").to_owned();
    let body = format!("job={job}");
    let welcome = server.stranger(Method::GET, &format!("/?token={}", server.token)).send().await.unwrap();
    let cookie = welcome.headers()[SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
    let post = || {
        let form = "application/x-www-form-urlencoded";
        let request = server.stranger(Method::POST, "/actions/retry").header(COOKIE, &cookie);
        request.header(CONTENT_TYPE, form).body(body.clone())
    };
    let without = post().send().await.unwrap();
    assert_eq!(without.status(), 403, "a cookie without an origin may come from anywhere");
    let foreign = post().header(ORIGIN, "http://evil.example").send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let text = server.stranger(Method::POST, "/actions/retry").header(COOKIE, &cookie);
    let text = text.header(ORIGIN, server.base()).header(CONTENT_TYPE, "text/plain").body(body.clone());
    assert_eq!(text.send().await.unwrap().status(), 415);
    assert_eq!(server.get("/actions/retry").send().await.unwrap().status(), 405, "not by GET");
    let asked = post().header(ORIGIN, server.base()).send().await.unwrap();
    assert_eq!(asked.status(), 303);
    assert_eq!(asked.headers()["location"], format!("/jobs/{job}/runs/2"));
}

#[tokio::test]
async fn an_action_that_makes_no_sense_says_why_and_does_nothing() {
    let server = Server::start(sandbox_with_a_failed_run());
    let job = server.only_job().await.trim_start_matches("/jobs/").to_owned();
    let post = |action: &str, body: String| {
        let request = server.stranger(Method::POST, &format!("/actions/{action}")).bearer_auth(&server.token);
        request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(body)
    };
    let suspended = post("suspend", format!("job={job}")).send().await.unwrap();
    assert_eq!(suspended.status(), 409);
    assert!(suspended.text().await.unwrap().contains("The run has ended."));
    for (action, body, status) in [
        ("retry", String::new(), 400),
        ("retry", format!("job={job}&colour=red"), 400),
        ("retry", format!("job={job}&batches=x"), 400),
        ("stop", format!("job={job}&batches=2"), 404),
        ("dance", format!("job={job}"), 404),
        ("retry", "job=other-00000000".to_owned(), 404),
    ] {
        let answer = post(action, body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), status, "{action} {body}");
    }
    let again = post("retry", format!("job={job}&batches=1,3")).send().await.unwrap();
    assert_eq!(again.status(), 303);
    let run = server.json(&format!("/jobs/{job}/runs/2.json")).await;
    assert_eq!(run["run"]["cells"]["selected"], "1,3");
}
