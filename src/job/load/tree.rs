//! A job file as a tree in which every node knows its place.

use crate::job::problem::Place;

/// Where a node stands: which text, line and column from 1, and how many characters on that line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct At {
    /// The number of the text in [`Texts`].
    pub text: u16,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// At least 1.
    pub width: u32,
}

/// A value and its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where it stands.
    pub at: At,
}

/// A value, as YAML has them once the untyped ones are resolved.
#[derive(Clone, Debug)]
pub enum Value {
    /// Nothing. Never in a map: there it is dropped, as the API server does.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// Text.
    String(String),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The key.
    pub key: Key,
    /// Its value.
    pub value: Node,
}

/// A key: its name in the manifest, and how the user wrote it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The name in the manifest, or the key as written where the manifest has none for it.
    pub name: String,
    /// The whole path in the user's own spelling, where it differs from the manifest's.
    pub written: Option<String>,
    /// Whether the plain form has no such key, though the manifest may.
    pub foreign: bool,
    /// Where it stands.
    pub at: At,
}

impl Node {
    /// The value of a key, if this is a map that has it.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entry(name).map(|entry| &entry.value)
    }

    /// A key with its value, if this is a map that has it.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        match &self.value {
            Value::Map(entries) => entries.iter().find(|entry| entry.key.name == name),
            _ => None,
        }
    }

    /// The same with the keys of every map in it in their order, as the API server keeps them.
    pub fn sort(&mut self) {
        match &mut self.value {
            Value::List(nodes) => nodes.iter_mut().for_each(Self::sort),
            Value::Map(entries) => {
                for entry in entries.iter_mut() {
                    entry.value.sort();
                }
                entries.sort_by(|one, other| one.key.name.cmp(&other.key.name));
            }
            _ => {}
        }
    }

    /// A key's value, if this is a map that has it, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        match &mut self.value {
            Value::Map(entries) => {
                entries.iter_mut().find(|entry| entry.key.name == name).map(|entry| &mut entry.value)
            }
            _ => None,
        }
    }

    /// The same as JSON, without places.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => Json::from(*value),
            Value::Float(value) => Json::from(*value),
            Value::String(text) => Json::String(text.clone()),
            Value::List(nodes) => nodes.iter().map(Node::to_json).collect(),
            Value::Map(entries) => {
                entries.iter().map(|entry| (entry.key.name.clone(), entry.value.to_json())).collect()
            }
        }
    }
}

impl Value {
    /// What it is, for messages: `text`, `a whole number`, …
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "true or false",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number",
            Self::String(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

/// The texts that nodes stand in: the job file first, then what came from the command line, and the template file.
#[derive(Clone, Debug, Default)]
pub struct Texts {
    list: Vec<Text>,
}

#[derive(Clone, Debug)]
struct Text {
    name: String,
    lines: Vec<String>,
}

impl Texts {
    /// Adds a text under the name that people know it by, and says its number.
    pub fn add(&mut self, name: impl Into<String>, text: &str) -> u16 {
        self.list.push(Text { name: name.into(), lines: text.lines().map(str::to_owned).collect() });
        u16::try_from(self.list.len() - 1).unwrap_or(u16::MAX)
    }

    /// The place of a node, with its line.
    pub fn place(&self, at: At) -> Option<Place> {
        let text = self.list.get(usize::from(at.text))?;
        let line = at.line.max(1);
        Some(Place {
            file: text.name.clone(),
            line,
            column: at.column.max(1),
            width: at.width.max(1),
            snippet: text.lines.get(line as usize - 1).cloned().unwrap_or_default(),
        })
    }
}
