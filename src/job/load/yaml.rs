//! YAML text to a tree with places, within budgets, so that no file can take the machine down.

use std::{borrow::Cow, collections::HashMap};

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span, Tag};

use super::{
    scalar,
    tree::{At, Entry, Key, Node, Value},
};

/// The largest job file, in bytes.
pub const MAX_BYTES: usize = 10 * 1024 * 1024;
/// The deepest nesting.
const MAX_DEPTH: usize = 64;
/// The most nodes, each use of an alias counted with all that it stands for.
const MAX_NODES: usize = 200_000;
/// The most bytes of text in all nodes, counted likewise.
const MAX_TEXT: usize = 16 * 1024 * 1024;
/// The most unclear words and doubled keys that are reported.
const MAX_FAULTS: usize = 50;

/// Something wrong with the text as YAML.
#[derive(Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub at: At,
    /// What.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Fault {
    fn new(at: At, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { at, message: message.into(), help: Some(help.into()) }
    }
}

/// Parses the one document of `text`, which has the number `number` among the texts.
///
/// # Errors
/// Everything that is wrong with it as YAML; a fault of syntax or a budget ends the reading.
pub fn parse(text: &str, number: u16) -> Result<Node, Vec<Fault>> {
    let mut builder = Builder { number, ..Builder::default() };
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let result = match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => Err(syntax(number, &error, &builder)),
        };
        if let Err(fault) = result {
            builder.faults.push(fault);
            return Err(builder.faults);
        }
    }
    match builder.root {
        _ if !builder.faults.is_empty() => Err(builder.faults),
        Some(root) => Ok(root),
        None => Ok(Node { value: Value::Null, at: At { text: number, line: 1, column: 1, width: 1 } }),
    }
}

fn syntax(number: u16, error: &ScanError, builder: &Builder<'_>) -> Fault {
    let marker = error.marker();
    let at = At { text: number, line: to_u32(marker.line()), column: to_u32(marker.col() + 1), width: 1 };
    let info = error.info();
    let help = if info.contains("tab") {
        "indent with spaces; YAML allows no tabs there"
    } else if info.contains("recursion") || info.contains("nest") {
        "a job file needs no more than a few levels"
    } else if info.contains("mapping values") {
        "a text that holds `: ` needs quotes around it"
    } else if info.contains("anchor") || info.contains("alias") {
        "name the anchor with &name before *name; a text that begins with * or & needs quotes"
    } else if info.contains("quote") {
        "close the quotes"
    } else if builder.stack.is_empty() {
        "the file must begin with `key: value` lines"
    } else {
        "look at the indentation and the quotes of this line and the one before"
    };
    let message = if info.contains("recursion") {
        "lists and maps are nested too deep".to_owned()
    } else {
        format!("this is no YAML: {info}")
    };
    Fault::new(at, message, help)
}

fn to_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

#[derive(Default)]
struct Builder<'input> {
    number: u16,
    root: Option<Node>,
    documents: u32,
    stack: Vec<Open>,
    /// By anchor id, which the parser counts up from 1; `None` while the node is open.
    anchors: Vec<Option<Anchored>>,
    nodes: usize,
    bytes: usize,
    faults: Vec<Fault>,
    input: std::marker::PhantomData<&'input str>,
}

struct Anchored {
    node: Node,
    nodes: usize,
    bytes: usize,
    depth: usize,
}

struct Open {
    at: At,
    anchor: usize,
    nodes_before: usize,
    bytes_before: usize,
    deepest: usize,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    /// `seen` has the line of each key, also of those whose value was nothing.
    Map {
        entries: Vec<Entry>,
        seen: HashMap<String, u32>,
        key: Option<(String, At)>,
    },
}

impl<'input> Builder<'input> {
    fn at(&self, span: Span) -> At {
        let (start, end) = (span.start, span.end);
        let width = if end.line() == start.line() { end.col().saturating_sub(start.col()) } else { 1 };
        At {
            text: self.number,
            line: to_u32(start.line()),
            column: to_u32(start.col() + 1),
            width: to_u32(width.max(1)),
        }
    }

    fn fault(&mut self, fault: Fault) {
        if self.faults.len() < MAX_FAULTS {
            self.faults.push(fault);
        }
    }

