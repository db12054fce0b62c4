//! The fenced blocks of the documents.

use super::documents;

/// A fenced block.
pub(super) struct Block {
    /// Its page and line, for people.
    pub(super) place: String,
    /// The word behind the fence.
    pub(super) language: String,
    /// What is between the fences.
    pub(super) text: String,
}

/// The blocks of a page, in order.
pub(super) fn of(page: &str, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in (1..).zip(text.lines()) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let place = format!("{page}:{number}");
                open = Some(Block { place, language: language.to_owned(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{page}: a block has no end");
    blocks
}

/// Those of every document.
pub(super) fn all() -> Vec<Block> {
    let blocks = documents().into_iter().flat_map(|(path, text)| of(&path.display().to_string(), &text));
    blocks.collect()
}
