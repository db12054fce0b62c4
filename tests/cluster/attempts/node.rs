//! Attempts on a node that runs them: `hack/cluster up --node`, with the images of `hack/images`.

pub mod claude;
mod journal;
mod limit;
pub mod operator;

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, ResourceExt as _,
    api::{DeleteParams, EvictParams, LogParams, PostParams},
};
use mozart::{
    api::credential::CredentialType,
    driver::ports::Launcher as _,
    engine::world::AttemptState,
    job::{
        outcome::{FailureClass, Outcome},
        start::EndMode,
    },
    launch::pod::{Credential, names},
};
use serde_json::{Value, json};

use super::{PodLauncher, Run, ended, eventually, first, start, there, until};
use crate::support::Namespace;

/// As an image of a user's own: Mozart is not in it.
pub const IMAGE: &str = "localhost/batch:test";

fn pod(more: &Value) -> Value {
    let mut pod = json!({"image": IMAGE, "terminationGracePeriodSeconds": 20});
    pod.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    pod
}

async fn shell(namespace: &Namespace, script: &str, more: &Value) -> Run {
    let mut spec = json!({"pod": pod(&json!({}))});
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Run::new(namespace, &["bash", "-c", script], &spec).await
}

fn reason(outcome: &Outcome) -> (FailureClass, &str) {
    let failure = outcome.failure.as_ref().unwrap_or_else(|| panic!("{outcome:?}"));
    (failure.class, &failure.reason)
}

/// What the container of an attempt has said.
async fn log(run: &Run, batch: u32) -> String {
    let parameters = LogParams { container: Some("attempt".to_owned()), ..LogParams::default() };
    run.api.logs(&run.name(batch), &parameters).await.unwrap_or_default()
}

async fn says(run: &Run, batch: u32, word: &str) {
    eventually(word, || async { log(run, batch).await.contains(word) }).await;
}

#[tokio::test]
async fn an_attempt_runs_in_a_restricted_namespace_its_result_is_read_and_its_pod_goes() {
    let namespace = Namespace::restricted().await;
    let validations = json!([
        {"type": "content_contains", "path": "{workspace}/out.txt", "pattern": "batch 1"},
        {"type": "command_succeeds", "command": "test $(id -u) = 65532"},
    ]);
    let script = "cat > /workspace/out.txt; echo done; echo odd >&2; touch /tmp/a ~/b; ! touch /c";
    let run = shell(&namespace, script, &json!({"validations": validations})).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    let outcome = ended(&launcher, 1).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    assert!(outcome.started <= outcome.ended);
    let said = log(&run, 1).await;
    assert!(said.lines().any(|line| line.starts_with("o 20") && line.ends_with(" done")), "{said}");
    assert!(said.lines().any(|line| line.starts_with("e 20") && line.ends_with(" odd")), "{said}");
    launcher.release(first(1)).await;
    eventually("the Pod is swept", || async { run.api.get_opt(&run.name(1)).await.unwrap().is_none() }).await;
    namespace.delete().await;
}

#[tokio::test]
async fn an_image_that_has_mozart_in_it_needs_nothing_brought() {
    let namespace = Namespace::restricted().await;
    let run = Run::new(&namespace, &["/usr/local/bin/mozart", "--version"], &json!({})).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    let outcome = ended(&launcher, 1).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    assert_eq!(there(&run, 1).await.spec.unwrap().init_containers, None);
    launcher.release(first(1)).await;
    namespace.delete().await;
}

/// A running attempt that says `ready` and then waits.
async fn waiting(namespace: &Namespace) -> (Run, PodLauncher) {
    let run = shell(namespace, "setsid sleep 600 & echo ready; wait", &json!({})).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    there(&run, 1).await;
    says(&run, 1, "ready").await;
    (run, launcher)
}

#[tokio::test]
async fn sigterm_ends_the_tree_in_time_and_the_attempt_says_so() {
    let namespace = Namespace::restricted().await;
    let (run, launcher) = waiting(&namespace).await;
    launcher.end(first(1), EndMode::Resumable).await;
    let outcome = ended(&launcher, 1).await;
    // Its own end, not the kubelet's SIGKILL: it left a message.
    assert_eq!(reason(&outcome), (FailureClass::Disruption, "PodDeleted"));
    assert!(!outcome.usage.partial, "{outcome:?}");
    launcher.release(first(1)).await;
    eventually("the Pod is gone", || async { run.api.get_opt(&run.name(1)).await.unwrap().is_none() }).await;
    namespace.delete().await;
}

#[tokio::test]
async fn somebody_who_deletes_the_pod_interrupts_the_attempt() {
    let namespace = Namespace::restricted().await;
    let (run, launcher) = waiting(&namespace).await;
    run.api.delete(&run.name(1), &DeleteParams::default()).await.unwrap();
    assert_eq!(reason(&ended(&launcher, 1).await), (FailureClass::Disruption, "PodDeleted"));
    assert_eq!(run.api.get(&run.name(1)).await.unwrap().finalizers(), [names::FINALIZER]);
    launcher.release(first(1)).await;
    namespace.delete().await;
}

#[tokio::test]
async fn an_evicted_pod_is_told_apart_from_a_deleted_one() {
    let namespace = Namespace::restricted().await;
    let (run, launcher) = waiting(&namespace).await;
    run.api.evict(&run.name(1), &EvictParams::default()).await.unwrap();
    assert_eq!(reason(&ended(&launcher, 1).await), (FailureClass::Disruption, "Evicted"));
    launcher.release(first(1)).await;
    namespace.delete().await;
}

