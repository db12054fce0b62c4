//! The dashboard of an operator that keeps nothing: checkpoints, Pods that are there, and the plans of runs.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::*;
use crate::{
    attempt::message,
    engine::ranges::Ranges,
    job::{items::hash_of, plan::Plan},
    launch::pod::{names, plan},
};

const RUN: &str = "/jobs/team~night/runs/1";

const FINDING: &str =
    r#"{"type":"file_exists","path":"report.md","passed":false,"expected":"a file","actual":"nothing"}"#;

/// 1 succeeded and its Pod is gone, 2 failed and its Pod is there, 3 runs, 4 has failed once and waits.
fn amid() -> Ledger {
    let mut ledger = after_success(&ledger(JOB, 1), 1);
    ledger.failed = Ranges::span(2, 2);
    ledger.claimed = Ranges::span(3, 4);
    ledger.seen = Ranges::span(3, 3);
    let open = json!({"ordinal": 2, "tries": 1, "until": "2027-01-01T00:00:00Z", "cause": "validation",
        "reason": "ValidationFailed"});
    ledger.open.insert(BatchNum(4), serde_json::from_value(open).unwrap());
    ledger
}

/// The plan of a run, with a template that says which batch it is.
fn written() -> Plan {
    let plan = json!({"version": 1, "manifest": {
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": {"name": "night"},
        "spec": {"backend": {"type": "command", "command": ["true"]}, "batch": {"size": 1, "totalItems": 10_000},
            "prompt": {"template": "Look at number {{ start_item }}."}},
    }})
    .to_string();
    Plan::read(&plan, &hash_of(&plan)).unwrap()
}

impl House {
    async fn without_volume() -> Self {
        let house = Self::build(Auth::Token, false).await;
        let ledger = amid();
        house.api.server.put(pages::NIGHT, pages::object("team", "night", JOB, &ledger));
        let owner = OwnerReference { uid: JOB.to_string(), name: "night".to_owned(), ..Default::default() };
        let client = house.api.client("operator");
        plan::write(&client, "team", &owner, "night", &ledger.run, &written()).await.unwrap();
        house.pod(
            2,
            &json!({"phase": "Failed", "containerStatuses": [{"name": "attempt", "state": {"terminated": {
            "exitCode": 3, "startedAt": "2027-01-15T08:00:00Z", "finishedAt": "2027-01-15T09:00:00Z",
            "message": message::write(&outcome(Some(FailureClass::BatchFatal)))}}}]}),
        );
        house.pod(
            3,
            &json!({"phase": "Running", "containerStatuses": [{"name": "attempt", "state": {"running": {
            "startedAt": "2027-01-15T08:00:00Z"}}}]}),
        );
        for (batch, letter, text) in
            [(2, "o", "it began"), (2, "e", "and broke"), (2, "f", FINDING), (3, "o", "it runs")]
        {
            let line = format!("{letter} 2027-01-15T08:00:01.000Z {text}");
            house.api.server.say(&pod_path(batch), &line);
        }
        house
    }

    fn pod(&self, batch: u32, status: &Value) {
        let run = ledger(JOB, 1).run;
        let mut labels = names::labels("night", &run);
        labels.insert(names::BATCH.to_owned(), batch.to_string());
        labels.insert(names::ORDINAL.to_owned(), "1".to_owned());
        let name = names::pod("night", &run, AttemptKey::first(BatchNum(batch)));
        let metadata = json!({"name": name, "namespace": "team", "labels": labels,
            "creationTimestamp": "2027-01-15T08:00:00Z"});
        self.api.server.put(&pod_path(batch), json!({"metadata": metadata, "status": status}));
    }
}

fn pod_path(batch: u32) -> String {
    let name = names::pod("night", &ledger(JOB, 1).run, AttemptKey::first(BatchNum(batch)));
    format!("/api/v1/namespaces/team/pods/{name}")
}

