//! `/api/v1`: its document, and that what is answered is what that says.

use mozart::{
    dashboard::{document as published, route_list},
    local::view::LocalView,
};
use reqwest::{
    Method,
    header::{ACCEPT_RANGES, AUTHORIZATION, CONTENT_DISPOSITION, CONTENT_RANGE, CONTENT_TYPE, RANGE},
};
use serde_json::{Value, json};

use super::{
    schema::faults,
    server::{JOB, Server, sandbox_with_a_failed_run},
};
use crate::{examples::check_generated, support::Sandbox};

#[test]
fn the_document_has_every_address_of_the_router_and_no_other() {
    let document = published::<LocalView>();
    let mut routes: Vec<(String, String)> = route_list::<LocalView>()
        .into_iter()
        .filter(|route| route.path.starts_with("/api/v1/"))
        .map(|route| (route.path.to_owned(), route.method.to_lowercase()))
        .collect();
    let mut told = Vec::new();
    let mut names = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            told.push((path.clone(), method.clone()));
            names.push(operation["operationId"].as_str().unwrap().to_owned());
        }
    }
    routes.sort();
    told.sort();
    assert_eq!(told, routes);
    assert!(told.len() > 15, "{told:?}");
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!(names.len(), all, "each has a name of its own");
    check_generated("docs/schema/api.json", &(serde_json::to_string_pretty(&document).unwrap() + "\n"));
}

/// The schema of what `path` of the document answers.
fn answer_of<'a>(document: &'a Value, path: &str, media: &str) -> &'a Value {
    let schema = &document["paths"][path]["get"]["responses"]["200"]["content"][media]["schema"];
    assert!(!schema.is_null(), "{path} answers no {media}");
    schema
}

#[tokio::test]
async fn what_the_api_answers_is_what_its_document_says() {
    let server = Server::start(sandbox_with_a_failed_run());
    let document = server.json("/api/v1/openapi.json").await;
    assert_eq!(document, published::<LocalView>());
    let key = server.json("/api/v1/jobs").await["jobs"][0]["key"].as_str().unwrap().to_owned();
    let mut looked_at = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let Some(answer) = methods.get("get") else { continue };
        let filled = path
            .replace("{job}", &key)
            .replace("{run}", "1")
            .replace("{batch}", "2")
            .replace("{attempt}", "1")
            .replace("{text}", "output");
        let media = answer["responses"]["200"]["content"].as_object().unwrap().keys().next().unwrap().clone();
        let schema = answer_of(&document, path, &media);
        let mut response = server.get(&filled).send().await.unwrap();
        assert_eq!(response.status(), 200, "{filled}");
        let sent = response.headers()[CONTENT_TYPE].to_str().unwrap().to_owned();
        assert!(sent.starts_with(&media), "{filled} answers {sent}");
        let values: Vec<Value> = match media.as_str() {
            "application/json" => vec![serde_json::from_str(&response.text().await.unwrap()).unwrap()],
            "application/x-ndjson" => {
                let text = response.text().await.unwrap();
                text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
            }
            "text/event-stream" => {
                let first = response.chunk().await.unwrap().unwrap();
                let text = String::from_utf8(first.to_vec()).unwrap();
                let data = text.lines().find_map(|line| line.strip_prefix("data: ")).expect("an event");
                vec![serde_json::from_str(data).unwrap()]
            }
            _ => vec![Value::String(response.text().await.unwrap())],
        };
        assert!(!values.is_empty(), "{filled} answers nothing");
        for value in values {
            assert_eq!(faults(&document, schema, &value), [""; 0], "{filled}");
        }
        looked_at.push(path);
    }
    assert!(looked_at.len() > 15, "{looked_at:?}");
    let missing = server.get("/api/v1/jobs/none-00000000").send().await.unwrap();
    assert_eq!(missing.status(), 404);
    let problem: Value = serde_json::from_str(&missing.text().await.unwrap()).unwrap();
    assert_eq!(faults(&document, &json!({ "$ref": "#/components/schemas/Problem" }), &problem), [""; 0]);
}