#[tokio::test]
async fn a_program_that_needs_too_much_memory_is_told_so() {
    let namespace = Namespace::restricted().await;
    let limits = pod(&json!({"resources": {"limits": {"memory": "96Mi"}}}));
    let run = shell(&namespace, "head -c 400m /dev/zero | tail", &json!({"pod": limits})).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    assert_eq!(reason(&ended(&launcher, 1).await), (FailureClass::Transient, "OutOfMemory"));
    launcher.release(first(1)).await;
    namespace.delete().await;
}

#[tokio::test]
async fn an_image_that_cannot_be_pulled_is_waited_for_and_one_that_has_no_name_is_not() {
    let namespace = Namespace::restricted().await;
    let image = |name: &str| json!({"pod": {"image": name}});
    let run = Run::new(&namespace, &["true"], &image("localhost:1/nothing:1")).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    until(&launcher, 1, |state| {
        assert!(matches!(state, Some(AttemptState::Running { .. })), "{state:?}");
        launcher.held().iter().any(|held| held.why.reason == "ImageNotPulled").then_some(())
    })
    .await;
    let mut place = run.place.clone();
    place.pod = serde_json::from_value(json!({"image": "No Such Name"})).unwrap();
    let launcher = run.launcher_of(place);
    launcher.launch(start(2)).await;
    assert_eq!(reason(&ended(&launcher, 2).await), (FailureClass::JobFatal, "InvalidImageName"));
    for batch in [1, 2] {
        launcher.end(first(batch), EndMode::AtOnce).await;
        ended(&launcher, batch).await;
        launcher.release(first(batch)).await;
    }
    namespace.delete().await;
}

#[tokio::test]
async fn a_program_that_is_not_there_ends_the_job_and_not_the_night() {
    let namespace = Namespace::restricted().await;
    let run = Run::new(&namespace, &["no-such-program"], &json!({"pod": {"image": IMAGE}})).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    assert_eq!(reason(&ended(&launcher, 1).await).0, FailureClass::JobFatal);
    launcher.release(first(1)).await;
    namespace.delete().await;
}

#[tokio::test]
async fn a_secret_that_comes_later_is_waited_for_reaches_the_program_and_is_shown_nowhere() {
    let namespace = Namespace::restricted().await;
    let mut run =
        shell(&namespace, "env; echo $ANTHROPIC_API_KEY | tee /workspace/key >&2; exit 3", &json!({})).await;
    run.place.credential = Some(Credential {
        name: "default".to_owned(),
        kind: CredentialType::ApiKey,
        secret: serde_json::from_value(json!({"name": "anthropic", "key": "api-key"})).unwrap(),
        base_url: None,
    });
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    until(&launcher, 1, |_| {
        launcher.held().iter().any(|held| held.why.reason == "ReferenceMissing").then_some(())
    })
    .await;
    let secrets: Api<Secret> = Api::namespaced(namespace.client.clone(), &namespace.name);
    let secret = json!({"metadata": {"name": "anthropic"}, "stringData": {"api-key": "sk-canary-456"}});
    secrets.create(&PostParams::default(), &serde_json::from_value(secret).unwrap()).await.unwrap();
    assert!(!ended(&launcher, 1).await.succeeded());
    let said = log(&run, 1).await;
    assert!(said.contains("ANTHROPIC_API_KEY=***"), "{said}");
    let pod = serde_json::to_string(&there(&run, 1).await).unwrap();
    assert!(!said.contains("sk-canary-456") && !pod.contains("sk-canary-456"));
    launcher.release(first(1)).await;
    namespace.delete().await;
}

/// One gigabyte in one line, bytes that are no text, and then many lines, in a Pod that may use 128 MiB.
#[tokio::test]
async fn r27_a_pod_that_says_a_gigabyte_is_cut_marked_and_needs_little_memory_for_it() {
    let namespace = Namespace::restricted().await;
    let limits = pod(&json!({"resources": {"limits": {"memory": "128Mi"}}}));
    let script = "echo ready; head -c 1000000000 /dev/zero | tr '\\0' x; printf '\\n\\0nul \\377\\376 bad\\n'; \
                  yes a line | head -n 2000000; echo last";
    let run = shell(&namespace, script, &json!({"pod": limits})).await;
    let launcher = run.launcher();
    launcher.launch(start(1)).await;
    let outcome = ended(&launcher, 1).await;
    assert!(outcome.succeeded(), "{outcome:?}");
    let said = log(&run, 1).await;
    assert!(said.len() <= (8 << 20) + 200, "{} bytes were said", said.len());
    let texts: Vec<&str> = said.lines().filter_map(|line| line.splitn(3, ' ').nth(2)).collect();
    assert!(
        texts[1].ends_with("[mozart: 999737856 bytes of this line were left out]"),
        "{}",
        &texts[1][262_000..]
    );
    assert_eq!(texts[2], "\0nul \u{fffd}\u{fffd} bad");
    assert_eq!(texts.iter().filter(|text| text.ends_with("bytes were left out here]")).count(), 1);
    assert_eq!(texts.last(), Some(&"last"));
    launcher.release(first(1)).await;
    namespace.delete().await;
}