#[tokio::test]
async fn without_a_volume_a_run_has_its_batches_from_the_checkpoint_and_from_its_pods() {
    let house = House::without_volume().await;
    let run = house.json("anna", &format!("{RUN}.json?state=all")).await;
    let in_short = |batch: &Value| {
        let state = batch["state"].as_str().unwrap();
        format!("{} {state} {}", batch["batch"], batch["reason"].as_str().unwrap_or("-"))
    };
    let batches: Vec<String> = run["batches"].as_array().unwrap().iter().map(in_short).collect();
    assert_eq!(batches, ["1 succeeded -", "2 failed ExitCode", "3 running -", "4 waiting ValidationFailed"]);
    assert_eq!(
        (&run["failures"][0]["reason"], &run["failures"][0]["count"]),
        (&json!("ExitCode"), &json!(1))
    );
    let pending = house.json("anna", &format!("{RUN}.json?state=pending")).await;
    assert_eq!(pending["waits"][0]["batch"], 5);
    assert_eq!(pending["waits"][0]["why"], "It waits: the pause between batches.");

    let timeline = house.json("anna", &format!("{RUN}/timeline.json")).await;
    assert_eq!(timeline["rows"].as_array().unwrap().len(), 4, "{timeline}");
    let attempt = house.json("anna", &format!("/api/v1{RUN}/batches/2/attempts/1")).await;
    assert_eq!(
        (&attempt["record"]["message"], &attempt["record"]["usage"]["inputTokens"]),
        (&json!("it said 3"), &json!(10))
    );
}

#[tokio::test]
async fn without_a_volume_the_log_of_a_pod_that_is_there_is_shown_to_who_may_read_it() {
    let house = House::without_volume().await;
    let failed = house.json("carl", &format!("{RUN}/batches/2.json")).await;
    assert_eq!(
        (&failed["shown"]["text"], &failed["shown"]["kind"]),
        (&json!("and broke\n"), &json!("stderr"))
    );
    let found = &failed["findings"][0];
    assert_eq!(
        (&found["path"], &found["expected"], &found["actual"]),
        (&json!("report.md"), &json!("a file"), &json!("nothing"))
    );
    let pod = &failed["pod"];
    assert_eq!((&pod["namespace"], &pod["container"]), (&json!("team"), &json!("attempt")));
    assert!(pod_path(2).ends_with(pod["name"].as_str().unwrap()) && pod["isThere"] == true, "{pod}");
    let page = house.get("carl", &format!("{RUN}/batches/2")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("kubectl logs -n team night-"), "{page}");
    let output = house.json("carl", &format!("{RUN}/batches/2.json?show=output")).await;
    assert_eq!(output["shown"]["text"], "it began\n");
    let running = house.json("carl", &format!("{RUN}/batches/3.json")).await;
    assert_eq!(
        (&running["shown"]["text"], &running["attempt"]["state"]),
        (&json!("it runs\n"), &json!("running"))
    );

    // Who may read the job alone sees that it failed and why, and is told why he sees no more.
    let refused = house.json("anna", &format!("{RUN}/batches/2.json")).await;
    assert_eq!((&refused["attempt"]["reason"], &refused["shown"]), (&json!("ExitCode"), &Value::Null));
    let why = refused["absent"].as_str().unwrap();
    assert!(why.starts_with("anna may not get the log of the Pod night-"), "{why}");
    assert_eq!(refused["findings"], json!([]), "they are in that log");
    let raw = format!("/api/v1{RUN}/batches/2/attempts/1/output");
    assert_eq!(house.get("anna", &raw).send().await.unwrap().status(), 404);
    assert_eq!(house.get("carl", &raw).send().await.unwrap().text().await.unwrap(), "it began\n");
}

