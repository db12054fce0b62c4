//! The door on a port of its own, with an API server that knows three people; asked as the command line asks.

mod pages;
mod without_volume;

use std::{
    collections::BTreeSet,
    convert::Infallible,
    fs,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::body::Body as Told;
use http::{Request, Response, StatusCode};
use kube::client::Body;
use reqwest::Url;
use secrecy::ExposeSecret as _;
use serde_json::{Value, json};
use tower::service_fn;
use uuid::Uuid;

use super::*;
use crate::{
    cluster::{
        archive::{ArchivedJob, LOG_BYTES},
        reach::{self, Unreached, Way},
        testing::{ApiServer, Asked},
    },
    engine::{
        event::{Event, EventKind},
        ledger::Ledger,
    },
    job::{
        answer::AnswerFacts,
        identity::{AttemptKey, BatchNum},
        outcome::FailureClass,
    },
    store::{
        NewAnswer,
        record::{BatchRecord, BatchState},
        tests::{after_success, event, ledger, outcome, success},
    },
};

const JOB: Uuid = Uuid::from_u128(7);

/// An API server that knows the tokens of `anna`, who may read the job night of team, of `boris`, who may nothing, and of
/// `carl`, who may read and edit in team. Counts what it is asked.
#[derive(Clone, Default)]
struct Api {
    asked: Arc<AtomicUsize>,
    server: ApiServer,
    /// Tokens that are known no longer.
    expired: Arc<std::sync::Mutex<BTreeSet<String>>>,
}

impl Api {
    /// The way there of somebody.
    fn client(&self, whose: &str) -> Client {
        let (api, whose) = (self.clone(), whose.to_owned());
        let answer = move |request: Request<Body>| {
            let (api, whose) = (api.clone(), whose.clone());
            async move {
                api.asked.fetch_add(1, Ordering::SeqCst);
                let asked = Asked::read(request).await;
                Ok::<_, Infallible>(api.answer(&whose, &asked))
            }
        };
        Client::new(service_fn(answer), "mozart")
    }

    fn answer(&self, whose: &str, asked: &Asked) -> Response<Told> {
        let status = if asked.path.ends_with("/tokenreviews") {
            self.known(&serde_json::from_slice(&asked.body).unwrap())
        } else if asked.path.ends_with("/subjectaccessreviews") {
            let review: Value = serde_json::from_slice(&asked.body).unwrap();
            let what = &review["spec"]["resourceAttributes"];
            let may = may(&review["spec"]["user"], what);
            json!({"allowed": may})
        } else {
            return self.server.answer(whose, asked);
        };
        let mut review: Value = serde_json::from_slice(&asked.body).unwrap();
        review["status"] = status;
        Response::builder().status(201).body(Told::from(serde_json::to_vec(&review).unwrap())).unwrap()
    }

    fn known(&self, review: &Value) -> Value {
        assert!(review["spec"]["audiences"].is_null(), "that of the API server: {review}");
        let token = review["spec"]["token"].as_str().unwrap();
        let expired = self.expired.lock().unwrap().contains(token);
        match token {
            "anna" | "boris" | "carl" if !expired => json!({"authenticated": true, "user": {
                "username": token, "groups": ["system:authenticated"]}}),
            _ => json!({"authenticated": false, "error": "token is not known"}),
        }
    }
}

fn may(user: &Value, what: &Value) -> bool {
    let (verb, namespace) = (what["verb"].as_str().unwrap(), what["namespace"].as_str());
    match user.as_str().unwrap() {
        "anna" => {
            let of = (what["group"].as_str(), what["resource"].as_str());
            (verb, namespace, what["name"].as_str()) == ("get", Some("team"), Some("night"))
                && of == (Some("mozart.dev"), Some("mozartjobs"))
        }
        "carl" => namespace == Some("team"),
        _ => false,
    }
}

pub(super) struct House {
    _folder: tempfile::TempDir,
    archive: Archive,
    has_volume: bool,
    url: Url,
    api: Api,
}

impl House {
    pub(super) async fn open() -> Self {
        Self::open_to(Auth::Token).await
    }

    async fn open_to(auth: Auth) -> Self {
        Self::build(auth, true).await
    }

    async fn build(auth: Auth, has_volume: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let archive = Archive::open(folder.path().to_owned(), LOG_BYTES).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let api = Api::default();
        let house = Self { _folder: folder, archive, has_volume, url, api };
        tokio::spawn(serve(listener, house.settings(auth)));
        house
    }

    pub(super) fn settings(&self, auth: Auth) -> Settings {
        let users = self.api.clone();
        Settings {
            archive: self.has_volume.then(|| self.archive.clone()),
            client: self.api.client("operator"),
            users: Arc::new(move |token| Ok(users.client(token.expose_secret()))),
            scope: Scope::Cluster,
            auth,
            hosts: Hosts(vec!["mozart.example".to_owned()]),
        }
    }

    /// A run of the job night whose batches succeeded but for the second, with answers.
    async fn with_run(self, batches: u32) -> Self {
        let job = ArchivedJob { uid: JOB, namespace: "team".to_owned(), name: "night".to_owned() };
        let mut ledger: Ledger = ledger(JOB, 1);
        self.archive.record(&job, &ledger, &[event(EventKind::RunStarted)]);
        for batch in (1..=batches).filter(|batch| *batch != 2) {
            ledger = after_success(&ledger, batch);
            self.archive.record(&job, &ledger, &success(batch));
            let key = AttemptKey::first(BatchNum(batch));
            let answer = format!("answer {batch}\n");
            let kept = NewAnswer {
                run: ledger.run.clone(),
                key,
                stays: false,
                answer,
                facts: AnswerFacts::default(),
            };
            self.archive.keep(kept).await.unwrap();
        }
        ledger.seq += 1;
        self.archive.record(&job, &ledger, &failure(2));
        let home = self.archive.home().clone();
        let key = AttemptKey::first(BatchNum(2));
        let files = home.attempt(&ledger.run, key);
        fs::create_dir_all(files.folder()).unwrap();
        fs::write(files.stdout(), "it said\n").unwrap();
        let written = async {
            while Reader::open(&home)
                .await
                .unwrap()
                .batches(&ledger.run, None, BatchNum(0), 9999)
                .await
                .unwrap()
                .len()
                < batches as usize
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), written).await.unwrap();
        self
    }

    async fn ask(&self, token: Option<&str>, path: &str) -> (StatusCode, String) {
        let mut request = reqwest_client().get(self.url.join(path).unwrap());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.unwrap();
        (response.status(), response.text().await.unwrap())
    }

    async fn door(&self, token: &str) -> Result<reach::Door, Unreached> {
        let way = Way { server: Some(self.url.clone()), account: None };
        let mut config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
        config.auth_info.token = Some(token.to_owned().into());
        reach::Door::find(&way, &config, &self.api.client("cli"), "team", "night").await
    }
}

