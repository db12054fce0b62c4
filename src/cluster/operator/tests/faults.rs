//! What the API server, the network and other people do to a run.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::{JOB, condition, job, once_each, pods, slowly, status, until, until_clean, until_phase, well};
use crate::cluster::testing::{ApiServer, Kubelet, Operator};

///
#[tokio::test(start_paused = true)]
async fn a_watch_that_tells_nothing_for_a_while_starts_no_batch_twice() {
    for frozen in [500, 5_000, 60_000] {
        let server = ApiServer::default();
        let kubelet = Kubelet::start(&server, well);
        server.put(JOB, job(12, 3));
        let operator = Operator::start(&server);
        until(&server, "a finished batch", |server| {
            status(server)["batches"]["succeeded"].as_u64() > Some(2)
        })
        .await;
        operator.wire.freeze(true);
        tokio::time::sleep(Duration::from_millis(frozen)).await;
        operator.wire.freeze(false);
        until_phase(&server, "Complete").await;
        once_each(&kubelet, 12);
    }
}

///
#[tokio::test(start_paused = true)]
async fn an_old_version_of_a_finished_job_starts_nothing() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.put(JOB, job(8, 2));
    let _operator = Operator::start(&server);
    until(&server, "a finished batch", |server| status(server)["batches"]["succeeded"].as_u64() > Some(1))
        .await;
    let middle = server.get(JOB).unwrap();
    until_phase(&server, "Complete").await;
    until_clean(&server).await;
    let done = server.get(JOB).unwrap();
    server.replay(JOB, middle);
    tokio::time::sleep(Duration::from_mins(3)).await;
    assert_eq!(server.get(JOB).unwrap(), done);
    once_each(&kubelet, 8);
}

/// An API server that answers from an old state, as one that was restored or lags does.
#[tokio::test(start_paused = true)]
async fn a_job_that_is_read_as_it_was_before_the_last_save_is_not_decided_on() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.put(JOB, job(8, 2));
    let _operator = Operator::start(&server);
    until(&server, "a finished batch", |server| status(server)["batches"]["succeeded"].as_u64() > Some(1))
        .await;
    let middle = status(&server);
    until_phase(&server, "Complete").await;
    until_clean(&server).await;
    let done = status(&server);
    let show = |status: &Value| {
        server.edit(JOB, |job| {
            job["status"] = status.clone();
            job["spec"]["ttlSecondsAfterFinished"] =
                json!(1_000_000 + job["metadata"]["generation"].as_u64().unwrap());
        });
    };
    show(&middle);
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(status(&server), middle);
    show(&done);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 8);
}

/// a create of an earlier leader arrives when all is over, or when the run has gone on.
#[tokio::test(start_paused = true)]
async fn a_pod_that_comes_back_after_its_batch_is_done_is_taken_away() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(9, 3));
    let operator = Operator::start(&server);
    until(&server, "the first Pods", |server| pods(server).len() == 3).await;
    let mut late = pods(&server)[0].clone();
    late["metadata"]["uid"] = json!("0aaa106e-4028-45b3-b750-789be3b4220c");
    late["status"] = json!({});
    let path = format!("/api/v1/namespaces/team/pods/{}", late["metadata"]["name"].as_str().unwrap());
    until(&server, "its end", |server| server.get(&path).is_none()).await;
    assert_eq!(status(&server)["phase"], "Running");
    server.put(&path, late.clone());
    until(&server, "no stray Pod", |server| server.get(&path).is_none()).await;
    until_phase(&server, "Complete").await;
    until_clean(&server).await;
    let done = status(&server);
    server.put(&path, late);
    until_clean(&server).await;
    assert_eq!(status(&server), done, "nothing is counted twice");
    let (late_ones, made): (Vec<_>, Vec<_>) = kubelet
        .lives()
        .into_iter()
        .partition(|life| life.to.is_some_and(|to| to - life.from < Duration::from_secs(9)));
    assert_eq!(made.len(), 9);
    assert!(late_ones.len() <= 2, "{late_ones:?}");
    assert_eq!(operator.telemetry.pods.unexpected.get(), 2);
}

