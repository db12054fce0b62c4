//! What a path and a query of the API mean.

use serde_json::Value;

/// Where an object or a collection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    /// `/api/v1` or `/apis/GROUP/VERSION`.
    pub(super) group: String,
    /// `None` is all.
    pub(super) namespace: Option<String>,
    pub(super) kind: String,
    pub(super) name: Option<String>,
    pub(super) subresource: Option<String>,
}

impl Address {
    pub(super) fn read(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (group, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => (format!("/api/{version}"), rest),
            ["apis", group, version, rest @ ..] => (format!("/apis/{group}/{version}"), rest),
            _ => return None,
        };
        let owned = |text: &str| Some(text.to_owned());
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (owned(namespace), rest),
            rest => (None, rest),
        };
        let [kind, rest @ ..] = rest else { return None };
        let (name, subresource) = match rest {
            [] => (None, None),
            [name] => (owned(name), None),
            [name, subresource, ..] => (owned(name), owned(subresource)),
        };
        Some(Self { group, namespace, kind: (*kind).to_owned(), name, subresource })
    }

    /// The path of the object, or of `name` in this collection.
    pub(super) fn path(&self, name: &str) -> String {
        let namespace = self.namespace.as_ref().map(|namespace| format!("/namespaces/{namespace}"));
        format!("{}{}/{}/{name}", self.group, namespace.unwrap_or_default(), self.kind)
    }

    /// Whether the object at `path` is in this collection.
    pub(super) fn holds(&self, path: &str) -> bool {
        let Some(other) = Self::read(path) else { return false };
        let namespace = self.namespace.is_none() || self.namespace == other.namespace;
        self.group == other.group && self.kind == other.kind && namespace
    }
}

/// What follows the question mark, as far as it is understood here.
#[derive(Clone, Debug)]
pub(super) struct Query {
    pub(super) watch: bool,
    pub(super) since: u64,
    /// No more objects than these.
    pub(super) limit: usize,
    selector: Vec<Term>,
}

#[derive(Clone, Debug)]
enum Term {
    Has(String),
    HasNot(String),
    Is(String, String),
}

impl Query {
    pub(super) fn read(text: &str) -> Self {
        let mut query = Self { watch: false, since: 0, limit: usize::MAX, selector: Vec::new() };
        for (name, value) in url::form_urlencoded::parse(text.as_bytes()) {
            match &*name {
                "watch" => query.watch = value == "true",
                "resourceVersion" => query.since = value.parse().unwrap_or(0),
                "limit" => query.limit = value.parse().unwrap_or(usize::MAX),
                "labelSelector" => query.selector = value.split(',').map(term).collect(),
                _ => {}
            }
        }
        query
    }

    /// Whether the labels of `object` are those that are asked for.
    pub(super) fn selects(&self, object: &Value) -> bool {
        let labels = &object["metadata"]["labels"];
        self.selector.iter().all(|term| match term {
            Term::Has(name) => labels.get(name).is_some(),
            Term::HasNot(name) => labels.get(name).is_none(),
            Term::Is(name, value) => labels.get(name).and_then(Value::as_str) == Some(value),
        })
    }
}

fn term(text: &str) -> Term {
    match (text.strip_prefix('!'), text.split_once('=')) {
        (Some(name), _) => Term::HasNot(name.to_owned()),
        (None, Some((name, value))) => Term::Is(name.to_owned(), value.to_owned()),
        (None, None) => Term::Has(text.to_owned()),
    }
}
