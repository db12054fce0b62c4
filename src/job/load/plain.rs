//! The plain job file, in the original Mozart's spelling, and how it maps to the manifest's tree.
//!
//! The rule: a field is the manifest's in `snake_case`, and what stands under `spec` there stands at top level here.
//! [`MOVES`] has every exception with its path and unit, [`RETIRED`] what no longer acts. The plain form's schema is
//! made from the manifest's by the same tables, so the two cannot part.

mod table;

pub use self::table::{Base, CHANGED, MOVES, Move, RETIRED, Unit};
use super::{
    report::{Form, Report, join},
    schema::{Field, Schema, Shape},
    tree::{At, Entry, Key, Node, Value},
};

/// What to do about a word that the original knew.
pub fn retired_word(path: &str, word: &str) -> Option<&'static str> {
    match word {
        "email" if path.contains("notifications[") => Some(
            "e-mail is not sent; a `webhook` can be turned into mail, `desktop` and `slack` need nothing else",
        ),
        "recursive_light" if path.ends_with("backend.type") => {
            Some("that backend is gone; `command` runs any program: prompt on stdin, answer on stdout")
        }
        "default" if path.ends_with("ermission_mode") || path.ends_with("ermissionMode") => {
            Some("write `acceptEdits`, or `manual` to allow nothing that needs a question")
        }
        _ => None,
    }
}

/// The unit of a plain field in words, and how many of the manifest's make one of it.
pub fn unit(path: &str) -> (&'static str, f64) {
    if path.ends_with("wait_minutes") { (" of minutes", 60.0) } else { ("", 1.0) }
}

/// A path without the numbers of list entries: `notifications[0].config` as `notifications[].config`.
fn pattern(path: &str) -> String {
    path.chars().filter(|character| !character.is_ascii_digit()).collect()
}

/// The names that the plain form has in the map at `path`, for who looks for the nearest.
pub fn names(path: &str, fields: &[Field]) -> Vec<String> {
    let pattern = pattern(path);
    let target_here = |name: &str| {
        MOVES.iter().any(|row| {
            row.only && row.within == pattern && row.base == Base::Here && row.manifest == [name]
                || row.only && row.base == Base::Root && row.manifest.last() == Some(&name) && {
                    let parent = row.manifest.len() - 1;
                    row.manifest[1..parent].join(".") == pattern
                }
        })
    };
    let mut names: Vec<String> =
        fields.iter().filter(|field| !target_here(&field.name)).map(|field| field.plain.clone()).collect();
    for row in MOVES.iter().filter(|row| row.within == pattern) {
        let name = row.plain[0].to_owned();
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// What to write for a field that stands in another place, or in the other form.
pub fn elsewhere(form: Form, path: &str, name: &str) -> Option<String> {
    let pattern = pattern(path);
    match form {
        Form::Manifest => {
            let spec = pattern.strip_prefix("spec").map(|rest| rest.trim_start_matches('.'));
            let within = spec.unwrap_or("");
            let row =
                MOVES.iter().find(|row| super::schema::snake(within) == row.within && row.plain == [name])?;
            Some(format!("that is the plain form's spelling; a manifest says `{}`", row.manifest.join(".")))
        }
        Form::Plain => MOVES
            .iter()
            .filter(|row| row.only)
            .find(|row| {
                let target = row.manifest[row.manifest.len() - 1];
                super::schema::snake(target) == name || target == name
            })
            .filter(|row| row.manifest != ["metadata", "name"])
            .map(|row| {
                let place = if row.within.is_empty() {
                    "at top level".to_owned()
                } else {
                    format!("under `{}`", row.within)
                };
                format!("a plain job file says `{}` {place}", row.plain.join("."))
            }),
    }
}

/// The manifest's tree of a plain one. Fields that the plain form does not have stay, marked as foreign; what no
/// longer acts is left, with a warning.
pub fn to_manifest(root: Node, schema: &Schema, report: &mut Report) -> Node {
    let at = root.at;
    let Value::Map(entries) = root.value else { return root };
    let Some(spec_schema) = schema.field("spec") else { return Node { value: Value::Map(entries), at } };
    let mut mapper = Mapper { report, escaped: Vec::new() };
    let spec = mapper.map(entries, spec_schema, "");
    let escaped = std::mem::take(&mut mapper.escaped);
    let text = |text: &str| Node { value: Value::String(text.to_owned()), at };
    let mut manifest = Node { value: Value::Map(Vec::new()), at };
    let nothing = || Node { value: Value::Map(Vec::new()), at };
    for (name, value) in [
        ("apiVersion", text(crate::api::API_VERSION)),
        ("kind", text(crate::api::KIND)),
        ("metadata", nothing()),
        ("spec", Node { value: Value::Map(spec), at }),
    ] {
        put(&mut manifest, &[name], Moved { written: String::new(), at, value });
    }
    for (target, moved) in escaped {
        let (key_at, path) = (moved.at, moved.written.clone());
        if !put(&mut manifest, target, moved) {
            twice(report, key_at, &path);
        }
    }
    manifest
}

struct Moved {
    written: String,
    at: At,
    value: Node,
}

struct Mapper<'a> {
    report: &'a mut Report,
    escaped: Vec<(&'static [&'static str], Moved)>,
}

