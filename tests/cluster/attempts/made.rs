//! Pods that are made, found, lost and let go. No node is needed: none of them is ever given to one.

use kube::{
    ResourceExt as _,
    api::{DeleteParams, ListParams, Patch, PatchParams, PostParams},
};
use mozart::{
    driver::ports::Launcher as _, engine::world::AttemptState, job::outcome::FailureClass, launch::pod::names,
};
use serde_json::{Value, json};

use super::{PodLauncher, Run, ended, eventually, first, start, there, until};
use crate::support::Namespace;

/// No node has this label.
fn nowhere() -> Value {
    json!({"pod": {"nodeSelector": {"mozart.dev/nowhere": "true"}}})
}

async fn run_nowhere(namespace: &Namespace) -> Run {
    Run::new(namespace, &["true"], &nowhere()).await
}

async fn running(launcher: &PodLauncher, batch: u32) {
    until(launcher, batch, |state| matches!(state, Some(AttemptState::Running { .. })).then_some(())).await;
}

/// Says that a Pod has failed, as a kubelet would.
async fn fail(run: &Run, batch: u32) {
    let status = json!({"status": {"phase": "Failed", "containerStatuses": [{
        "name": "attempt", "image": "i", "imageID": "i", "ready": false, "restartCount": 0,
        "state": {"terminated": {"exitCode": 137, "reason": "Error"}},
    }]}});
    run.api.patch_status(&run.name(batch), &PatchParams::default(), &Patch::Merge(status)).await.unwrap();
}

#[tokio::test]
async fn a_restricted_namespace_takes_the_pod_and_it_is_what_it_should_be() {
    let namespace = Namespace::restricted().await;
    let run = run_nowhere(&namespace).await;
    let launcher = run.launcher();
    launcher.launch(start(3)).await;
    let pod = there(&run, 3).await;
    let spec = pod.spec.clone().unwrap();
    assert_eq!(pod.finalizers(), [names::FINALIZER]);
    assert_eq!(pod.labels()["mozart.dev/batch"], "3");
    assert_eq!(pod.labels()["app.kubernetes.io/instance"], "review");
    assert_eq!(pod.owner_references()[0].block_owner_deletion, None);
    assert_eq!(spec.automount_service_account_token, Some(false));
    assert_eq!(spec.enable_service_links, Some(false));
    assert_eq!(spec.restart_policy.as_deref(), Some("Never"));
    assert!(spec.active_deadline_seconds.unwrap() >= 1800);
    let volumes: Vec<String> = spec.volumes.unwrap().into_iter().map(|volume| volume.name).collect();
    assert_eq!(volumes, ["mozart-plan", "mozart-state", "mozart-tmp", "mozart-workspace"]);
    namespace.delete().await;
}

#[tokio::test]
async fn an_attempt_is_made_once_however_often_and_by_whomever_it_is_asked_for() {
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    running(&launcher, 1).await;
    launcher.launch(start(1)).await;
    let uid = there(&run, 1).await.uid();
    // One that knows of nothing, and whose watch has not told it anything.
    let other = run.launcher();
    other.launch(start(1)).await;
    running(&other, 1).await;
    assert_eq!(run.api.get(&run.name(1)).await.unwrap().uid(), uid);
    assert_eq!(run.api.list(&ListParams::default()).await.unwrap().items.len(), 1);
    namespace.delete().await;
}

#[tokio::test]
async fn a_launcher_that_is_closed_leaves_no_pod_on_its_way_for_the_next_one_to_miss() {
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    let launcher = run.launcher();
    // More than are made at a time.
    for batch in 1..=80 {
        launcher.launch(start(batch)).await;
    }
    tokio::task::yield_now().await;
    launcher.close().await;
    let shown = run.launcher().look().await.len();
    let made = run.api.list(&ListParams::default()).await.unwrap().items.len();
    assert_eq!(shown, made);
    assert!((1..80).contains(&made), "those that waited for their turn are not made: {made}");
    assert_eq!(launcher.look().await.len(), made, "nothing is on its way");
    namespace.delete().await;
}

#[tokio::test]
async fn a_pod_of_the_name_that_is_not_ours_is_not_taken_for_ours() {
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    let foreign = serde_json::from_value(json!({"metadata": {"name": run.name(1)},
        "spec": {"containers": [{"name": "attempt", "image": "localhost/other:1"}], "nodeSelector": {"mozart.dev/nowhere": "true"}}}));
    run.api.create(&PostParams::default(), &foreign.unwrap()).await.unwrap();
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    let failure = ended(&launcher, 1).await.failure.unwrap();
    assert_eq!((failure.class, failure.reason.as_str()), (FailureClass::Disruption, "NameTaken"));
    launcher.release(first(1)).await;
    assert!(run.api.get_opt(&run.name(1)).await.unwrap().is_some(), "it is not ours to delete");
    namespace.delete().await;
}

#[tokio::test]
async fn a_deleted_pod_stays_until_its_end_is_recorded_and_then_goes() {
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    there(&run, 1).await;
    run.api.delete(&run.name(1), &DeleteParams::default()).await.unwrap();
    let failure = ended(&launcher, 1).await.failure.unwrap();
    assert_eq!((failure.class, failure.reason.as_str()), (FailureClass::Disruption, "PodDeleted"));
    assert!(run.api.get_opt(&run.name(1)).await.unwrap().is_some());
    launcher.release(first(1)).await;
    eventually("the Pod is gone", || async { run.api.get_opt(&run.name(1)).await.unwrap().is_none() }).await;
    until(&launcher, 1, |state| state.is_none().then_some(())).await;
    namespace.delete().await;
}