#[tokio::test]
async fn without_a_volume_what_went_with_its_pod_says_so_and_what_to_set() {
    let house = House::without_volume().await;
    let done = house.json("carl", &format!("{RUN}/batches/1.json")).await;
    assert_eq!((&done["batch"]["state"], &done["attempt"]), (&json!("succeeded"), &Value::Null));
    let page = house.get("carl", &format!("{RUN}/batches/1")).send().await.unwrap().text().await.unwrap();
    for words in ["Nothing more is kept of this batch", "Its Pod is not there", "history.enabled"] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let history = house.get("carl", "/history").send().await.unwrap().text().await.unwrap();
    assert!(history.contains("No history is kept") && history.contains("history.enabled"), "{history}");
    house.api.server.vanish(&pod_path(2));
    let gone = async {
        while !house.json("carl", &format!("{RUN}/batches/2.json")).await["attempt"].is_null() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone)
        .await
        .expect("a list of Pods is believed for seconds");
    let run = house.json("carl", &format!("{RUN}.json")).await;
    assert_eq!(
        (&run["failures"][0]["reason"], &run["failures"][0]["batches"]),
        (&json!("Unknown"), &json!("2"))
    );
}

/// S-17: a plan has what its job's author took from `ConfigMaps`, which not everybody may read who may read the job.
#[tokio::test]
async fn a_prompt_is_rendered_again_from_the_plan_for_who_may_read_that() {
    for house in [House::without_volume().await, House::open().await.with_run(3).await.with_jobs()] {
        if house.has_volume {
            let owner = OwnerReference { uid: JOB.to_string(), ..Default::default() };
            let client = house.api.client("operator");
            plan::write(&client, "team", &owner, "night", &ledger(JOB, 1).run, &written()).await.unwrap();
        }
        let prompt = format!("{RUN}/batches/2.json?show=prompt");
        let shown = house.json("carl", &prompt).await;
        assert_eq!(shown["shown"]["text"], "Look at number 2.");
        let refused = house.json("anna", &prompt).await;
        let why = refused["absent"].as_str().unwrap();
        assert!(refused["shown"].is_null() && why.contains("anna may not get the ConfigMap night-"), "{why}");
        let spec = |who| house.json(who, "/api/v1/jobs/team~night/spec");
        assert!(spec("carl").await["resolved"].as_str().unwrap().contains("Look at number"));
        let spec = spec("anna").await;
        assert_eq!(spec["resolved"], Value::Null);
        assert!(spec["withheld"].as_str().unwrap().contains("the plan of the run"), "{spec}");
    }
}

#[tokio::test]
async fn a_later_attempt_is_asked_what_the_one_before_left() {
    let house = House::without_volume().await;
    house.api.server.edit(pages::NIGHT, |job| {
        job["status"]["checkpoint"]["seen"] = json!("3-4");
    });
    let runs = async {
        loop {
            let batch = house.json("carl", &format!("{RUN}/batches/4.json?show=prompt")).await;
            if batch["attempt"]["state"] == "running" {
                return batch["shown"]["text"].as_str().unwrap().to_owned();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let prompt = tokio::time::timeout(Duration::from_secs(30), runs).await.unwrap();
    assert!(prompt.starts_with("Look at number 4.\n\nThis is try 2 at this batch"), "{prompt}");
}

#[tokio::test]
async fn a_long_log_of_a_pod_is_given_from_where_it_is_held_to_its_end() {
    let house = House::without_volume().await;
    for number in 0..30 {
        let line = format!("o 2027-01-15T08:00:02.000Z {number} {}", "x".repeat(50 << 10));
        house.api.server.say(&pod_path(2), &line);
    }
    let raw = format!("/api/v1{RUN}/batches/2/attempts/1/output");
    let whole = async {
        loop {
            let given = house.get("carl", &raw).send().await.unwrap().text().await.unwrap();
            if given.contains("\n29 ") {
                return given;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let given = tokio::time::timeout(Duration::from_secs(30), whole).await.unwrap();
    assert!(given.ends_with("x\n") && !given.contains("it began"), "{} bytes", given.len());
    let part = house.get("carl", &raw).header("range", "bytes=0-3").send().await.unwrap();
    assert_eq!(part.status(), 416, "that is gone");
}
