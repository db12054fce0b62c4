//! The dashboard behind the door: who sees what, on every address that its router knows.

use reqwest::{
    Method, RequestBuilder,
    header::{AUTHORIZATION, CONTENT_SECURITY_POLICY, COOKIE, HOST, LOCATION, ORIGIN, SET_COOKIE},
    redirect::Policy,
};

use super::*;
use crate::{
    cluster::view::ClusterView,
    dashboard::{Access, RouteInfo, route_list},
};

pub(super) const NIGHT: &str = "/apis/mozart.dev/v1alpha1/namespaces/team/mozartjobs/night";
const DAY: &str = "/apis/mozart.dev/v1alpha1/namespaces/other/mozartjobs/day";

/// A job whose run is so far.
pub(super) fn object(namespace: &str, name: &str, uid: Uuid, ledger: &Ledger) -> Value {
    let mut checkpoint = serde_json::to_value(ledger).unwrap();
    checkpoint["writer"] = json!("mozart/mozart");
    json!({
        "apiVersion": "mozart.dev/v1alpha1", "kind": "MozartJob",
        "metadata": {"name": name, "namespace": namespace, "uid": uid.to_string(), "generation": 1,
            "creationTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"backend": {"type": "claude_cli", "credential": "max"}, "batch": {"size": 1, "totalItems": 10_000},
            "prompt": {"template": "do it"}, "workspace": {"emptyDir": {}}},
        "status": {"phase": "Running", "activeRun": 1, "progress": "1/10000", "waiting": "the pause between batches",
            "checkpoint": checkpoint},
    })
}

impl House {
    /// With the jobs night of team, which runs, and day of other.
    pub(super) fn with_jobs(self) -> Self {
        let night = after_success(&ledger(JOB, 1), 1);
        let day = Uuid::from_u128(8);
        self.api.server.put(NIGHT, object("team", "night", JOB, &night));
        self.api.server.put(DAY, object("other", "day", day, &ledger(day, 1)));
        self
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        client.request(method, self.url.join(path).unwrap())
    }

    pub(super) fn get(&self, who: &str, path: &str) -> RequestBuilder {
        self.request(Method::GET, path).bearer_auth(who)
    }

    pub(super) async fn json(&self, who: &str, path: &str) -> Value {
        let response = self.get(who, path).send().await.unwrap();
        let code = response.status();
        let text = response.text().await.unwrap();
        assert_eq!(code, 200, "{path}: {text}");
        serde_json::from_str(&text).unwrap()
    }

    fn origin(&self) -> String {
        self.url.as_str().trim_end_matches('/').to_owned()
    }

    /// Signs in, and returns the cookie.
    async fn sign_in(&self, token: &str, to: &str) -> (String, String) {
        let form = format!("token={token}&to={to}");
        let request = self.request(Method::POST, "/sign-in").header(ORIGIN, self.origin()).body(form);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 303);
        let text = |name| response.headers()[name].to_str().unwrap().to_owned();
        let cookie: String = text(SET_COOKIE);
        assert!(cookie.contains("HttpOnly; SameSite=Strict") && !cookie.contains(token), "{cookie}");
        (cookie.split(';').next().unwrap().to_owned(), text(LOCATION))
    }
}

/// Every route about a job of that key, as a page and as JSON; those that change carry it in their form.
fn addresses(key: &str) -> Vec<(RouteInfo, Method, String)> {
    let mut all = Vec::new();
    for route in route_list::<ClusterView>() {
        let mut path = String::new();
        for part in route.path.split('/').skip(1) {
            path.push('/');
            path.push_str(match part {
                "{job}" => key,
                "{action}" => "suspend",
                "{text}" => "stdout",
                part if part.starts_with('{') => "1",
                part => part,
            });
        }
        if route.path.starts_with("/confirm") {
            path = format!("{path}?job={key}");
        }
        all.push((route, route.method.parse().unwrap(), path));
    }
    all
}

fn is_about_a_job(route: &RouteInfo) -> bool {
    route.path.contains("{job}") || route.path.contains("{action}")
}

