//! A dashboard over a sandbox's state, and requests to it.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Stdio},
};

use reqwest::{
    Client, Method, Request, RequestBuilder, Response,
    header::{AUTHORIZATION, HOST},
    redirect::Policy,
};
use serde_json::Value;

use crate::support::Sandbox;

/// A job of three batches of which the second fails; its texts carry what is given to them.
pub(crate) const JOB: &str = r#"
name: review
backend: {type: command, command: [bash, -c, "read -r n; echo said by batch $n; if [ $n = 2 ]; then echo it broke >&2; exit 1; fi"]}
workspace: ./workspace
batch: {size: 2, total_items: 6}
prompt: {template: "{{ batch_num }}\nReview {{ start_item }} to {{ end_item }}."}
retry: {max_retries: 0}
validations: [{type: command_succeeds, command: "true", description: The command is content}]
"#;

/// A dashboard that runs, and ends with the test.
pub(crate) struct Server {
    /// What it shows.
    pub(crate) sandbox: Sandbox,
    process: Child,
    base: String,
    pub(crate) token: String,
    client: Client,
}

impl Server {
    pub(crate) fn start(sandbox: Sandbox) -> Self {
        let mut command = sandbox.mozart(["dashboard", "--port", "0"]);
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let (base, token) = line.trim().split_once("/?token=").expect("the address with its token");
        // Another test may have done so.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().redirect(Policy::none()).no_proxy().build().unwrap();
        Self { sandbox, process, base: base.to_owned(), token: token.to_owned(), client }
    }

    /// `http://127.0.0.1:4711`.
    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    /// What its process has in memory, in KiB.
    pub(crate) fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// A request of nobody.
    pub(crate) fn stranger(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).header(HOST, &self.base[7..])
    }

    /// A request of a program that has the token.
    pub(crate) fn get(&self, path: &str) -> RequestBuilder {
        self.stranger(Method::GET, path).header(AUTHORIZATION, format!("Bearer {}", self.token))
    }

    /// Sends a request as it was built.
    pub(crate) async fn send(&self, request: Request) -> Response {
        self.client.execute(request).await.unwrap()
    }

    /// The page at `path` as text.
    pub(crate) async fn html(&self, path: &str) -> String {
        let response = self.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }

    /// The page at `path` as its value.
    pub(crate) async fn json(&self, path: &str) -> Value {
        let response = self.get(path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        serde_json::from_str(&response.text().await.unwrap()).unwrap()
    }

    /// The address of the only job.
    pub(crate) async fn only_job(&self) -> String {
        let home = self.json("/index.json").await;
        format!("/jobs/{}", home["jobs"][0]["key"].as_str().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A sandbox in which [`JOB`] has run.
pub(crate) fn sandbox_with_a_failed_run() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("review.yaml", JOB);
    let ran = sandbox.mozart(["run", "review.yaml"]).output().unwrap();
    assert_eq!(ran.status.code(), Some(1), "{}", String::from_utf8_lossy(&ran.stderr));
    sandbox
}