fn reqwest_client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

fn failure(batch: u32) -> Vec<Event> {
    let (class, key) = (FailureClass::BatchFatal, AttemptKey::first(BatchNum(batch)));
    let (reason, message) = ("Refused".to_owned(), "it would not".to_owned());
    vec![
        event(EventKind::AttemptEnded { key, outcome: Box::new(outcome(Some(class))), lane_free: None }),
        event(EventKind::BatchFailed { batch: key.batch, class, reason, message }),
    ]
}

const PAGES: [&str; 3] = ["outputs.jsonl", "logs", "history"];

/// S-03.
#[tokio::test]
async fn who_shows_no_token_or_a_strange_one_gets_in_nowhere_and_who_may_not_read_the_job_is_told() {
    let house = House::open().await.with_run(3).await;
    for page in PAGES {
        let path = format!("/api/v1/namespaces/team/jobs/night/{page}");
        for token in [None, Some("nothing"), Some("")] {
            let (code, words) = house.ask(token, &path).await;
            assert_eq!(code, StatusCode::UNAUTHORIZED, "{page} with {token:?}: {words}");
        }
        let (code, words) = house.ask(Some("boris"), &path).await;
        assert_eq!(code, StatusCode::FORBIDDEN, "{page}: {words}");
        assert!(words.contains("boris may not get the MozartJob night of the namespace team"), "{words}");
        // The right on one job is none on another, nor on one of the name elsewhere.
        for other in ["team/jobs/day", "other/jobs/night"] {
            let path = format!("/api/v1/namespaces/{other}/{page}");
            assert_eq!(house.ask(Some("anna"), &path).await.0, StatusCode::FORBIDDEN, "{path}");
        }
        let (code, words) = house.ask(Some("anna"), &path).await;
        assert_eq!(code, StatusCode::OK, "{page}: {words}");
    }
}

#[tokio::test]
async fn who_was_let_in_is_believed_for_a_minute() {
    let house = House::open().await.with_run(3).await;
    for _ in 0..20 {
        for page in PAGES {
            let path = format!("/api/v1/namespaces/team/jobs/night/{page}");
            assert_eq!(house.ask(Some("anna"), &path).await.0, StatusCode::OK);
        }
    }
    assert_eq!(house.api.asked.load(Ordering::SeqCst), 2, "a token review and an access review");
}