impl Mapper<'_> {
    fn map(&mut self, entries: Vec<Entry>, schema: &Schema, path: &str) -> Vec<Entry> {
        let Shape::Object(fields) = &schema.shape else { return entries };
        let pattern = pattern(path);
        let allowed = names(path, fields);
        let mut here = Node { value: Value::Map(Vec::new()), at: At::default() };
        for entry in entries {
            let written = join(path, &entry.key.name);
            if self.retired(&pattern, &entry.key, &written) {
                continue;
            }
            let rows = || MOVES.iter().filter(|row| row.within == pattern && row.plain[0] == entry.key.name);
            if rows().any(|row| row.plain.len() > 1) {
                self.nested(entry, &pattern, &written, &mut here);
                continue;
            }
            let bare = !matches!(entry.value.value, Value::Map(_));
            if let Some(row) = rows().find(|row| row.only || bare) {
                self.moved(row, Moved { written, at: entry.key.at, value: entry.value }, &mut here);
                continue;
            }
            let field =
                fields.iter().find(|field| field.plain == entry.key.name && allowed.contains(&field.plain));
            let key = Key {
                name: field.map_or(entry.key.name, |field| field.name.clone()),
                written: Some(written.clone()),
                foreign: field.is_none(),
                at: entry.key.at,
            };
            let value = match field {
                Some(field) => self.value(entry.value, &field.schema, &written),
                None => entry.value,
            };
            push(&mut here, Entry { key, value }, self.report);
        }
        match here.value {
            Value::Map(entries) => entries,
            _ => Vec::new(),
        }
    }

    fn value(&mut self, node: Node, schema: &Schema, path: &str) -> Node {
        let value = match (node.value, &schema.shape) {
            (Value::Map(entries), Shape::Object(_)) => Value::Map(self.map(entries, schema, path)),
            (Value::List(nodes), Shape::List { items, .. }) => Value::List(
                nodes
                    .into_iter()
                    .enumerate()
                    .map(|(index, node)| self.value(node, items, &format!("{path}[{index}]")))
                    .collect(),
            ),
            (value, _) => value,
        };
        Node { value, at: node.at }
    }

    /// A map whose fields the manifest has one level up, such as `notifications[].config`.
    fn nested(&mut self, entry: Entry, pattern: &str, written: &str, here: &mut Node) {
        let Value::Map(inner) = entry.value.value else {
            let message = format!("`{written}` is {}, and must be a map", entry.value.value.kind());
            self.report.error(entry.value.at, written, message, "write `key: value` lines under it");
            return;
        };
        let outer = entry.key.name;
        for entry in inner {
            let written = join(written, &entry.key.name);
            if self.retired(&join(pattern, &outer), &entry.key, &written) {
                continue;
            }
            let name = entry.key.name.as_str();
            let row = MOVES.iter().find(|row| row.within == pattern && row.plain == [outer.as_str(), name]);
            if let Some(row) = row {
                self.moved(row, Moved { written, at: entry.key.at, value: entry.value }, here);
            } else {
                let key = Key { written: Some(written), foreign: true, ..entry.key };
                push(here, Entry { key, value: entry.value }, self.report);
            }
        }
    }

    fn moved(&mut self, row: &Move, mut moved: Moved, here: &mut Node) {
        moved.value = self.convert(row.unit, moved.value, &moved.written);
        match row.base {
            Base::Root => self.escaped.push((row.manifest, moved)),
            Base::Here => {
                let (at, path) = (moved.at, moved.written.clone());
                if !put(here, row.manifest, moved) {
                    twice(self.report, at, &path);
                }
            }
        }
    }

    fn convert(&mut self, unit: Unit, node: Node, path: &str) -> Node {
        let value = match (unit, node.value) {
            (Unit::Minutes, Value::Int(minutes)) => Value::Int(minutes.saturating_mul(60)),
            (Unit::Minutes, Value::Float(minutes)) =>
            {
                #[expect(
                    clippy::cast_possible_truncation,
                    reason = "saturates, and the bounds are checked next"
                )]
                Value::Int((minutes * 60.0).round() as i64)
            }
            (Unit::Permissions, Value::Bool(skip)) => {
                Value::String(if skip { "bypassPermissions" } else { "acceptEdits" }.to_owned())
            }
            (Unit::Permissions, other) => {
                let message = format!("`{path}` is {}, and must be true or false", other.kind());
                self.report.error(node.at, path, message, "write true or false");
                Value::String("acceptEdits".to_owned())
            }
            (Unit::Same | Unit::Minutes, other) => other,
        };
        Node { value, at: node.at }
    }

    fn retired(&mut self, pattern: &str, key: &Key, written: &str) -> bool {
        let Some(row) = RETIRED.iter().find(|row| row.within == pattern && row.name == key.name) else {
            return false;
        };
        self.report.warning(key.at, written, format!("`{written}` does nothing: {}", row.why), row.help);
        true
    }
}

