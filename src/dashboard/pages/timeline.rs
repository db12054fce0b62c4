//! When what ran: a row for each batch, with its attempts and its waits as segments of their own.

use std::{collections::BTreeMap, time::Duration};

use axum::{
    Extension,
    extract::{Path, Query, State},
    http::Uri,
    response::Response,
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::{number, run_of};
use crate::{
    dashboard::{
        error::PageError,
        render::{self, Form, query_string},
        routes::Site,
        view::{JobEntry, RunEntry, View},
    },
    job::{identity::BatchNum, outcome::FailureClass},
    show::format,
    store::record::{AttemptRecord, AttemptState, BatchRecord, BatchState},
};

/// How many batches are drawn at a time.
const ROWS: u32 = 100;
/// The width of the drawing, in its own units.
const WIDTH: f64 = 1000.0;

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TimelineQuery {
    /// Where the page begins: the last batch of the one before.
    after: Option<String>,
    /// `unfinished` leaves out the batches that succeeded.
    show: Option<String>,
    /// What is drawn begins so many seconds after the run did.
    from: Option<String>,
    /// It ends so many seconds after the run began.
    to: Option<String>,
}

/// What a segment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum SegmentKind {
    /// It waits for a place among those that run.
    Queue,
    /// An attempt that goes on.
    Running,
    /// An attempt that did its batch.
    Succeeded,
    /// An attempt that ended otherwise.
    Failed,
    /// It waits for its next try.
    Backoff,
    /// It waits for a limit of the credential.
    Limit,
}

/// A piece of a batch's time.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
struct Segment {
    kind: SegmentKind,
    /// Which attempt, for one.
    attempt: Option<u32>,
    from: Timestamp,
    to: Timestamp,
    seconds: f64,
    /// What ended the attempt, or is waited for.
    reason: Option<String>,
    /// In the drawing, of a width of 1000.
    x: f64,
    width: f64,
}

/// A batch.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    batch: BatchNum,
    /// What the job calls it.
    label: Option<String>,
    state: BatchState,
    segments: Vec<Segment>,
}

/// A mark of the scale.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Tick {
    at: Timestamp,
    seconds: f64,
    /// The time since the run began, as finely as the marks need it to differ.
    words: String,
}

/// The page.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TimelinePage {
    job: JobEntry,
    run: RunEntry,
    rows: Vec<Row>,
    ticks: Vec<Tick>,
    /// What is drawn, in seconds from the run's start.
    from: f64,
    to: f64,
    unfinished: bool,
    next: Option<String>,
    first: Option<String>,
    /// Half of what is drawn, around its middle; twice of it; and all.
    zoom_in: String,
    zoom_out: String,
    whole: String,
    /// The other choice of what is shown.
    other: String,
}

/// `GET /jobs/{job}/runs/{run}/timeline`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path((key, run)): Path<(String, u32)>,
    Query(query): Query<TimelineQuery>,
) -> Result<Response, PageError> {
    let view = &*site.view;
    let (job, run) = run_of(view, &key, run).await?;
    let after = number(query.after.as_deref(), "after")?.unwrap_or(0);
    let unfinished = match query.show.as_deref() {
        None | Some("" | "all") => false,
        Some("unfinished") => true,
        Some(other) => {
            return Err(PageError::bad_request(format!("`show` is {other}: it may be all or unfinished.")));
        }
    };
    let (batches, more) = batches(view, &run, unfinished, BatchNum(after)).await?;
    let (mut attempts, mut labels) = (Vec::new(), BTreeMap::new());
    if let (Some(first), Some(last)) = (batches.first(), batches.last()) {
        attempts = view.attempts_between(&run.id, first.batch, last.batch).await?;
        labels = view.labels(&run.id, first.batch, last.batch).await?;
    }
    let now = Timestamp::now();
    let mut rows: Vec<Row> = batches
        .into_iter()
        .map(|batch| {
            let own = attempts.iter().filter(|attempt| attempt.batch == batch.batch);
            let segments = segments(&run, &batch, &own.collect::<Vec<_>>(), now);
            Row { label: labels.remove(&batch.batch), batch: batch.batch, state: batch.state, segments }
        })
        .collect();
    let start = run.record.started;
    let (from, to) = window(&query, start, &rows, now)?;
    for segment in rows.iter_mut().flat_map(|row| &mut row.segments) {
        place(segment, start, from, to);
    }
    for row in &mut rows {
        row.segments.retain(|segment| segment.width > 0.0);
    }
    let here = format!("/jobs/{}/runs/{}/timeline", job.key, run.record.run);
    let link = |show: Option<&str>, after: Option<u32>, window: Option<(f64, f64)>| {
        let seconds = |value: f64| Some(format!("{:.1}", value.max(0.0)));
        let fields = [
            ("show", show.map(str::to_owned)),
            ("after", after.filter(|after| *after > 0).map(|after| after.to_string())),
            ("from", window.and_then(|(from, _)| seconds(from))),
            ("to", window.and_then(|(_, to)| seconds(to))),
        ];
        format!("{here}{}", query_string(&fields))
    };
    let shown = unfinished.then_some("unfinished");
    let (middle, half) = (f64::midpoint(from, to), (to - from) / 2.0);
    let page = TimelinePage {
        next: rows.last().filter(|_| more).map(|last| link(shown, Some(last.batch.0), None)),
        first: (after > 0).then(|| link(shown, None, None)),
        zoom_in: link(shown, Some(after), Some((middle - half / 2.0, middle + half / 2.0))),
        zoom_out: link(shown, Some(after), Some((middle - half * 2.0, middle + half * 2.0))),
        whole: link(shown, Some(after), Some((0.0, seconds_between(start, run.record.ended.unwrap_or(now))))),
        other: link(if unfinished { None } else { Some("unfinished") }, None, None),
        ticks: ticks(start, from, to),
        from,
        to,
        job,
        run,
        rows,
        unfinished,
    };
    render::page(form, &uri, "timeline.html", &page)
}