#[tokio::test]
async fn answers_come_in_order_from_where_one_goes_on_and_of_the_batches_that_are_asked_for() {
    let house = House::open().await.with_run(1_200).await;
    let door = house.door("anna").await.unwrap();
    let ask = async |query: Vec<(&'static str, String)>| {
        let mut lines = door.lines::<OutputLine>("team", "night", "outputs.jsonl", query).await.unwrap();
        let mut found = Vec::new();
        while let Some(line) = lines.next().await.unwrap() {
            assert_eq!((line.run.as_str(), line.attempt), ("night/1", 1));
            assert_eq!(line.answer, format!("answer {}\n", line.batch));
            found.push(line.batch.0);
        }
        found
    };
    let all: Vec<u32> = (1..=1_200).filter(|batch| *batch != 2).collect();
    assert_eq!(ask(Vec::new()).await, all);
    assert_eq!(ask(vec![("after", "1198".to_owned())]).await, [1199, 1200]);
    assert_eq!(ask(vec![("batch", "1,3-4,900".to_owned()), ("run", "1".to_owned())]).await, [1, 3, 4, 900]);
}

#[tokio::test]
async fn history_has_runs_and_batches_and_logs_say_what_is_kept() {
    let house = House::open().await.with_run(3).await;
    let door = house.door("anna").await.unwrap();
    let mut runs = door.lines::<RunLine>("team", "night", "history", Vec::new()).await.unwrap();
    let run = runs.next().await.unwrap().unwrap();
    assert_eq!((run.run.id.as_str(), run.missed_saves, runs.trouble()), ("night/1", 0, None));
    assert_eq!(runs.next().await.unwrap(), None);

    let query = vec![("run", "1".to_owned()), ("state", "failed".to_owned())];
    let mut batches = door.lines::<BatchRecord>("team", "night", "history", query).await.unwrap();
    let failed = batches.next().await.unwrap().unwrap();
    assert_eq!((failed.batch, failed.state), (BatchNum(2), BatchState::Failed));
    assert_eq!(batches.next().await.unwrap(), None);

    let query = vec![("failed", "true".to_owned())];
    let mut logs = door.lines::<LogLine>("team", "night", "logs", query).await.unwrap();
    let line = logs.next().await.unwrap().unwrap();
    assert_eq!((line.stdout.as_deref(), line.stderr), (Some("it said\n"), None));
    assert_eq!(logs.next().await.unwrap(), None);
    let mut logs =
        door.lines::<LogLine>("team", "night", "logs", vec![("after", "2.1".to_owned())]).await.unwrap();
    let last = logs.next().await.unwrap().unwrap();
    assert_eq!(
        (last.attempt.batch, last.stdout),
        (BatchNum(3), None),
        "it was never copied, and that is told"
    );
    assert_eq!(logs.next().await.unwrap(), None);
}

#[tokio::test]
async fn a_question_about_what_is_not_there_or_not_understood_is_answered_in_words() {
    let house = House::open().await.with_run(3).await;
    for (path, code, words) in [
        ("outputs.jsonl?run=9", StatusCode::NOT_FOUND, "no run 9 of night"),
        ("outputs.jsonl?batch=x", StatusCode::BAD_REQUEST, "write numbers and ranges, such as 3,7-9"),
        ("logs?after=x", StatusCode::BAD_REQUEST, "such as 12.1"),
        ("logs?no=1", StatusCode::BAD_REQUEST, "no"),
        ("elsewhere", StatusCode::NOT_FOUND, "No page has this address"),
    ] {
        let path = format!("/api/v1/namespaces/team/jobs/night/{path}");
        let (got, said) = house.ask(Some("anna"), &path).await;
        assert_eq!(got, code, "{path}: {said}");
        assert!(said.contains(words), "{path}: {said}");
    }
    let house = House::open().await;
    let (code, words) = house.ask(Some("anna"), "/api/v1/namespaces/team/jobs/night/history").await;
    assert_eq!(code, StatusCode::NOT_FOUND);
    assert!(words.contains("no job night in this namespace"), "{words}");
}

#[tokio::test]
async fn a_kubeconfig_without_a_token_is_told_so_before_anything_is_asked() {
    let house = House::open().await;
    let way = Way { server: Some(house.url.clone()), account: None };
    let config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let refused =
        reach::Door::find(&way, &config, &house.api.client("cli"), "team", "night").await.unwrap_err();
    assert!(matches!(refused, Unreached::NoToken), "{refused}");
    assert!(refused.advice().contains("--account"));
}