/// S-03, issue 8, shown by 3.
#[tokio::test]
async fn every_page_refuses_a_strange_token_and_one_that_is_for_another_namespace() {
    let house = House::open().await.with_run(3).await.with_jobs();
    house.api.expired.lock().unwrap().insert("anna".to_owned());
    let addresses = addresses("other~day");
    assert!(addresses.len() > 8, "the list is the router's: {addresses:?}");
    for (route, method, path) in addresses {
        let ask = || {
            let request = house.request(method.clone(), &path);
            let (media, body) = if path.starts_with("/api/") {
                ("application/json", r#"{"jobs": ["other~day"]}"#)
            } else {
                ("application/x-www-form-urlencoded", "job=other~day")
            };
            let request = request.header("content-type", media);
            if route.access == Access::Change { request.body(body) } else { request }
        };
        let plain = ask().send().await.unwrap();
        assert_eq!(plain.status(), 401, "{route:?} without a token");
        for credential in ["Bearer nothing", "Bearer anna", "Bearer ", "Basic bm90aGluZzo=", "nothing"] {
            let wrong = ask().header(AUTHORIZATION, credential).send().await.unwrap();
            assert_eq!(wrong.status(), 401, "{route:?} with {credential}");
        }
        let wrong = ask().header(COOKIE, "mozart-1=x; mozart=y").send().await.unwrap();
        assert_eq!(wrong.status(), 401, "{route:?} with a wrong cookie");
        if is_about_a_job(&route) {
            for other in ["boris", "carl"] {
                let refused = ask().bearer_auth(other).send().await.unwrap();
                assert_eq!(refused.status(), 403, "{route:?} as {other}");
            }
        }
    }
}

#[tokio::test]
async fn every_page_refuses_a_foreign_host_and_a_foreign_origin() {
    let house = House::open().await.with_jobs();
    let mut paths: Vec<(Method, String)> =
        addresses("team~night").into_iter().map(|(_, method, path)| (method, path)).collect();
    paths.push((Method::POST, "/sign-in".to_owned()));
    paths.push((Method::POST, "/sign-out".to_owned()));
    paths.push((Method::GET, "/api/v1/namespaces/team/jobs/night/history".to_owned()));
    for (method, path) in paths {
        let ask = || house.request(method.clone(), &path).bearer_auth("carl");
        for host in ["evil.example", "evil.example:8000", "127.0.0.1.evil.example"] {
            let refused = ask().header(HOST, host).send().await.unwrap();
            assert_eq!(refused.status(), 403, "{path} for the host {host}");
        }
        for origin in ["http://evil.example", "null", "https://127.0.0.1"] {
            let refused = ask().header(ORIGIN, origin).send().await.unwrap();
            assert_eq!(refused.status(), 403, "{path} from {origin}");
        }
    }
    let named = house.get("carl", "/").header(HOST, "mozart.example").send().await.unwrap();
    assert_eq!(named.status(), 200);
}

#[tokio::test]
async fn a_visitor_sees_the_jobs_of_the_namespaces_that_he_may_list_and_their_runs() {
    let house = House::open().await.with_run(3).await.with_jobs();
    let home = house.json("carl", "/index.json").await;
    let keys: Vec<&str> =
        home["jobs"].as_array().unwrap().iter().map(|job| job["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["team~night"]);
    assert_eq!(home["jobs"][0]["last"]["standing"], "running");
    assert_eq!(house.json("boris", "/index.json").await["total"], 0);
    let page = house.get("carl", "/").send().await.unwrap();
    assert!(page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
    let page = page.text().await.unwrap();
    assert!(page.contains("every namespace") && page.contains(">carl</span>"), "{page}");

    // The checkpoint, which is fresher than history; batches and texts from the volume.
    let run = house.json("anna", "/jobs/team~night/runs/1.json").await;
    assert_eq!(
        (&run["run"]["succeeded"], &run["run"]["drivenBy"]["name"]),
        (&json!(1), &json!("operator mozart/mozart"))
    );
    assert_eq!(run["run"]["waitingWords"], "the pause between batches");
    assert_eq!(run["batches"].as_array().unwrap().len(), 3);
    let batch = house.json("anna", "/jobs/team~night/runs/1/batches/2.json").await;
    assert!(batch.to_string().contains("it said"), "{batch}");
    let refused = &run["offers"][0]["refused"];
    assert!(refused.as_str().unwrap().contains("anna may not patch the MozartJob night"), "{refused}");
    let offered = house.json("carl", "/jobs/team~night.json").await;
    assert!(offered["offers"][0]["refused"].is_null(), "{offered}");
    assert!(offered["spec"]["written"].as_str().unwrap().contains("template: do it"), "{offered}");

    let history = house.json("carl", "/history.json").await;
    assert_eq!(history["runs"][0]["jobKey"], "team~night");
    assert_eq!(house.json("boris", "/history.json").await["runs"], json!([]));
}

#[tokio::test]
async fn a_job_that_was_deleted_is_shown_from_history_and_one_made_anew_has_the_address() {
    let house = House::open().await.with_run(3).await.with_jobs();
    house.json("carl", "/index.json").await;
    house.api.server.vanish(NIGHT);
    let gone = async {
        while house.json("carl", "/index.json").await["total"] != 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), gone).await.unwrap();
    let job = house.json("carl", "/jobs/team~night.json").await;
    assert_eq!(job["runs"].as_array().unwrap().len(), 1);
    assert_eq!(job["offers"][0]["refused"], "The job was deleted.");
    house.json("carl", "/jobs/team~night/runs/1/batches/2.json").await;

    let anew = Uuid::from_u128(9 << 96);
    house.api.server.put(NIGHT, object("team", "night", anew, &ledger(anew, 1)));
    let there = async {
        while house.json("carl", "/index.json").await["total"] != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), there).await.unwrap();
    assert_eq!(house.json("carl", "/jobs/team~night.json").await["job"]["uid"], json!(anew));
    let earlier = house.json("carl", "/history.json").await["runs"][0]["jobKey"].clone();
    assert_eq!(earlier, "team~night~00000000");
    let page = format!("/jobs/{}/runs/1.json", earlier.as_str().unwrap());
    assert_eq!(house.json("carl", &page).await["job"]["uid"], json!(JOB));
}

#[tokio::test]
async fn a_run_is_followed_live_until_its_listener_is_known_no_longer() {
    let house = House::open().await.with_jobs();
    let mut events = house.get("carl", "/api/v1/jobs/team~night/runs/1/events").send().await.unwrap();
    assert_eq!(events.status(), 200);
    let mut said = String::new();
    let mut until = async |wanted: &str| {
        let heard = async {
            while !said.contains(wanted) {
                said.push_str(&String::from_utf8_lossy(&events.chunk().await.unwrap().expect("it goes on")));
            }
        };
        tokio::time::timeout(Duration::from_secs(30), heard)
            .await
            .unwrap_or_else(|_| panic!("no {wanted}: {said}"));
        said.clear();
    };
    until("\"succeeded\":1").await;
    house.api.server.edit(NIGHT, |job| {
        let next = after_success(&after_success(&ledger(JOB, 1), 1), 2);
        job["status"]["checkpoint"] = serde_json::to_value(next).unwrap();
    });
    until("\"succeeded\":2").await;
}

#[tokio::test]
async fn a_token_becomes_a_cookie_that_is_given_up_again() {
    let house = House::open().await.with_jobs();
    let page = house.request(Method::GET, "/jobs/team~night").send().await.unwrap();
    assert_eq!(page.status(), 401);
    let page = page.text().await.unwrap();
    assert!(page.contains("action=\"/sign-in\"") && page.contains("value=\"/jobs/team~night\""), "{page}");
    let (cookie, to) = house.sign_in("carl", "%2Fjobs%2Fteam~night").await;
    assert_eq!(to, "/jobs/team~night");
    let page = house.request(Method::GET, &to).header(COOKIE, &cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.text().await.unwrap().contains("Sign out"));

    // A browser sends the cookie by itself, a page of somebody else must not be able to use it.
    let form = |path| {
        let form = house.request(Method::POST, path).header(COOKIE, &cookie).body("job=team~night");
        form.header("content-type", "application/x-www-form-urlencoded")
    };
    assert_eq!(form("/actions/suspend").send().await.unwrap().status(), 403);
    let wrong = house.request(Method::POST, "/sign-in").header(ORIGIN, house.origin()).body("token=nothing");
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let foreign = house.request(Method::POST, "/sign-in").body("token=carl");
    assert_eq!(foreign.send().await.unwrap().status(), 403, "no page of this server sent it");

    assert_eq!(form("/sign-out").header(ORIGIN, house.origin()).send().await.unwrap().status(), 303);
    let page = house.request(Method::GET, "/").header(COOKIE, &cookie).send().await.unwrap();
    assert_eq!(page.status(), 401);
}

#[tokio::test]
async fn what_a_visitor_changes_is_changed_by_his_own_token() {
    let house = House::open().await.with_jobs();
    let form = |who: &str, action: &str| {
        let form = house.request(Method::POST, &format!("/actions/{action}.json")).bearer_auth(who);
        form.header("content-type", "application/x-www-form-urlencoded").body("job=team~night")
    };
    let refused = form("anna", "suspend").send().await.unwrap();
    assert_eq!(refused.status(), 409);
    assert!(refused.text().await.unwrap().contains("anna may not patch"), "it is said why");
    assert!(house.api.server.writes().is_empty());
    let done = form("carl", "suspend").send().await.unwrap();
    let (code, said) = (done.status(), done.text().await.unwrap());
    assert_eq!(code, 200, "{said}");
    assert!(said.contains("what runs finishes, nothing new starts"), "{said}");
    let writes = house.api.server.writes();
    let by: Vec<(&str, &str)> = writes.iter().map(|write| (write.by.as_str(), write.path.as_str())).collect();
    assert_eq!(by, [("carl", NIGHT)]);
    assert_eq!(house.api.server.get(NIGHT).unwrap()["spec"]["suspend"], true);
}

#[tokio::test]
async fn a_door_that_asks_nobody_shows_everything_says_so_and_changes_nothing() {
    let house = House::open_to(Auth::None).await.with_jobs();
    let page = house.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(page.status(), 200);
    let page = page.text().await.unwrap();
    assert!(page.contains("night") && page.contains("day") && page.contains("--auth=none"), "{page}");
    for (_, method, path) in addresses("team~night") {
        if method == Method::POST {
            let form = house.request(method, &path).header(ORIGIN, house.origin()).body("job=team~night");
            let form = form.header("content-type", "application/x-www-form-urlencoded");
            assert_eq!(form.send().await.unwrap().status(), 403, "{path}");
        }
    }
    assert!(house.api.server.writes().is_empty());
    let error = house.request(Method::GET, "/jobs/team~none").send().await.unwrap();
    assert!(error.text().await.unwrap().contains("--auth=none"), "on every page");
}

/// Issue 8: live streams are looked at again within a minute.
#[tokio::test(start_paused = true)]
async fn a_stream_ends_within_a_minute_after_the_token_of_its_listener() {
    let api = Api::default();
    let visitors = Arc::new(Visitors::new(api.client("operator")));
    let cluster = Cluster::new(
        api.client("operator"),
        Scope::Cluster,
        None,
        Arc::clone(&visitors),
        Arc::new(|_| unreachable!("nobody changes anything")),
    );
    let house = Arc::new(crate::cluster::door::House {
        archive: None,
        visitors: Arc::clone(&visitors),
        sessions: Sessions::new(),
        rooms: Rooms::new(cluster),
        auth: Auth::Token,
        hosts: Hosts::default(),
    });
    let stream = async || {
        let visitor = visitors.of("carl").await.unwrap();
        let endless = Told::from_stream(futures::stream::pending::<Result<Vec<u8>, Infallible>>());
        let response = Response::builder().header("content-type", "text/event-stream").body(endless).unwrap();
        crate::cluster::door::entrance::watched(response, Arc::clone(&house), visitor).into_body()
    };
    let to_its_end = |stream| axum::body::to_bytes(stream, usize::MAX);
    let open = stream().await;
    let goes_on = tokio::time::timeout(Duration::from_hours(1), to_its_end(open)).await;
    assert!(goes_on.is_err(), "it goes on for as long as the token does");
    let open = stream().await;
    api.expired.lock().unwrap().insert("carl".to_owned());
    let ended = tokio::time::timeout(Duration::from_mins(1), to_its_end(open)).await;
    assert!(ended.expect("it ends").unwrap().is_empty());
}

/// What `kubectl mozart dashboard` serves on this machine, of the operator's dashboard.
#[tokio::test]
async fn a_window_shows_the_dashboard_by_the_token_of_the_kubeconfig_and_the_browser_sees_none() {
    let house = House::open().await.with_jobs();
    let way = Way { server: Some(house.url.clone()), account: None };
    let mut config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    config.auth_info.token = Some("carl".to_owned().into());
    let window = reach::Window::open(&way, &config, &house.api.client("cli"), "team").await.unwrap();
    let server = dashboard::Server::listen(0).await.unwrap();
    let (base, link) = (server.base(), server.link("/"));
    tokio::spawn(server.pass_on(window.routes()));
    let client = reqwest::Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();

    let stranger = client.get(format!("{base}/")).send().await.unwrap();
    assert_eq!(stranger.status(), 401, "the address that was printed opens it, and nothing else");
    assert!(stranger.headers().contains_key(CONTENT_SECURITY_POLICY));
    let turned = client.get(&link).send().await.unwrap();
    let cookie = turned.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(!cookie.contains("carl"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let ask = |path: &str| client.get(format!("{base}{path}")).header(COOKIE, cookie);
    let page = ask("/jobs/team~night").send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().starts_with("default-src 'none'"));
    assert!(page.text().await.unwrap().contains(">carl</span>"));
    let home: Value =
        serde_json::from_str(&ask("/index.json").send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(home["total"], 1);
    let refused = ask("/jobs/other~day").send().await.unwrap();
    assert_eq!(refused.status(), 403);
    assert!(refused.text().await.unwrap().contains("carl may not get the MozartJob day"));
    let mut events = ask("/api/v1/jobs/team~night/runs/1/events").send().await.unwrap();
    let first = events.chunk().await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&first).contains("\"succeeded\":1"), "{first:?}");
    let form = client.post(format!("{base}/actions/suspend")).header(COOKIE, cookie);
    let form = form.header("content-type", "application/x-www-form-urlencoded").body("job=team~night");
    let done = form.header(ORIGIN, &base).send().await.unwrap();
    assert_eq!(
        (done.status().as_u16(), done.headers()[LOCATION].to_str().unwrap()),
        (303, "/jobs/team~night/runs/1")
    );
    assert_eq!(house.api.server.writes()[0].by, "carl");
}

#[tokio::test]
async fn a_job_is_edited_by_who_may_and_runs_anew_and_what_others_wrote_meanwhile_stays() {
    let house = House::open().await.with_jobs();
    let job = house.json("carl", "/jobs/team~night.json").await;
    let edit = job["offers"].as_array().unwrap().iter().find(|offer| offer["name"] == "edit").unwrap();
    assert!(edit["refused"].as_str().unwrap().contains("keeps to its plan"), "{edit}");
    let ended = after_success(&ledger(JOB, 1), 1);
    house.api.server.edit(NIGHT, |job| {
        let mut ended = serde_json::to_value(&ended).unwrap();
        ended["phase"] = json!({"type": "Complete"});
        ended["ended"] = json!("2026-01-01T01:00:00Z");
        job["status"] = json!({"phase": "Complete", "checkpoint": ended,
            "lastRun": {"number": 1, "outcome": "Complete"}});
    });
    let over = async {
        while house.json("carl", "/jobs/team~night/runs/1.json").await["run"]["standing"] != "complete" {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), over).await.unwrap();
    let page = house.json("carl", "/jobs/team~night/edit.json").await;
    let text = page["text"].as_str().unwrap().replace("do it", "do it well");
    let form = |who: &str, text: &str| {
        let fields = [("job", "team~night"), ("text", text), ("seen", page["seen"].as_str().unwrap())];
        let form = house.request(Method::POST, "/actions/edit.json").bearer_auth(who);
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        form.header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    for (who, text, why) in [
        ("anna", text.clone(), "may not patch"),
        ("carl", text.replace("name: night", "name: day"), "metadata.name stays night"),
        ("carl", text.replace("template:", "templat:"), "templat"),
    ] {
        let refused = form(who, &text).send().await.unwrap();
        assert_eq!(refused.status(), 409);
        let said = refused.text().await.unwrap();
        assert!(said.contains(why), "{said}");
    }
    assert!(house.api.server.writes().is_empty());
    let done = form("carl", &text).send().await.unwrap();
    let (code, said) = (done.status(), done.text().await.unwrap());
    assert_eq!(code, 200, "{said}");
    let stored = house.api.server.get(NIGHT).unwrap();
    assert_eq!(stored["spec"]["prompt"]["template"], "do it well");
    assert_eq!(stored["spec"]["rerun"]["select"], "All");
    assert_eq!(house.api.server.writes()[0].by, "carl");
    let late = form("carl", &text).send().await.unwrap().text().await.unwrap();
    assert!(late.contains("changed by somebody else meanwhile"), "{late}");
}