/// A page of batches, and whether more follow.
async fn batches(
    view: &impl View,
    run: &RunEntry,
    unfinished: bool,
    after: BatchNum,
) -> Result<(Vec<BatchRecord>, bool), PageError> {
    let states: &[Option<BatchState>] = if unfinished {
        &[Some(BatchState::Running), Some(BatchState::Waiting), Some(BatchState::Failed)]
    } else {
        &[None]
    };
    let mut found = Vec::new();
    for state in states {
        found.extend(view.batches(&run.id, *state, after, ROWS + 1).await?);
    }
    found.sort_by_key(|batch| batch.batch);
    let more = found.len() > ROWS as usize;
    found.truncate(ROWS as usize);
    Ok((found, more))
}

/// What a batch's time was spent on, in order.
fn segments(
    run: &RunEntry,
    batch: &BatchRecord,
    attempts: &[&AttemptRecord],
    now: Timestamp,
) -> Vec<Segment> {
    let mut segments = Vec::new();
    let mut add = |kind, attempt, from: Timestamp, to: Timestamp, reason: Option<String>| {
        if to > from {
            let seconds = seconds_between(from, to);
            segments.push(Segment { kind, attempt, from, to, seconds, reason, x: 0.0, width: 0.0 });
        }
    };
    let mut at = run.record.started;
    let mut wait = (SegmentKind::Queue, None);
    for attempt in attempts {
        let Some(started) = attempt.started else { continue };
        add(wait.0, None, at, started, wait.1);
        let kind = match attempt.state {
            AttemptState::Running => SegmentKind::Running,
            AttemptState::Succeeded => SegmentKind::Succeeded,
            AttemptState::Failed => SegmentKind::Failed,
        };
        let ended = attempt.ended.unwrap_or(now);
        add(kind, Some(attempt.ordinal), started, ended, attempt.reason.clone());
        at = ended;
        wait = (wait_after(attempt.class), attempt.reason.clone());
    }
    if batch.state == BatchState::Waiting && run.driven_by.is_some() {
        add(wait.0, None, at, now, wait.1);
    }
    segments
}

fn wait_after(class: Option<FailureClass>) -> SegmentKind {
    use FailureClass::{Hold, Limit, Throttle, Unreachable};
    match class {
        Some(Limit | Throttle | Unreachable | Hold) => SegmentKind::Limit,
        _ => SegmentKind::Backoff,
    }
}

/// What is drawn, in seconds from the run's start: what the address says, else all attempts of the rows.
fn window(
    query: &TimelineQuery,
    start: Timestamp,
    rows: &[Row],
    now: Timestamp,
) -> Result<(f64, f64), PageError> {
    let drawn =
        rows.iter().flat_map(|row| &row.segments).filter(|segment| segment.kind != SegmentKind::Queue);
    let from =
        drawn.clone().map(|segment| seconds_between(start, segment.from)).reduce(f64::min).unwrap_or(0.0);
    let to = drawn.map(|segment| seconds_between(start, segment.to)).reduce(f64::max);
    let to = to.unwrap_or_else(|| seconds_between(start, now));
    let from =
        number(query.from.as_deref(), "from")?.filter(|from: &f64| from.is_finite()).unwrap_or(from).max(0.0);
    let to = number(query.to.as_deref(), "to")?.filter(|to: &f64| to.is_finite()).unwrap_or(to);
    // At least a tenth of a second, or nothing could be divided by it.
    Ok((from, to.max(from + 0.1)))
}

fn place(segment: &mut Segment, start: Timestamp, from: f64, to: f64) {
    let scale = WIDTH / (to - from);
    let left = ((seconds_between(start, segment.from) - from) * scale).clamp(0.0, WIDTH);
    let right = ((seconds_between(start, segment.to) - from) * scale).clamp(0.0, WIDTH);
    segment.x = (left * 100.0).round() / 100.0;
    // What is in sight at all is a line that one can point at.
    let width = if right > left { (right - left).max(1.5) } else { 0.0 };
    segment.width = (width * 100.0).round() / 100.0;
}

fn ticks(start: Timestamp, from: f64, to: f64) -> Vec<Tick> {
    let apart = (to - from) / 4.0;
    let tick = |part: u32| {
        let seconds = from + apart * f64::from(part);
        let words = if apart < 0.1 {
            format!("{seconds:.2}s")
        } else if apart < 1.0 {
            format!("{seconds:.1}s")
        } else {
            format::duration(Duration::from_secs_f64(seconds))
        };
        Tick { at: start + SignedDuration::from_secs_f64(seconds), seconds, words }
    };
    (0..=4).map(tick).collect()
}

fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64().max(0.0)
}
