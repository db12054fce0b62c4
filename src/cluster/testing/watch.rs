//! Watches: every change of a collection since a version, a line each.

use std::{collections::BTreeSet, convert::Infallible};

use futures::{Stream, stream};
use serde_json::json;

use super::{
    ApiServer,
    address::{Address, Query},
};

struct Watch {
    server: ApiServer,
    address: Address,
    query: Query,
    /// The first change that was not looked at.
    next: usize,
    /// What this watch shows.
    shown: BTreeSet<String>,
    over: bool,
}

/// The lines of a watch; it never ends by itself.
pub(super) fn lines(
    server: ApiServer,
    address: Address,
    query: Query,
) -> impl Stream<Item = Result<String, Infallible>> + Send + 'static {
    let mut watch = Watch { server, address, query, next: 0, shown: BTreeSet::new(), over: false };
    // What was there at the version that the watch begins with is known to who asks.
    while watch.take(true).is_some() {}
    stream::unfold(watch, |mut watch| async move {
        loop {
            let mut changed = watch.server.changed.subscribe();
            if watch.over {
                return None;
            }
            if watch.server.state().expired > watch.query.since {
                watch.over = true;
                let gone = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410,
                    "reason": "Expired", "message": "too old resource version"});
                return Some((Ok(format!("{}\n", json!({"type": "ERROR", "object": gone}))), watch));
            }
            if let Some(line) = watch.take(false) {
                return Some((Ok(line), watch));
            }
            changed.changed().await.ok()?;
        }
    })
}

impl Watch {
    /// The next line; with `known`, of what the one who asks knows already.
    fn take(&mut self, known: bool) -> Option<String> {
        loop {
            let change = self.server.state().objects.changes.get(self.next).cloned()?;
            if known != (change.version <= self.query.since) {
                return None;
            }
            self.next += 1;
            if !self.address.holds(&change.path) {
                continue;
            }
            let selected = !change.deleted && self.query.selects(&change.object);
            let was = if selected {
                !self.shown.insert(change.path.clone())
            } else {
                self.shown.remove(&change.path)
            };
            let kind = match (was, selected) {
                (false, false) => continue,
                (false, true) => "ADDED",
                (true, true) => "MODIFIED",
                (true, false) => "DELETED",
            };
            return Some(format!("{}\n", json!({"type": kind, "object": change.object})));
        }
    }
}
