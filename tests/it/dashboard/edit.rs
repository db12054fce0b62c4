//! A job file that is changed from the dashboard, and run.

use reqwest::{
    Method,
    header::{AUTHORIZATION, CONTENT_TYPE},
};
use serde_json::{Value, json};

use super::server::{JOB, Server, sandbox_with_a_failed_run};

async fn post(server: &Server, path: &str, media: &'static str, body: String) -> reqwest::Response {
    let request =
        server.stranger(Method::POST, path).header(AUTHORIZATION, format!("Bearer {}", server.token));
    request.header(CONTENT_TYPE, media).body(body).send().await.unwrap()
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

#[tokio::test]
async fn a_job_is_edited_after_its_difference_was_shown_and_runs() {
    let server = Server::start(sandbox_with_a_failed_run());
    let job = server.only_job().await;
    let key = job.trim_start_matches("/jobs/").to_owned();
    let file = server.sandbox.path().join("review.yaml");
    let edit = format!("{job}/edit");
    let shown = server.json(&format!("{edit}.json")).await;
    assert_eq!((&shown["text"], &shown["pieces"]), (&json!(JOB), &Value::Null));
    let seen = shown["seen"].as_str().unwrap().to_owned();
    // As browsers send the ends of lines.
    let new = JOB.replace("if [ $n = 2 ]", "if [ $n = 9 ]");
    let typed = new.replace('\n', "\r\n");
    let media = "application/x-www-form-urlencoded";
    let preview = post(&server, &edit, media, form(&[("text", &typed)])).await;
    let preview = preview.text().await.unwrap();
    assert!(preview.contains("<ins>backend:") && preview.contains("<del>backend:"), "{preview}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), JOB, "nothing is written before it is meant");
    let fields = [("job", key.as_str()), ("seen", &seen), ("text", &typed)];
    let done = post(&server, "/actions/edit", media, form(&fields)).await;
    assert_eq!(done.status(), 303, "{}", done.text().await.unwrap());
    assert_eq!(std::fs::read_to_string(&file).unwrap(), new);
    let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
    while server.json(&format!("/api/v1{job}/runs/2")).await["standing"] != "complete" {
        assert!(std::time::Instant::now() < deadline, "the new run does not end");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    // What was seen is not what is there any more.
    let late = post(&server, "/actions/edit", media, form(&fields)).await;
    assert_eq!(late.status(), 409);
    assert!(late.text().await.unwrap().contains("changed by somebody else"));
}

#[tokio::test]
async fn a_text_that_is_no_job_is_refused_with_its_problems_and_not_written() {
    let server = Server::start(sandbox_with_a_failed_run());
    let job = server.only_job().await;
    let seen = server.json(&format!("{job}/edit.json")).await["seen"].clone();
    let body = json!({
        "jobs": [job.trim_start_matches("/jobs/")],
        "seen": seen,
        "text": JOB.replace("batch:", "batsch:"),
    });
    let refused = post(&server, "/api/v1/actions/edit", "application/json", body.to_string()).await;
    assert_eq!(refused.status(), 409);
    let refused: Value = serde_json::from_str(&refused.text().await.unwrap()).unwrap();
    let message = refused["results"][0]["message"].as_str().unwrap();
    assert!(message.contains("batsch") && message.contains("review.yaml"), "{message}");
    assert!(!message.contains("edited"), "{message}");
    assert_eq!(std::fs::read_to_string(server.sandbox.path().join("review.yaml")).unwrap(), JOB);
    let files = std::fs::read_dir(server.sandbox.path()).unwrap();
    assert!(
        files.flatten().all(|file| !file.file_name().to_string_lossy().contains("edited")),
        "nothing is left"
    );
}
