//! Drawings as SVG paths: one node for each kind of thing, however many things there are.

use std::fmt::Write as _;

use serde::Serialize;

use super::view::Cells;
use crate::engine::ranges::Ranges;

/// A cell and the gap to the next one, in the drawing's units.
const PITCH: u32 = 12;
/// The most cells in a row.
const COLUMNS_MAX: u32 = 100;
/// So many batches are few.
const FEW: u32 = 400;
/// A short run is drawn in rows of so many.
const COLUMNS_MIN: u32 = 25;

/// All batches of a run as a grid, a path for each state. Shapes differ, so that colour is not needed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Strip {
    columns: u32,
    pitch: u32,
    width: u32,
    height: u32,
    /// How wide it is shown where there is room: few batches are drawn larger.
    shown_width: u32,
    succeeded: String,
    failed: String,
    running: String,
    waiting: String,
    pending: String,
    left_out: String,
}

/// The grid of `cells`.
pub fn strip(cells: &Cells) -> Strip {
    let total = cells.of_total;
    let columns = match total {
        0..=COLUMNS_MIN => total.max(1),
        _ => (total.isqrt() * 2).clamp(COLUMNS_MIN, COLUMNS_MAX),
    };
    let pending = cells.to_be_started();
    let left_out = Ranges::span(1, total).without(&cells.selected);
    Strip {
        columns,
        pitch: PITCH,
        width: columns * PITCH,
        shown_width: columns * PITCH * if total <= FEW { 2 } else { 1 },
        height: total.div_ceil(columns).max(1) * PITCH,
        succeeded: path(&cells.succeeded, columns, "h10v10h-10z"),
        failed: path(&cells.failed, columns, "h10v10h-10zm2 2l6 6m0-6l-6 6m-2-8"),
        running: path(&cells.running, columns, "m5-.5l5.5 5.5-5.5 5.5-5.5-5.5zm-5 .5"),
        waiting: path(&cells.waiting, columns, "m5 0l5 10h-10zm-5 0"),
        pending: path(&pending, columns, "m1 1h8v8h-8zm-1-1"),
        left_out: path(&left_out, columns, "m4 4h2v2h-2zm-4-4"),
    }
}

/// A path that draws `shape`, which ends where it began, in every cell of `batches`: relative steps, since equal text
/// compresses to nothing.
fn path(batches: &Ranges, columns: u32, shape: &str) -> String {
    let mut text = String::new();
    let mut at: Option<(u32, u32)> = None;
    for batch in batches.iter() {
        let index = batch.0.saturating_sub(1);
        let (row, column) = (index / columns, index % columns);
        let _ = match at {
            Some((last_row, last_column)) if last_row == row => {
                write!(text, "m{} 0{shape}", (column - last_column) * PITCH)
            }
            _ => write!(text, "M{} {}{shape}", column * PITCH + 1, row * PITCH + 1),
        };
        at = Some((row, column));
    }
    text
}

/// How a number went from run to run.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Trend {
    name: &'static str,
    /// The largest value.
    pub peak: f64,
    /// That for people.
    peak_words: String,
    /// The last run's.
    last_words: String,
    bars: Vec<Bar>,
}

/// One run's value.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Bar {
    run: u32,
    value: f64,
    /// For people.
    words: String,
    /// In a drawing of height 40 with a bar every 10.
    x: usize,
    y: f64,
    height: f64,
}

/// Bars for `values`, the oldest first, each with its run; `words` says one for people.
pub fn trend(name: &'static str, values: &[(u32, f64)], words: fn(f64) -> String) -> Trend {
    let peak = values.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let bars = values.iter().enumerate().map(|(index, (run, value))| {
        // Also nothing is a bar one can point at.
        let height = if peak > 0.0 { (value / peak * 40.0).max(1.0) } else { 1.0 };
        Bar { run: *run, value: *value, words: words(*value), x: index * 10, y: 40.0 - height, height }
    });
    let last_words = values.last().map(|(_, value)| words(*value)).unwrap_or_default();
    Trend { name, peak, peak_words: words(peak), last_words, bars: bars.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &str) -> Ranges {
        text.parse().unwrap()
    }

    #[test]
    fn every_batch_of_the_job_is_in_one_path() {
        let cells = Cells {
            of_total: 60,
            selected: ranges("1-50"),
            succeeded: ranges("1-20,22"),
            failed: ranges("21"),
            running: ranges("23-24"),
            waiting: ranges("25"),
        };
        let strip = strip(&cells);
        let shapes = |path: &str, begin: &str| path.matches(begin).count();
        assert_eq!(shapes(&strip.succeeded, "h10v10"), 21);
        assert_eq!(shapes(&strip.failed, "h10v10"), 1);
        assert_eq!(shapes(&strip.running, "l5.5 5.5"), 2);
        assert_eq!(shapes(&strip.waiting, "l5 10"), 1);
        assert_eq!(shapes(&strip.pending, "h8v8"), 25);
        assert_eq!(shapes(&strip.left_out, "h2v2"), 10);
        assert_eq!((strip.columns, strip.height), (25, 3 * PITCH));
    }

    #[test]
    fn five_thousand_batches_are_little_text() {
        let cells = Cells {
            of_total: 5_000,
            selected: ranges("1-5000"),
            succeeded: ranges("1-5000"),
            ..Cells::default()
        };
        let strip = strip(&cells);
        assert!(strip.succeeded.len() < 90_000, "{}", strip.succeeded.len());
        assert_eq!(strip.columns, COLUMNS_MAX);
    }

    #[test]
    fn a_path_goes_on_in_the_next_row() {
        assert_eq!(path(&ranges("2-3,26"), 25, "z"), "M13 1zm12 0zM1 13z");
    }
}