///
#[test]
fn a_watch_that_loses_any_one_event_ends_the_same() {
    let mut lost = 0;
    loop {
        lost += 1;
        let mut told = 0;
        super::crashes::in_paused_time(async {
            let server = ApiServer::default();
            let kubelet = Kubelet::start(&server, well);
            server.put(JOB, job(2, 1));
            let operator = Operator::start(&server);
            operator.wire.lose_event(lost);
            let ends = async {
                until_phase(&server, "Complete").await;
                until_clean(&server).await;
            };
            let ended = tokio::time::timeout(Duration::from_mins(20), ends).await;
            assert!(ended.is_ok(), "without event {lost}: {:#} {:#?}", status(&server), pods(&server));
            once_each(&kubelet, 2);
            told = operator.wire.told();
        });
        if lost > told {
            break;
        }
    }
    assert!(lost > 10, "{lost} events");
}

///
#[tokio::test(start_paused = true)]
async fn a_pod_that_somebody_takes_away_is_lost_and_its_batch_goes_on() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(3, 3));
    let operator = Operator::start(&server);
    until(&server, "the Pods", |server| pods(server).len() == 3).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    operator.wire.freeze(true);
    let name = pods(&server)[1]["metadata"]["name"].as_str().unwrap().to_owned();
    server.vanish(&format!("/api/v1/namespaces/team/pods/{name}"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    operator.wire.freeze(false);
    until_phase(&server, "Complete").await;
    assert_eq!(kubelet.overlap(), None);
    assert_eq!(kubelet.lives().len(), 4);
    assert!(kubelet.lives().iter().any(|life| life.ordinal == 2));
}

///
#[tokio::test(start_paused = true)]
async fn somebody_who_writes_the_object_all_the_time_holds_nothing_up() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, well);
    server.put(JOB, job(40, 4));
    let operator = Operator::start(&server);
    let other = server.clone();
    let storm = tokio::spawn(async move {
        for number in 0.. {
            other.edit(JOB, |job| job["metadata"]["labels"] = json!({"number": format!("{number}")}));
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    until_phase(&server, "Complete").await;
    storm.abort();
    once_each(&kubelet, 40);
    let saves = server.writes().iter().filter(|write| write.path.ends_with("/status")).count();
    assert!(saves < 40, "{saves} saves");
    drop(operator);
}

///
#[tokio::test(start_paused = true)]
async fn a_pod_whose_creation_was_not_answered_is_adopted() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(3, 3));
    let operator = Operator::start(&server);
    until(&server, "a plan", |server| !server.all("/api/v1/namespaces/team/configmaps/").is_empty()).await;
    operator.wire.lose_answers(4);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 3);
}

///
#[tokio::test(start_paused = true)]
async fn a_strangers_pod_of_the_name_is_not_adopted() {
    let server = ApiServer::default();
    server.put(JOB, job(1, 1));
    let path = "/api/v1/namespaces/team/pods/night-0aaa1-r1-b1-a1";
    let stranger = json!({"metadata": {"name": "night-0aaa1-r1-b1-a1", "namespace": "team", "uid": "x"}});
    server.put(path, stranger);
    let before = server.get(path);
    let kubelet = Kubelet::start(&server, well);
    let _operator = Operator::start(&server);
    until(&server, "the reason", |server| status(server)["checkpoint"]["open"]["1"]["reason"] == "NameTaken")
        .await;
    until_phase(&server, "Complete").await;
    let lives = kubelet.lives();
    assert_eq!(
        lives.iter().map(|life| life.ordinal).collect::<Vec<_>>(),
        [2],
        "another attempt, another name"
    );
    assert_eq!(server.get(path), before, "it is left alone");
}

/// Two operators, of which the first leads until it is cut off for as long as the other needs to take over.
async fn cut_off_and_back(server: &ApiServer) -> (Kubelet, [Operator; 2]) {
    let kubelet = Kubelet::start(server, slowly);
    server.put(JOB, job(30, 3));
    let one = Operator::named(server, "one", |_| {});
    until(server, "the first Pods", |server| pods(server).len() == 3).await;
    let other = Operator::named(server, "other", |_| {});
    tokio::time::sleep(Duration::from_secs(5)).await;
    one.wire.cut(true);
    tokio::time::sleep(Duration::from_secs(45)).await;
    one.wire.cut(false);
    (kubelet, [one, other])
}