#[tokio::test]
async fn a_pod_that_is_gone_is_a_lost_attempt_and_no_reason_to_make_it_again() {
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    there(&run, 1).await;
    let force = json!({"metadata": {"finalizers": null}});
    run.api.patch(&run.name(1), &PatchParams::default(), &Patch::Merge(force)).await.unwrap();
    run.api.delete(&run.name(1), &DeleteParams::default().grace_period(0)).await.unwrap();
    until(&launcher, 1, |state| (state == Some(&AttemptState::Lost)).then_some(())).await;
    launcher.launch(start(1)).await;
    assert!(run.api.get_opt(&run.name(1)).await.unwrap().is_none());
    launcher.release(first(1)).await;
    until(&launcher, 1, |state| state.is_none().then_some(())).await;
    namespace.delete().await;
}

#[tokio::test]
async fn a_released_pod_that_is_still_there_says_that_the_ledger_is_old() {
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    there(&run, 1).await;
    let released = json!({"metadata": {"labels": {names::RELEASED: "true"}}});
    run.api.patch(&run.name(1), &PatchParams::default(), &Patch::Merge(released)).await.unwrap();
    let old = run.launcher();
    until(&old, 1, |state| state.is_none().then_some(())).await;
    old.launch(start(1)).await;
    eventually("it is found to be old", || async { old.is_stale() }).await;
    old.launch(start(2)).await;
    assert!(run.api.get_opt(&run.name(2)).await.unwrap().is_none());
    namespace.delete().await;
}

#[tokio::test]
async fn a_finished_pod_is_let_go_in_one_step_and_swept_and_failed_ones_are_kept_for_people() {
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    let launcher = run.launcher();
    for batch in [1, 2] {
        launcher.launch(start(batch)).await;
        there(&run, batch).await;
        fail(&run, batch).await;
        assert!(!ended(&launcher, batch).await.succeeded());
    }
    launcher.release(first(1)).await;
    eventually("it is marked", || async {
        run.api.get(&run.name(1)).await.unwrap().labels().contains_key(names::RELEASED)
    })
    .await;
    let kept = run.api.get(&run.name(1)).await.unwrap();
    assert!(kept.finalizers().is_empty() && kept.labels().contains_key(names::KEPT));

    let mut place = run.place.clone();
    place.pod.deletion_policy = Some(mozart::api::pod::DeletionPolicy::Always);
    run.launcher_of(place).release(first(2)).await;
    eventually("it is swept", || async { run.api.get_opt(&run.name(2)).await.unwrap().is_none() }).await;
    assert!(run.api.get_opt(&run.name(1)).await.unwrap().is_some());
    namespace.delete().await;
}

#[tokio::test]
async fn a_pod_of_this_job_that_is_of_no_run_is_ended_at_once() {
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    run.launcher().launch(start(1)).await;
    there(&run, 1).await;
    let mut place = run.place.clone();
    place.run.run = 2;
    let next = run.launcher_of(place);
    eventually("the Pod of the run before is gone", || async {
        next.look().await.is_empty() && run.api.get_opt(&run.name(1)).await.unwrap().is_none()
    })
    .await;
    namespace.delete().await;
}

#[tokio::test]
async fn the_pods_of_a_job_that_is_no_more_are_let_go() {
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    run.launcher().launch(start(1)).await;
    there(&run, 1).await;
    eventually("the watch tells of it", || async { run.pods.jobs().contains(&run.place.run.job) }).await;
    run.pods.abandon(run.place.run.job).await.unwrap();
    assert!(run.api.get_opt(&run.name(1)).await.unwrap().is_none());
    namespace.delete().await;
}

#[tokio::test]
async fn a_plan_is_written_once_found_again_and_read_by_its_hash() {
    use mozart::launch::pod::plan::{self, PlanRefError};
    let namespace = Namespace::new().await;
    let run = run_nowhere(&namespace).await;
    let PodPlaceParts { client, name, owner, id, written } = parts(&run, &namespace);
    let found = plan::find(client, name, "review", id).await.unwrap().unwrap();
    assert_eq!(&found, written);
    let plan = plan::read(client, name, &found).await.unwrap();
    assert_eq!(&plan::write(client, name, owner, "review", id, &plan).await.unwrap(), written);
    let other = plan.with_live(&json!({"retry": {"maxRetries": 1}}));
    let refused = plan::write(client, name, owner, "review", id, &other).await;
    assert!(matches!(refused, Err(PlanRefError::Taken { .. })));
    plan::delete(client, name, &found).await.unwrap();
    plan::delete(client, name, &found).await.unwrap();
    assert_eq!(plan::find(client, name, "review", id).await.unwrap(), None);
    assert!(matches!(plan::read(client, name, &found).await, Err(PlanRefError::Missing { .. })));
    namespace.delete().await;
}

struct PodPlaceParts<'a> {
    client: &'a kube::Client,
    name: &'a str,
    owner: &'a k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference,
    id: &'a mozart::job::identity::RunId,
    written: &'a mozart::launch::pod::PlanRef,
}

fn parts<'a>(run: &'a Run, namespace: &'a Namespace) -> PodPlaceParts<'a> {
    let place = &run.place;
    PodPlaceParts {
        client: &namespace.client,
        name: &namespace.name,
        owner: &place.owner,
        id: &place.run,
        written: &place.plan,
    }
}
