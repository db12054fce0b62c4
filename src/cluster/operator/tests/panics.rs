//! S-06: a panic shows no secret, though what panics holds one.

use std::{
    fmt::Write as _,
    panic,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::json;

use crate::{
    backend::Way,
    cluster::testing::fake_api::{FakeApi, MODEL, Reply},
    driver::ports::{Launcher as _, Outputs, StoreError},
    engine::world::AttemptState,
    job::{
        answer::AnswerFacts,
        identity::{AttemptKey, BatchNum, RunId},
        load::{Overrides, load_text},
        start::Start,
    },
    launch::task::{TaskLauncher, TaskPlace},
    sources::LocalSources,
};

const KEY: &str = "sk-canary-5d81c0";

/// Panics over everything that the task of an attempt holds.
#[derive(Debug)]
struct Panics(Way);

impl Outputs for Panics {
    async fn put(&self, _: &RunId, _: AttemptKey, _: &str, _: &AnswerFacts) -> Result<(), StoreError> {
        panic!("a task of {:?} panics", self.0);
    }
}

/// What every panic of this process says from now on, by the hook that tells of it.
fn panics() -> Arc<Mutex<String>> {
    let said = Arc::<Mutex<String>>::default();
    let (heard, before) = (Arc::clone(&said), panic::take_hook());
    panic::set_hook(Box::new(move |info| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = writeln!(heard, "{info}\n{info:?}");
        before(info);
    }));
    said
}

#[tokio::test]
async fn s06_a_task_that_panics_with_a_credential_in_hand_shows_nothing_of_it() {
    let said = panics();
    let api = FakeApi::start(|_| Reply::text("an answer")).await;
    let manifest = json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob", "metadata": {"name": "night"},
        "spec": {"backend": {"type": "anthropic_api", "model": MODEL, "baseUrl": api.url()},
            "batch": {"size": 1, "totalItems": 1}, "prompt": {"template": "batch {{ batch_num }}"}},
    });
    let text = manifest.to_string();
    let job =
        load_text(&text, Path::new("/job"), &Overrides::default(), &LocalSources::new("/")).unwrap().job;
    // Fails only when another test has installed one before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::builder().build().unwrap();
    let way = Way::Given { key: KEY.into(), from: "the MozartCredential default".to_owned(), client };
    let run = RunId { job: uuid::Uuid::from_u128(7), run: 1 };
    let place = TaskPlace { job: Arc::new(job), run, way: way.clone(), outputs: Panics(way) };
    assert!(!format!("{place:?}").contains(KEY));
    let launcher = TaskLauncher::new(place);
    let key = AttemptKey::first(BatchNum(1));
    launcher.launch(Start { key, attempt: 1, previous: None, canary: false, budget_micro_usd: None }).await;
    let outcome = loop {
        let seen = launcher.look().await;
        if let Some(AttemptState::Ended(outcome)) = seen.into_iter().next().map(|one| one.state) {
            break outcome;
        }
        launcher.changed().await;
    };
    assert_eq!(api.requests()[0].header("x-api-key"), KEY);
    assert_eq!(outcome.failure.as_ref().unwrap().reason, "InternalError");
    let said = said.lock().unwrap().clone();
    assert!(said.contains("the MozartCredential default"), "the panic was not heard: {said}");
    assert!(!said.contains(KEY) && !format!("{outcome:?}").contains(KEY), "{said}");
}