///
#[tokio::test(start_paused = true)]
async fn a_leader_that_is_cut_off_and_comes_back_starts_nothing_twice() {
    let server = ApiServer::default();
    let (kubelet, _operators) = cut_off_and_back(&server).await;
    until_phase(&server, "Complete").await;
    until_clean(&server).await;
    once_each(&kubelet, 30);
    let of_one = server.writes().iter().filter(|write| write.by == "one").count();
    let of_other = server.writes().iter().filter(|write| write.by == "other").count();
    assert!(of_one > 3 && of_other > 30, "{of_one} and {of_other}");
}

/// Nothing that was seen in an earlier term is believed.
#[tokio::test(start_paused = true)]
async fn who_leads_again_after_another_lists_everything_anew() {
    let server = ApiServer::default();
    let (kubelet, [_one, other]) = cut_off_and_back(&server).await;
    drop(other);
    until_phase(&server, "Complete").await;
    until_clean(&server).await;
    once_each(&kubelet, 30);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_decided_before_every_pod_was_listed() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(6, 3));
    let operator = Operator::start(&server);
    until(&server, "the saved starts", |server| status(server)["checkpoint"]["seen"] == "1-3").await;
    drop(operator);
    let operator = Operator::start(&server);
    operator.wire.hold(Some(|asked| asked.method == Method::GET && asked.path.ends_with("/pods")));
    // Less than a read may take.
    tokio::time::sleep(Duration::from_secs(20)).await;
    operator.wire.hold(None);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 6);
}

///
#[tokio::test(start_paused = true)]
async fn a_standby_whose_watches_tell_nothing_takes_over_and_starts_nothing_twice() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(12, 3));
    let one = Operator::named(&server, "one", |_| {});
    let other = Operator::named(&server, "other", |_| {});
    other.wire.freeze(true);
    until(&server, "a finished batch", |server| status(server)["batches"]["succeeded"].as_u64() > Some(2))
        .await;
    drop(one);
    tokio::time::sleep(Duration::from_mins(2)).await;
    other.wire.freeze(false);
    until_phase(&server, "Complete").await;
    once_each(&kubelet, 12);
}

///
#[tokio::test(start_paused = true)]
async fn nothing_is_left_of_a_job_that_is_deleted_with_or_without_an_operator() {
    for operator_runs in [true, false] {
        let server = ApiServer::default();
        let _kubelet = Kubelet::start(&server, slowly);
        server.put(JOB, job(9, 3));
        let operator = Operator::start(&server);
        until(&server, "the Pods", |server| pods(server).len() == 3).await;
        if operator_runs {
            server.delete(JOB);
            let gone = tokio::time::timeout(Duration::from_mins(1), until_clean(&server)).await;
            assert!(gone.is_ok(), "{:#?}", pods(&server));
        } else {
            drop(operator);
            server.delete(JOB);
            tokio::time::sleep(Duration::from_mins(10)).await;
            assert_eq!(pods(&server).len(), 3, "the finalizers hold them");
            let _operator = Operator::start(&server);
            until_clean(&server).await;
        }
        assert!(server.all("/api/v1/namespaces/team/").is_empty());
    }
}

///
#[tokio::test(start_paused = true)]
async fn edits_of_what_may_change_while_a_run_is_active_act_and_lose_nothing() {
    let server = ApiServer::default();
    let kubelet = Kubelet::start(&server, slowly);
    server.put(JOB, job(60, 3));
    let _operator = Operator::start(&server);
    let mut chance = fastrand::Rng::with_seed(7);
    while status(&server)["phase"] != "Complete" {
        let spec = match chance.u32(..4) {
            0 => json!({"batch": {"size": 1, "totalItems": 60, "parallelism": chance.u32(1..12)}}),
            1 => json!({"suspend": true}),
            2 => json!({"retry": {"maxRetries": chance.u32(..5)}}),
            _ => json!({"suspend": false}),
        };
        server.edit(JOB, |job| {
            for (name, value) in spec.as_object().unwrap() {
                job["spec"][name] = value.clone();
            }
        });
        tokio::time::sleep(Duration::from_millis(chance.u64(100..9000))).await;
        if chance.u32(..10) == 0 {
            server.edit(JOB, |job| job["spec"]["suspend"] = json!(false));
        }
    }
    once_each(&kubelet, 60);
    let generation = server.get(JOB).unwrap()["metadata"]["generation"].clone();
    until(&server, "it is seen", |server| status(server)["observedGeneration"] == generation).await;
    assert_eq!(condition(&server, "Complete")["observedGeneration"], generation);
}
