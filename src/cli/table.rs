//! Columns for people: aligned by what is shown, cut to the terminal, whole where nobody looks.

use std::fmt::Write as _;

use super::terminal::{Look, Tone};

/// A cell: a text and what it means.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Tone,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }
}

impl Cell {
    /// A text with a meaning.
    pub fn toned(tone: Tone, text: impl Into<String>) -> Self {
        Self { text: text.into(), tone }
    }
}

/// Rows under headings.
#[derive(Clone, Debug)]
pub struct Table {
    headings: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table. The last column is the one that is cut where the terminal ends.
    pub fn new(headings: &[impl AsRef<str>]) -> Self {
        Self {
            headings: headings.iter().map(|heading| heading.as_ref().to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; as many cells as there are headings.
    pub fn row(&mut self, cells: Vec<Cell>) {
        debug_assert_eq!(cells.len(), self.headings.len(), "a cell for every heading");
        self.rows.push(cells);
    }

    /// The table as text, a line each row.
    pub fn render(&self, look: &Look) -> String {
        let mut widths: Vec<usize> = self.headings.iter().map(String::len).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(console::measure_text_width(&cell.text));
            }
        }
        let mut text = String::new();
        let headings = self.headings.iter().map(|heading| Cell::toned(Tone::Strong, heading)).collect();
        for row in std::iter::once(&headings).chain(&self.rows) {
            text.push_str(&line(row, &widths, look));
            text.push('\n');
        }
        text
    }
}

fn line(row: &[Cell], widths: &[usize], look: &Look) -> String {
    let mut text = String::new();
    let mut used = 0;
    for (index, (cell, width)) in row.iter().zip(widths).enumerate() {
        let is_last = index + 1 == row.len();
        // A cell is one line whatever is in it: a failure's message may have several.
        let content = cell.text.split_whitespace().collect::<Vec<_>>().join(" ");
        let content = match look.width {
            Some(columns) if is_last => {
                console::truncate_str(&content, columns.saturating_sub(used), look.symbol("…", "~"))
                    .into_owned()
            }
            _ => content,
        };
        let shown = console::measure_text_width(&content);
        let _ = write!(text, "{}", look.paint(cell.tone, &content));
        if !is_last {
            let gap = width.saturating_sub(shown) + 2;
            text.extend(std::iter::repeat_n(' ', gap));
            used += shown + gap;
        }
    }
    text.truncate(text.trim_end().len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(width: Option<usize>) -> Look {
        Look { terminal: width.is_some(), color: false, unicode: true, moves: false, width }
    }

    fn table() -> Table {
        let mut table = Table::new(&["JOB", "STATE", "MESSAGE"]);
        table.row(vec!["review/1".into(), "Complete".into(), "".into()]);
        table.row(vec![
            "näme/12".into(),
            "Failed".into(),
            "batch 3 has\nno report although it says so".into(),
        ]);
        table
    }

    #[test]
    fn columns_align_and_the_last_one_is_whole_off_a_terminal() {
        insta::assert_snapshot!(table().render(&look(None)), @"
        JOB       STATE     MESSAGE
        review/1  Complete
        näme/12   Failed    batch 3 has no report although it says so
        ");
    }

    #[test]
    fn the_last_column_is_cut_where_the_terminal_ends() {
        insta::assert_snapshot!(table().render(&look(Some(32))), @"
        JOB       STATE     MESSAGE
        review/1  Complete
        näme/12   Failed    batch 3 has…
        ");
    }
}