    fn event(&mut self, event: Event<'input>, span: Span) -> Result<(), Fault> {
        let at = self.at(span);
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    return Err(Fault::new(
                        at,
                        "the file holds more than one document",
                        "keep one job a file; take out the `---`",
                    ));
                }
                Ok(())
            }
            Event::Scalar(text, style, anchor, tag) => self.scalar(text, style, anchor, tag.as_deref(), at),
            Event::SequenceStart(anchor, tag) => self.open(at, anchor, tag, Content::List(Vec::new())),
            Event::MappingStart(anchor, tag) => self.open(
                at,
                anchor,
                tag,
                Content::Map { entries: Vec::new(), seen: HashMap::new(), key: None },
            ),
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Alias(anchor) => self.alias(anchor, at),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(
        &mut self,
        at: At,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        content: Content,
    ) -> Result<(), Fault> {
        if let Some(tag) = tag {
            return Err(tag_fault(at, &tag));
        }
        let depth = self.stack.len() + 1;
        if depth > MAX_DEPTH {
            return Err(Fault::new(
                at,
                format!("lists and maps are nested more than {MAX_DEPTH} deep"),
                "a job file needs no more than a few levels",
            ));
        }
        if self.wants_key() {
            return Err(Fault::new(at, "a key is a list or a map", "write a text as the key"));
        }
        self.spend(at, 1, 0)?;
        self.reserve(anchor);
        let (nodes_before, bytes_before) = (self.nodes, self.bytes);
        self.stack.push(Open { at, anchor, nodes_before, bytes_before, deepest: 1, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let value = match open.content {
            Content::List(nodes) => Value::List(nodes),
            Content::Map { entries, .. } => Value::Map(entries),
        };
        let node = Node { value, at: open.at };
        if open.anchor > 0 {
            let nodes = self.nodes - open.nodes_before + 1;
            let bytes = self.bytes - open.bytes_before;
            self.anchors[open.anchor] =
                Some(Anchored { node: node.clone(), nodes, bytes, depth: open.deepest });
            self.spend(node.at, nodes, bytes)?;
        }
        self.add(node, open.deepest);
        Ok(())
    }

    fn scalar(
        &mut self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        anchor: usize,
        tag: Option<&Tag>,
        at: At,
    ) -> Result<(), Fault> {
        let string_tag = match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => true,
            Some(tag) => return Err(tag_fault(at, tag)),
            None => false,
        };
        self.spend(at, 1, text.len())?;
        let quoted = style != ScalarStyle::Plain || string_tag;
        if self.wants_key() {
            self.key(&text, quoted, at);
            return Ok(());
        }
        let bytes = text.len();
        let value = if quoted {
            Value::String(text.into_owned())
        } else {
            scalar::resolve(&text).unwrap_or_else(|unclear| {
                self.fault(Fault::new(at, format!("`{text}` {}", unclear.why), unclear.help));
                Value::String(text.into_owned())
            })
        };
        let node = Node { value, at };
        self.reserve(anchor);
        if anchor > 0 {
            self.anchors[anchor] = Some(Anchored { node: node.clone(), nodes: 1, bytes, depth: 0 });
            self.spend(at, 1, bytes)?;
        }
        self.add(node, 0);
        Ok(())
    }

    fn wants_key(&self) -> bool {
        matches!(self.stack.last(), Some(Open { content: Content::Map { key: None, .. }, .. }))
    }

    fn key(&mut self, text: &str, quoted: bool, at: At) {
        let Some(Open { content: Content::Map { seen, key, .. }, .. }) = self.stack.last_mut() else {
            return;
        };
        let first = seen.insert(text.to_owned(), at.line);
        *key = Some((text.to_owned(), at));
        if let Some(line) = first {
            self.fault(Fault::new(
                at,
                format!("the key `{text}` is here a second time; the first is in line {line}"),
                "keep one of them",
            ));
        }
        if quoted {
            return;
        }
        if text == "<<" {
            self.fault(Fault::new(at, "merge keys (`<<`) are not read", "write the keys out"));
        } else if let Err(unclear) = scalar::resolve(text) {
            self.fault(Fault::new(
                at,
                format!("the key `{text}` {}", unclear.why),
                format!("write \"{text}\""),
            ));
        }
    }

    fn alias(&mut self, anchor: usize, at: At) -> Result<(), Fault> {
        let Some(Some(anchored)) = self.anchors.get(anchor) else {
            return Err(Fault::new(at, "this alias stands inside what it names", "write the value out"));
        };
        let (nodes, bytes, depth) = (anchored.nodes, anchored.bytes, anchored.depth);
        if self.stack.len() + depth > MAX_DEPTH {
            return Err(Fault::new(
                at,
                format!("with this alias lists and maps are nested more than {MAX_DEPTH} deep"),
                "write the value out",
            ));
        }
        self.spend(at, nodes, bytes)?;
        let Some(Some(anchored)) = self.anchors.get(anchor) else { return Ok(()) };
        let node = Node { value: anchored.node.value.clone(), at };
        if self.wants_key() {
            return Err(Fault::new(at, "a key is an alias", "write a text as the key"));
        }
        self.add(node, depth);
        Ok(())
    }

    /// Makes room for an anchor that is not yet complete.
    fn reserve(&mut self, anchor: usize) {
        if anchor >= self.anchors.len() {
            self.anchors.resize_with(anchor + 1, || None);
        }
    }

    fn spend(&mut self, at: At, nodes: usize, bytes: usize) -> Result<(), Fault> {
        self.nodes = self.nodes.saturating_add(nodes);
        self.bytes = self.bytes.saturating_add(bytes);
        if self.nodes > MAX_NODES || self.bytes > MAX_TEXT {
            let message = format!(
                "the file grows beyond {MAX_NODES} values or {} MiB of text here, aliases counted",
                MAX_TEXT >> 20
            );
            return Err(Fault::new(
                at,
                message,
                "keep long lists in a file of their own: batch.itemsFrom.file",
            ));
        }
        Ok(())
    }

    /// Puts a finished node, which nests `depth` levels, where it belongs.
    fn add(&mut self, node: Node, depth: usize) {
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return;
        };
        open.deepest = open.deepest.max(depth + 1);
        match &mut open.content {
            Content::List(nodes) => nodes.push(node),
            Content::Map { entries, key, .. } => {
                let (name, at) = key.take().expect("a value in a map follows its key");
                if !matches!(node.value, Value::Null) {
                    entries.push(Entry { key: Key { name, written: None, foreign: false, at }, value: node });
                }
            }
        }
    }
}

fn tag_fault(at: At, tag: &Tag) -> Fault {
    Fault::new(
        at,
        format!("the tag `{}{}` is not read", tag.handle, tag.suffix),
        "take the tag out; quotes make a text",
    )
}
