use kube::api::ListParams;
use serde_json::{Value, json};

use super::{Desk, complete, failed, running, suspended};

/// The text without the time in an id.
fn steady(text: &str) -> String {
    regex::Regex::new(r"(resume|retry)-2\d\S+Z").unwrap().replace_all(text, "$1-[time]").into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_suspended_resumed_and_stopped_by_its_spec() {
    let desk = Desk::new().await;
    desk.job("review", &running()).await;
    desk.job("docs", &complete()).await;
    desk.job("migration", &suspended()).await;
    let said = desk
        .session(&[
            "suspend review",
            "suspend review",
            "suspend review --now",
            "resume review",
            "resume docs",
            "resume migration",
            "stop review",
            "stop review --now",
            "stop docs",
            "suspend nobody",
        ])
        .await;
    insta::assert_snapshot!(said);
    let spec = desk.spec("review").await;
    assert_eq!((&spec["suspend"], &spec["stop"]), (&json!(false), &json!({"run": 3, "mode": "Now"})));
    // Its operator has suspended it: any edit lets it go on.
    assert_eq!(desk.spec("migration").await["suspend"], false);
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_or_named_batches_are_asked_for_once_more() {
    let desk = Desk::new().await;
    for (name, status) in
        [("review", running()), ("tests", failed()), ("docs", complete()), ("fresh", Value::Null)]
    {
        desk.job(name, &status).await;
    }
    let said = desk
        .session(&[
            "retry review --failed",
            "retry fresh --failed",
            "retry docs --failed",
            "retry docs --batches 3,7-9",
            "retry tests --failed",
            "retry tests",
        ])
        .await;
    insta::assert_snapshot!(steady(&said));
    assert_eq!(desk.spec("tests").await["rerun"]["select"], "Failed");
    let rerun = desk.spec("docs").await["rerun"].clone();
    assert_eq!((&rerun["select"], &rerun["batches"]), (&json!("Batches"), &json!("3,7-9")));
    desk.job("night", &failed()).await;
    insta::assert_snapshot!("resume_of_a_failed_run", steady(&desk.session(&["resume night"]).await));
    assert_eq!(desk.spec("night").await["rerun"]["select"], "Unfinished");
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_deleted_only_when_somebody_means_it() {
    let desk = Desk::new().await;
    desk.job("review", &running()).await;
    desk.job("docs", &complete()).await;
    let (code, shown) = desk.on_terminal(&["delete", "review"], "n\n").await;
    insta::assert_snapshot!("delete_on_a_terminal", format!("{}\n[{code}]", desk.steady(&shown)));
    insta::assert_snapshot!(
        desk.session(&["delete docs", "delete docs review --yes", "delete docs --yes"]).await
    );
    assert!(desk.namespace.jobs().list(&ListParams::default()).await.unwrap().items.is_empty());
    desk.namespace.delete().await;
}