#[tokio::test]
async fn lists_are_read_in_pages_and_what_is_not_started_says_why() {
    let sandbox = Sandbox::new();
    sandbox.write("review.yaml", &JOB.replace("max_retries: 0", "max_retries: 0, max_failed_in_a_row: 1"));
    let ran = sandbox.mozart(["run", "review.yaml", "--limit", "1"]).output().unwrap();
    assert!(ran.status.code().is_some(), "{ran:?}");
    let server = Server::start(sandbox);
    let jobs = server.json("/api/v1/jobs?limit=1").await;
    assert_eq!((&jobs["total"], &jobs["next"]), (&json!(1), &Value::Null));
    let run = format!("/api/v1/jobs/{}/runs/1", jobs["jobs"][0]["key"].as_str().unwrap());
    let pending = server.json(&format!("{run}/batches?state=pending&limit=1")).await;
    assert_eq!((&pending["pending"][0]["batch"], &pending["next"]), (&json!(2), &json!(2)), "{pending}");
    assert_eq!(pending["pending"][0]["why"], "The run is suspended: resume goes on.");
    let rest = server.json(&format!("{run}/batches?state=pending&after=2")).await;
    assert_eq!((&rest["pending"][0]["batch"], &rest["next"]), (&json!(3), &Value::Null));
    assert_eq!(server.json(&format!("{run}/batches/3")).await["pending"]["ahead"], 1);
    let page = server.html(&format!("{}?state=pending", run.replace("/api/v1", ""))).await;
    assert!(page.contains("The run is suspended: resume goes on."), "{page}");
    let odd = server.get(&format!("{run}/batches?state=odd")).send().await.unwrap();
    assert_eq!(odd.status(), 400);
}

#[tokio::test]
async fn a_text_is_sent_whole_or_in_ranges_and_is_never_a_page() {
    let server = Server::start(sandbox_with_a_failed_run());
    let text = format!("/api/v1{}/runs/1/batches/2/attempts/1/errors", server.only_job().await);
    let whole = server.get(&text).send().await.unwrap();
    assert_eq!(whole.headers()[CONTENT_TYPE], "text/plain; charset=utf-8");
    assert_eq!(whole.headers()[CONTENT_DISPOSITION], "attachment; filename=\"review-r1-b2-a1-errors.txt\"");
    assert_eq!(whole.headers()[ACCEPT_RANGES], "bytes");
    assert_eq!(whole.text().await.unwrap(), "it broke\n");
    let part = server.get(&text).header(RANGE, "bytes=3-7").send().await.unwrap();
    assert_eq!(
        (part.status().as_u16(), &part.headers()[CONTENT_RANGE]),
        (206, &"bytes 3-7/9".parse().unwrap())
    );
    assert_eq!(part.text().await.unwrap(), "broke");
    let beyond = server.get(&text).header(RANGE, "bytes=9-").send().await.unwrap();
    assert_eq!(
        (beyond.status().as_u16(), &beyond.headers()[CONTENT_RANGE]),
        (416, &"bytes */9".parse().unwrap())
    );
}

#[tokio::test]
async fn answers_go_on_after_the_last_line_that_was_read() {
    let server = Server::start(sandbox_with_a_failed_run());
    let outputs = format!("/api/v1{}/runs/1/outputs.jsonl", server.only_job().await);
    let read = async |query: &str| -> Vec<Value> {
        let text = server.get(&format!("{outputs}{query}")).send().await.unwrap().text().await.unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let all = read("").await;
    assert_eq!(all[0], json!({"run": "review/1", "batch": 1, "attempt": 1, "answer": "said by batch 1\n"}));
    assert_eq!((all.len(), &all[1]["batch"]), (2, &json!(3)));
    assert_eq!(read("?after=1").await, all[1..]);
    assert_eq!(read("?batch=2-3").await, all[1..]);
    assert!(read("?after=3").await.is_empty());
}

#[tokio::test]
async fn programs_act_by_json_and_by_nothing_that_a_form_of_another_page_could_send() {
    let server = Server::start(sandbox_with_a_failed_run());
    let key = server.only_job().await.replace("/jobs/", "");
    let post = |action: &str, media: &'static str, body: String| {
        let request = server.stranger(Method::POST, &format!("/api/v1/actions/{action}"));
        request
            .header(AUTHORIZATION, format!("Bearer {}", server.token))
            .header(CONTENT_TYPE, media)
            .body(body)
    };
    let body = json!({ "jobs": [key] }).to_string();
    for media in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"] {
        let refused = post("suspend", media, body.clone()).send().await.unwrap();
        assert_eq!(refused.status(), 415, "{media}");
    }
    for (action, body, status) in [
        ("suspend", body.clone(), 409),
        ("unknown", body.clone(), 404),
        ("suspend", json!({ "jobs": [] }).to_string(), 400),
        ("suspend", json!({ "jobs": [key], "what": 1 }).to_string(), 422),
        ("suspend", json!({ "jobs": [key], "run": 1 }).to_string(), 404),
        ("suspend", "{".to_owned(), 400),
    ] {
        let answer = post(action, "application/json", body.clone()).send().await.unwrap();
        assert_eq!(answer.status(), status, "{action} {body}");
        let answer: Value = serde_json::from_str(&answer.text().await.unwrap()).unwrap();
        let document = published::<LocalView>();
        let schema = if status == 409 { "Results" } else { "Problem" };
        let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
        assert_eq!(faults(&document, &schema, &answer), [""; 0], "{action} {body}: {answer}");
    }
}
