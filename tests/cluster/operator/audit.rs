//! The API server's audit log: who asked for what.

use std::{collections::BTreeSet, fs, path::PathBuf};

use jiff::Timestamp;
use mozart::cluster::role;
use serde_json::Value;

use super::ACCOUNT;

/// A request of an operator's account, answered with whatever.
#[derive(Debug)]
pub struct Asked {
    pub account: String,
    pub verb: String,
    /// `group/resource/subresource` without what is empty, or a path that is of no resource.
    pub what: String,
    pub received: Timestamp,
}

/// Every request of the operators of all tests so far.
fn operators() -> Vec<Asked> {
    of("system:serviceaccount:test-")
}

/// Every request of the operators of a namespace so far.
pub fn operators_in(namespace: &str) -> Vec<Asked> {
    of(&format!("system:serviceaccount:{namespace}:"))
}

/// The requests of users whose names begin so.
fn of(users: &str) -> Vec<Asked> {
    let path = std::env::var_os("MOZART_TEST_AUDIT_LOG").expect("an audit log: run `make test-cluster`");
    let text = fs::read_to_string(PathBuf::from(path)).unwrap();
    let named = text.lines().filter(|line| line.contains(users));
    named.filter_map(|line| asked(&serde_json::from_str(line).ok()?)).collect()
}

fn asked(event: &Value) -> Option<Asked> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let user = text(&event["user"]["username"]);
    let account = user.rsplit(':').next()?;
    // What the chart runs before it goes has an account and rights of its own.
    if !account.starts_with(ACCOUNT) || account.ends_with("-uninstall") {
        return None;
    }
    let object = &event["objectRef"];
    let parts = ["apiGroup", "resource", "subresource"].map(|part| text(&object[part]));
    let parts: Vec<&str> = parts.iter().map(String::as_str).filter(|part| !part.is_empty()).collect();
    Some(Asked {
        account: account.to_owned(),
        verb: text(&event["verb"]),
        what: if object.is_object() { parts.join("/") } else { text(&event["requestURI"]) },
        received: text(&event["requestReceivedTimestamp"]).parse().unwrap(),
    })
}

/// What the Role grants, and `mozart grant`, in the words of [`Asked`].
fn granted() -> BTreeSet<(String, String)> {
    let rights = role::IN_NAMESPACES.iter().chain(role::AT_HOME).chain(role::OF_VISITORS);
    let rights = rights.chain([&role::OF_ONE_SECRET]);
    let pairs = rights.flat_map(|right| {
        let what = |resource: &&str| match right.group {
            "" => (*resource).to_owned(),
            group => format!("{group}/{resource}"),
        };
        let whats: Vec<String> = right.resources.iter().map(what).collect();
        let of =
            move |what: &String| right.verbs.iter().map(|verb| ((*verb).to_owned(), what.clone())).collect();
        whats.iter().flat_map::<Vec<_>, _>(of).collect::<Vec<_>>()
    });
    pairs.collect()
}

/// It judges what all other tests made the operators do: hack/test-cluster runs it after them, by itself.
#[test]
fn the_operators_asked_for_everything_that_their_role_grants_and_for_nothing_else() {
    let asked: BTreeSet<(String, String)> =
        operators().into_iter().map(|asked| (asked.verb, asked.what)).collect();
    let granted = granted();
    let beyond: Vec<_> = asked.difference(&granted).collect();
    assert!(beyond.is_empty(), "asked for, and not granted: {beyond:?}");
    let idle: Vec<_> = granted.difference(&asked).collect();
    assert!(idle.is_empty(), "granted, and no test made an operator ask for it: {idle:?}");
}