fn twice(report: &mut Report, at: At, path: &str) {
    report.error(at, path, format!("`{path}` says again what another field says"), "keep one of them");
}

fn push(node: &mut Node, entry: Entry, report: &mut Report) {
    let Value::Map(entries) = &mut node.value else { return };
    // Only a field of the manifest can be said twice, by two spellings; looking for others would be quadratic.
    let said = |known: &Entry| known.key.name == entry.key.name && !known.key.foreign;
    if !entry.key.foreign && entries.iter().any(said) {
        twice(report, entry.key.at, entry.key.written.as_deref().unwrap_or(&entry.key.name));
    } else {
        entries.push(entry);
    }
}

/// Puts a value at a path of the manifest, making the maps on the way; false if there is one already.
fn put(node: &mut Node, path: &[&str], moved: Moved) -> bool {
    let Value::Map(entries) = &mut node.value else { return false };
    let [name, rest @ ..] = path else { return false };
    let index = entries.iter().position(|entry| entry.key.name == *name && !entry.key.foreign);
    match (index, rest) {
        (Some(_), []) => false,
        (Some(index), rest) => put(&mut entries[index].value, rest, moved),
        (None, rest) => {
            let at = moved.at;
            let written = Some(moved.written.clone());
            let key = Key { name: (*name).to_owned(), written, foreign: false, at };
            if rest.is_empty() {
                entries.push(Entry { key, value: moved.value });
                return true;
            }
            let value = Node { value: Value::Map(Vec::new()), at };
            entries.push(Entry { key, value });
            entries.last_mut().is_some_and(|entry| put(&mut entry.value, rest, moved))
        }
    }
}
