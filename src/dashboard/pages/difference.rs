//! What differs between two attempts at a batch: a text of each, line by line.

use std::time::Duration;

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::Uri,
    response::Response,
};
use serde::{Deserialize, Serialize};
use similar::{ChangeTag, TextDiff};

use super::{
    batch::{SHOWN, Tab, kind_called},
    number, run_of,
};
use crate::{
    dashboard::{
        error::PageError,
        render::{self, Form},
        routes::Site,
        view::{JobEntry, Piece, RunEntry, TextKind, View},
    },
    job::identity::{AttemptKey, BatchNum},
    store::record::AttemptRecord,
};

/// Equal lines that are shown around those that differ.
const AROUND: usize = 3;
/// After this long what is left is taken for different throughout.
const PATIENCE: Duration = Duration::from_millis(200);

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct DifferenceQuery {
    /// The earlier attempt; the one before `to`, unless it is said.
    from: Option<String>,
    /// The later attempt; the last one, unless it is said.
    to: Option<String>,
    /// `output`, `errors`, `prompt` or `answer`; the prompt, unless it is said.
    show: Option<String>,
}

/// How a line stands to the other text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum Stands {
    Same,
    Removed,
    Added,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    stands: Stands,
    /// Its number in the earlier text, from 1.
    before: Option<usize>,
    /// Its number in the later text, from 1.
    after: Option<usize>,
    text: String,
}

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DifferencePage {
    job: JobEntry,
    run: RunEntry,
    number: BatchNum,
    attempts: Vec<AttemptRecord>,
    from: u32,
    to: u32,
    tabs: Vec<Tab>,
    /// Pieces of both texts around what differs; none where they are the same.
    pieces: Vec<Vec<Line>>,
    /// Whether only the ends of texts were looked at.
    cut: bool,
}

/// `GET /jobs/{job}/runs/{run}/batches/{batch}/difference`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path((key, run, batch)): Path<(String, u32, u32)>,
    Query(query): Query<DifferenceQuery>,
) -> Result<Response, PageError> {
    let view = &*site.view;
    let (job, run) = run_of(view, &key, run).await?;
    let batch = BatchNum(batch);
    let attempts = view.attempts(&run.id, batch).await?;
    let [first, .., last] = attempts.as_slice() else {
        let message = format!("Batch {batch} has {} attempts: two are needed to compare.", attempts.len());
        return Err(PageError::not_found(message));
    };
    let to = number(query.to.as_deref(), "to")?.unwrap_or(last.ordinal);
    let before = attempts.iter().rev().map(|attempt| attempt.ordinal).find(|ordinal| *ordinal < to);
    let from = number(query.from.as_deref(), "from")?.unwrap_or(before.unwrap_or(first.ordinal));
    for ordinal in [from, to] {
        if !attempts.iter().any(|attempt| attempt.ordinal == ordinal) {
            let message = format!("Batch {batch} has {} attempts, and no attempt {ordinal}.", attempts.len());
            return Err(PageError::not_found(message));
        }
    }
    let word = query.show.as_deref().filter(|word| !word.is_empty()).unwrap_or("prompt");
    let kind = kind_called(word)?;
    let earlier = end_of(view, &run, AttemptKey { batch, ordinal: from }, kind).await?;
    let later = end_of(view, &run, AttemptKey { batch, ordinal: to }, kind).await?;
    let here =
        format!("/jobs/{}/runs/{}/batches/{batch}/difference?from={from}&to={to}", job.key, run.record.run);
    let page = DifferencePage {
        job,
        run,
        number: batch,
        attempts,
        from,
        to,
        tabs: Tab::all(kind, |word| format!("{here}&show={word}")),
        pieces: pieces(&earlier.0, &later.0),
        cut: earlier.1 || later.1,
    };
    render::page(form, &uri, "difference.html", &page)
}

/// The end of a text, and whether anything stands before it. A text that was never written is empty.
async fn end_of(
    view: &impl View,
    run: &RunEntry,
    key: AttemptKey,
    kind: TextKind,
) -> Result<(String, bool), PageError> {
    let found = view.text(&run.id, key, kind, Piece::Last(SHOWN)).await?;
    Ok(found.map_or_else(Default::default, |found| {
        (String::from_utf8_lossy(&found.bytes).into_owned(), found.offset > 0)
    }))
}

/// Both texts around what differs, line by line; nothing where they are the same.
pub fn pieces(earlier: &str, later: &str) -> Vec<Vec<Line>> {
    let difference = TextDiff::configure().timeout(PATIENCE).diff_lines(earlier, later);
    let groups = difference.grouped_ops(AROUND);
    let lines = |group: &Vec<similar::DiffOp>| {
        let changes = group.iter().flat_map(|operation| difference.iter_changes(operation));
        changes
            .map(|change| Line {
                stands: match change.tag() {
                    ChangeTag::Equal => Stands::Same,
                    ChangeTag::Delete => Stands::Removed,
                    ChangeTag::Insert => Stands::Added,
                },
                before: change.old_index().map(|index| index + 1),
                after: change.new_index().map(|index| index + 1),
                text: change.value().trim_end_matches(['\r', '\n']).to_owned(),
            })
            .collect()
    };
    groups.iter().map(lines).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(earlier: &str, later: &str) -> Vec<String> {
        let mark = |line: &Line| match line.stands {
            Stands::Same => ' ',
            Stands::Removed => '-',
            Stands::Added => '+',
        };
        let number =
            |number: Option<usize>| number.map_or_else(|| "·".to_owned(), |number| number.to_string());
        pieces(earlier, later)
            .iter()
            .flatten()
            .map(|line| format!("{}{} {} {}", mark(line), number(line.before), number(line.after), line.text))
            .collect()
    }

    #[test]
    fn what_is_the_same_far_from_a_change_is_left_out() {
        assert_eq!(shown("a\nb\n", "a\nb\n"), Vec::<String>::new());
        assert_eq!(
            shown("1\n2\n3\n4\n5\nold\n", "1\n2\n3\n4\n5\nnew\nmore"),
            [" 3 3 3", " 4 4 4", " 5 5 5", "-6 · old", "+· 6 new", "+· 7 more"]
        );
        assert_eq!(shown("", "only\n"), ["+· 1 only"]);
    }
}
