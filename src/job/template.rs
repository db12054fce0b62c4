//! Jinja2 templates of prompts and labels, compiled once a job: strict about undefined names, bounded in what a
//! render may cost, without files.

use std::{collections::HashSet, fmt, sync::Arc};

use minijinja::{
    Environment, Error, ErrorKind, UndefinedBehavior,
    value::{Enumerator, Object, Value},
};
use serde_json::Value as Json;

/// The fuel of one render: about as many instructions and bytes of output.
const FUEL: u64 = 20_000_000;

const PROMPT: &str = "prompt";
const LABEL: &str = "label";

/// The templates of a job, compiled. Clones share them.
#[derive(Clone)]
pub struct Templates {
    environment: Arc<Environment<'static>>,
    names: Arc<HashSet<String>>,
}

/// Why a template cannot be compiled or rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, in one sentence.
    pub message: String,
    /// The line of the template, from 1.
    pub line: Option<u32>,
    /// Where in that line, from 1, and how many characters, if it is known.
    pub columns: Option<(u32, u32)>,
    /// What to do.
    pub help: Option<String>,
    /// Whether the template, not one value, costs too much.
    pub out_of_fuel: bool,
}

impl Templates {
    /// Compiles a job's prompt.
    ///
    /// # Errors
    /// Says what is wrong with its syntax, and where.
    pub fn compile(prompt: &str) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(FUEL));
        environment.set_recursion_limit(100);
        environment.set_debug(true);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment
            .add_template_owned(PROMPT, prompt.to_owned())
            .map_err(|error| TemplateError::new(&error, prompt))?;
        let names = environment
            .get_template(PROMPT)
            .map(|template| template.undeclared_variables(false))
            .unwrap_or_default();
        Ok(Self { environment: Arc::new(environment), names: Arc::new(names) })
    }

    /// The same with a template for the label of a batch.
    ///
    /// # Errors
    /// Says what is wrong with its syntax, and where.
    pub fn with_label(mut self, label: &str) -> Result<Self, TemplateError> {
        Arc::make_mut(&mut self.environment)
            .add_template_owned(LABEL, label.to_owned())
            .map_err(|error| TemplateError::new(&error, label))?;
        Ok(self)
    }

    /// Whether the prompt's syntax tree uses a name that it does not set itself.
    pub fn uses(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Renders the prompt.
    ///
    /// # Errors
    /// Says what is undefined or wrong, and in which line of the template.
    pub fn prompt(&self, context: Value) -> Result<String, TemplateError> {
        self.render(PROMPT, context)
    }

    /// Renders the label of a batch; `None` if the job has none.
    ///
    /// # Errors
    /// As [`prompt`](Self::prompt).
    pub fn label(&self, context: Value) -> Option<Result<String, TemplateError>> {
        self.environment.get_template(LABEL).ok()?;
        Some(self.render(LABEL, context))
    }

    fn render(&self, name: &str, context: Value) -> Result<String, TemplateError> {
        let template = self.environment.get_template(name).map_err(|error| TemplateError::new(&error, ""))?;
        template.render(context).map_err(|error| TemplateError::new(&error, template.source()))
    }
}

impl fmt::Debug for Templates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Templates").field("names", &self.names).finish_non_exhaustive()
    }
}

impl TemplateError {
    fn new(error: &Error, source: &str) -> Self {
        let line = error.line().and_then(|line| u32::try_from(line).ok());
        let span = error.range().and_then(|range| whole(source, range));
        let columns = span.clone().and_then(|range| columns(source, range));
        let words = span.and_then(|range| source.get(range)).filter(|text| !text.contains('\n'));
        let detail = error.detail().unwrap_or_default();
        let (message, help) = match error.kind() {
            ErrorKind::UndefinedError => (
                words.map_or_else(
                    || "the template uses a value that is not defined".to_owned(),
                    |name| format!("the template uses `{name}`, which is not defined"),
                ),
                None,
            ),
            ErrorKind::OutOfFuel => (
                "the template costs too much to render: a loop in it runs too often, or makes too much text"
                    .to_owned(),
                Some("make its loops shorter; long lists belong in batch.items, a few a batch".to_owned()),
            ),
            ErrorKind::TemplateNotFound | ErrorKind::BadInclude => (
                "the template asks for another file, and templates read no files".to_owned(),
                Some("write the text here, or put it under prompt.variables".to_owned()),
            ),
            ErrorKind::SyntaxError => (format!("the template's syntax is wrong: {detail}"), None),
            ErrorKind::UnknownFilter => (
                format!("the template uses a filter that does not exist: {detail}"),
                Some("the filters are Jinja2's own: join, length, lower, replace, tojson, …".to_owned()),
            ),
            kind if detail.is_empty() => (format!("the template cannot be rendered: {kind}"), None),
            kind => (format!("the template cannot be rendered: {kind}: {detail}"), None),
        };
        let out_of_fuel = error.kind() == ErrorKind::OutOfFuel;
        Self { message, line, columns, help, out_of_fuel }
    }
}

/// A range that begins where its expression does: of `items[0].title` the engine names `[0].title` alone.
fn whole(source: &str, range: std::ops::Range<usize>) -> Option<std::ops::Range<usize>> {
    let before = source.get(..range.start)?;
    source.get(range.clone())?;
    let part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '.');
    let begins_inside = source[range.start..].starts_with(['[', '.']);
    let start = if begins_inside { before.trim_end_matches(part).len() } else { range.start };
    Some(start..range.end)
}

/// Where a range of bytes stands in its line, and how many characters of that line it has.
fn columns(source: &str, range: std::ops::Range<usize>) -> Option<(u32, u32)> {
    let start = source[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    let column = source.get(start..range.start)?.chars().count() + 1;
    let width = source.get(range)?.lines().next()?.chars().count().max(1);
    Some((u32::try_from(column).ok()?, u32::try_from(width).ok()?))
}

/// A value for templates. Numbers, text and lists are what they are; a map with keys such as `1` is also asked by the
/// number, since YAML's whole numbers as keys become text on their way.
pub fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(truth) => Value::from(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(value), _) => Value::from(value),
            (None, Some(value)) => Value::from(value),
            (None, None) => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => list.iter().map(value).collect(),
        Json::Object(map) => {
            let pairs = map.iter().map(|(key, entry)| (Value::from(key.as_str()), value(entry)));
            if map.keys().any(|key| key.parse::<i64>().is_ok()) {
                Value::from_object(NumberedMap(pairs.collect()))
            } else {
                Value::from_pairs(pairs)
            }
        }
    }
}

#[derive(Debug)]
struct NumberedMap(Vec<(Value, Value)>);

impl Object for NumberedMap {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let text = key.to_string();
        self.0.iter().find(|(name, _)| name.as_str() == Some(&text)).map(|(_, value)| value.clone())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.iter().map(|(name, _)| name.clone()).collect())
    }
}
