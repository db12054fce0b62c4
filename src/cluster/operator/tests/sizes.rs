//! prompts and answers of any size, in real time where sockets are asked. R-29: the object of a large job, and of
//! each of many.
//!
//! `MOZART_TEST_BATCHES` says how large it is (200 batches unless it is set), `MOZART_TEST_JOBS` how many there are at
//! once (20 of 10 batches). At full size a real API server has them: `hack/bench-cluster long idle`, in `make test-long`.

use std::time::Duration;

use serde_json::json;

use super::{
    JOB, condition, failed,
    in_process::{put_all, until, until_phase},
    job, pods, status, until_within, well,
};
use crate::{
    cluster::{
        outputs,
        testing::{
            ApiServer, Kubelet, Operator, Played,
            fake_api::{FakeApi, Reply},
            wire::Wire,
        },
    },
    job::identity::{BatchNum, RunId},
};

/// 100 KB, 1 MiB and 5 MiB; 50 MiB is refused.
const SIZES: [usize; 3] = [100_000, 1 << 20, 5 << 20];

fn template(bytes: usize) -> String {
    format!("{{{{ 'x' * {bytes} }}}} batch {{{{ batch_num }}}}")
}

#[tokio::test]
async fn r28_a_prompt_of_any_size_that_is_taken_is_sent_whole_and_one_that_is_not_is_refused_by_name_and_size()
 {
    let api = FakeApi::start(|request| Reply::text(&request.said().len().to_string())).await;
    for bytes in SIZES {
        let server = ApiServer::default();
        put_all(&server, api.url(), 1, 1);
        server.edit(JOB, |job| job["spec"]["prompt"]["template"] = template(bytes).into());
        let operator = Operator::start(&server);
        until_phase(&server, "Complete").await;
        let heard: usize = answer(&server).await.parse().unwrap();
        assert!(heard >= bytes + " batch 1".len(), "{heard} of {bytes}");
        operator.stop().await;
    }
    let server = ApiServer::default();
    put_all(&server, api.url(), 1, 1);
    server.edit(JOB, |job| job["spec"]["prompt"]["template"] = template(50 << 20).into());
    let _operator = Operator::start(&server);
    until(&server, "the refusal", |server| condition(server, "Valid")["status"] == "False").await;
    let valid = condition(&server, "Valid");
    assert_eq!(valid["reason"], "InvalidSpec");
    let message = valid["message"].as_str().unwrap();
    assert!(message.contains("batch 1") && message.contains("bytes"), "{message}");
}

async fn answer(server: &ApiServer) -> String {
    let client = kube::Client::new(Wire::new(server, "reader", 1), "team");
    let run = RunId { job: super::UID.parse().unwrap(), run: 1 };
    outputs::read(&client, "team", &run).await.unwrap().remove(&BatchNum(1)).unwrap().answer
}

#[tokio::test]
async fn r28_an_answer_of_megabytes_is_kept_whole() {
    for bytes in SIZES {
        let mut chance = fastrand::Rng::with_seed(7);
        let text: String = (0..bytes).map(|_| chance.alphanumeric()).collect();
        let said = text.clone();
        let api = FakeApi::start(move |_| Reply::text(&said)).await;
        let server = ApiServer::default();
        put_all(&server, api.url(), 1, 1);
        let operator = Operator::start(&server);
        until_phase(&server, "Complete").await;
        assert!(answer(&server).await == text, "{bytes} bytes came back otherwise");
        operator.stop().await;
    }
}

#[tokio::test]
async fn r28_neither_the_arguments_nor_the_environment_of_a_pod_has_the_prompt_and_its_object_stays_small() {
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, super::slowly);
    let mut night = job(1, 1);
    // Of the template as it is written, not only of what it is rendered to.
    night["spec"]["prompt"]["template"] = format!("{} {{{{ 'x' * 5000000 }}}}", "y".repeat(100_000)).into();
    server.put(JOB, night);
    let _operator = Operator::start(&server);
    until(&server, "the Pod", |server| !pods(server).is_empty()).await;
    let pod = pods(&server)[0].to_string();
    assert!(pod.len() < 16 << 10, "{} bytes", pod.len());
    assert!(!pod.contains("xxxx") && !pod.contains("yyyy"));
}

/// Every third batch is tried twice, and every fiftieth fails for good.
fn mixed(batch: u32, ordinal: u32) -> Played {
    match (batch, ordinal) {
        (batch, _) if batch.is_multiple_of(50) => failed("batch_fatal", &json!({})),
        (batch, 1) if batch.is_multiple_of(3) => failed("transient", &json!({})),
        _ => well(batch, ordinal),
    }
}

/// The number in a variable of the environment, or what is usual.
fn asked(variable: &str, usual: u32) -> u32 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn r29_the_object_of_a_job_stays_small_however_many_batches_it_has() {
    let batches = asked("MOZART_TEST_BATCHES", 200);
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, mixed);
    let mut night = job(batches, 50);
    night["spec"]["retry"] = json!({"baseDelaySeconds": 30, "onExhausted": "Continue"});
    server.put(JOB, night);
    let _operator = Operator::start(&server);
    let mut largest = 0;
    until_within(Duration::from_hours(24), &server, "the end", |server| {
        largest = largest.max(server.get(JOB).map_or(0, |job| job.to_string().len()));
        status(server)["lastRun"]["outcome"].is_string()
    })
    .await;
    assert_eq!(status(&server)["batches"]["failed"], batches / 50);
    println!("{batches} batches: the object had at most {largest} bytes");
    assert!(largest <= 64 << 10, "{largest} bytes");
}

#[tokio::test(start_paused = true)]
async fn r29_each_of_many_jobs_comes_to_its_end_and_its_object_stays_small() {
    const JOBS: &str = "/apis/mozart.dev/v1alpha1/namespaces/team/mozartjobs/";
    let count = asked("MOZART_TEST_JOBS", 20);
    let server = ApiServer::default();
    let _kubelet = Kubelet::start(&server, mixed);
    for number in 1..=count {
        let mut one = job(10, 2);
        one["metadata"]["name"] = format!("night-{number}").into();
        one["metadata"]["uid"] = uuid::Uuid::from_u128(number.into()).to_string().into();
        server.put(&format!("{JOBS}night-{number}"), one);
    }
    let _operator = Operator::start(&server);
    let (mut largest, mut changes) = (0, 0_u32);
    until_within(Duration::from_hours(24), &server, "the end of each", |server| {
        // To look at all of them at each change would take the square of what there is.
        changes += 1;
        if !changes.is_multiple_of(count) {
            return false;
        }
        let all = server.all(JOBS);
        largest = all.iter().map(|job| job.to_string().len()).max().unwrap_or(0).max(largest);
        all.iter().all(|job| job["status"]["lastRun"]["outcome"] == "Complete")
    })
    .await;
    println!("{count} jobs of 10 batches: an object had at most {largest} bytes");
    assert!(largest <= 64 << 10, "{largest} bytes");
}
