//! What a controller wrote, by the API server's own log.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead as _, BufReader, Seek as _, SeekFrom},
    path::PathBuf,
    time::Duration,
};

use serde_json::Value;

/// The operator.
pub const OPERATOR: &str = "system:serviceaccount:mozart-bench:mozart";
/// What runs the Jobs of batch/v1.
pub const JOB_CONTROLLER: &str = "system:serviceaccount:kube-system:job-controller";

/// A place in the log.
pub struct Mark {
    log: PathBuf,
    place: u64,
}

/// How often a controller wrote, by verb and resource.
#[derive(Debug, Default)]
pub struct Writes(BTreeMap<String, u32>);

impl Mark {
    /// The end of the log.
    pub fn end(log: PathBuf) -> Self {
        let place = std::fs::metadata(&log).map_or(0, |file| file.len());
        Self { log, place }
    }

    /// What `user` wrote since.
    pub async fn since(&self, user: &str) -> Writes {
        // The log is written in the background, a moment after the answer.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let mut file = File::open(&self.log).expect("the cluster has an audit log: run hack/bench-cluster");
        file.seek(SeekFrom::Start(self.place)).expect("a file");
        let mut writes = Writes::default();
        for line in BufReader::new(file).lines().map_while(Result::ok) {
            let Ok(event) = serde_json::from_str::<Value>(&line) else { continue };
            if event["user"]["username"] == user && event["stage"] == "ResponseComplete" {
                let of = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let resource = match event["objectRef"]["subresource"].as_str() {
                    Some(part) => format!("{}/{part}", of(&event["objectRef"]["resource"])),
                    None => of(&event["objectRef"]["resource"]),
                };
                *writes.0.entry(format!("{} {resource}", of(&event["verb"]))).or_default() += 1;
            }
        }
        writes
    }
}

impl Writes {
    /// All of them, but for those of `resources`.
    pub fn but_for(&self, resources: &[&str]) -> u32 {
        let counted = self.0.iter().filter(|(what, _)| !resources.iter().any(|one| what.ends_with(one)));
        counted.map(|(_, count)| count).sum()
    }

    /// Those of one verb and resource: `patch mozartjobs/status`.
    pub fn of(&self, what: &str) -> u32 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// Each kind, for people.
    pub fn text(&self) -> String {
        let each: Vec<String> = self.0.iter().map(|(what, count)| format!("{count} {what}")).collect();
        each.join(", ")
    }
}
