//! What attempts write, line by line: read in pieces, and followed while it is written.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    convert::Infallible,
    time::Duration,
};

use axum::{
    Extension, Json,
    extract::{Path, Query, State},
    http::{HeaderMap, Uri},
    response::{
        Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::Stream;
use serde::{Deserialize, Serialize};

use super::{batch::kind_called, run_of};
use crate::{
    dashboard::{
        error::PageError,
        render::{self, Form},
        routes::Site,
        view::{JobEntry, Piece, RunEntry, TextKind, View},
    },
    job::identity::{AttemptKey, BatchNum, RunId},
    show::{said, terminal::Look},
    store::record::{AttemptState, BatchState},
};

/// How often a text is looked at for more.
const LOOK: Duration = Duration::from_millis(200);
/// The most of a text in one answer or event, in bytes.
const AT_ONCE: u64 = 1 << 20;
/// A line that is longer is cut here: nobody's browser is to hold it.
const LINE_MAX: usize = 64 << 10;
/// Of an attempt that runs already when a run's log is opened, so much is shown, in bytes.
const BEFORE: u64 = 8 << 10;

/// Claude Code's events are said as they read on a terminal; the viewer knows the colours.
const LOOK_OF_SAID: Look = Look { terminal: true, color: true, unicode: true, moves: false, width: None };

/// What the address says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct LinesQuery {
    /// The first byte.
    from: u64,
    /// `said` is what Claude says; else the text as it was written.
    r#as: Option<String>,
}

/// A part of a text, in lines.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    lines: Vec<String>,
    /// From which of them on the time is which, in milliseconds since 1970; nothing where it is not known.
    times: Vec<(usize, i64)>,
    /// Where the next ones begin.
    next: u64,
    /// How long the text is now.
    total: u64,
    /// Whether its attempt has ended.
    ended: bool,
}

/// The page of a run's log.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct LogPage {
    job: JobEntry,
    run: RunEntry,
}

/// A text of an attempt, as an address names it.
#[derive(Debug)]
struct Source {
    run: RunId,
    key: AttemptKey,
    kind: TextKind,
    as_said: bool,
}

type TextPath = (String, u32, u32, u32, String);

async fn source(view: &impl View, path: TextPath, query: &LinesQuery) -> Result<Source, PageError> {
    let (key, run, batch, ordinal, text) = path;
    let (_, run) = run_of(view, &key, run).await?;
    let as_said = match query.r#as.as_deref() {
        None | Some("raw") => false,
        Some("said") => true,
        Some(other) => {
            return Err(PageError::bad_request(format!("`as` is {other}: it may be said or raw.")));
        }
    };
    Ok(Source {
        run: run.id,
        key: AttemptKey { batch: BatchNum(batch), ordinal },
        kind: kind_called(&text)?,
        as_said,
    })
}

/// `GET …/attempts/{attempt}/{text}/lines`: whole lines from a place on.
pub async fn lines<V: View>(
    State(site): State<Site<V>>,
    Path(path): Path<TextPath>,
    Query(query): Query<LinesQuery>,
) -> Result<Response, PageError> {
    let source = source(&*site.view, path, &query).await?;
    let ended = has_ended(&*site.view, &source.run, source.key).await?;
    let lines = read(&*site.view, &source, query.from, ended).await?;
    Ok(axum::response::IntoResponse::into_response(Json(lines)))
}

async fn has_ended(view: &impl View, run: &RunId, key: AttemptKey) -> Result<bool, PageError> {
    let attempts = view.attempts(run, key.batch).await?;
    let attempt = attempts.iter().find(|attempt| attempt.ordinal == key.ordinal);
    Ok(attempt.is_none_or(|attempt| attempt.state != AttemptState::Running))
}

/// The whole lines from `from` on; of a text that is complete also the last one without an end.
async fn read(view: &impl View, source: &Source, from: u64, complete: bool) -> Result<Part, PageError> {
    let piece = Piece::From { offset: from, limit: AT_ONCE };
    let found = view.text(&source.run, source.key, source.kind, piece).await?;
    let Some(found) = found else {
        return Ok(Part { lines: Vec::new(), times: Vec::new(), next: 0, total: 0, ended: complete });
    };
    let read_all = found.offset + found.bytes.len() as u64 >= found.total;
    let whole = match found.bytes.iter().rposition(|byte| *byte == b'\n') {
        _ if complete && read_all => found.bytes.len(),
        Some(end) => end + 1,
        // A line that fills a whole piece is cut, or nothing would ever come after it.
        None if found.bytes.len() as u64 == AT_ONCE => found.bytes.len(),
        None => 0,
    };
    let text = &found.bytes[..whole];
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    let (mut lines, mut times) = (Vec::new(), Vec::new());
    if whole > 0 {
        let mut clock = Clock::of(view.times(&source.run, source.key, source.kind).await);
        let mut end = found.offset;
        for line in text.split(|byte| *byte == b'\n') {
            end += line.len() as u64 + 1;
            times.extend(clock.changes_at(end).map(|time| (lines.len(), time)));
            lines.extend(shown(line, source.as_said));
        }
    }
    let next = found.offset + whole as u64;
    Ok(Part { lines, times, next, total: found.total, ended: complete && read_all })
}

/// When the lines of a text were written, asked in their order.
#[derive(Debug)]
struct Clock {
    /// How long the text was, and when.
    entries: std::iter::Peekable<std::vec::IntoIter<(u64, i64)>>,
    told: Option<i64>,
}

impl Clock {
    fn of(entries: Vec<(u64, i64)>) -> Self {
        Self { entries: entries.into_iter().peekable(), told: None }
    }

    /// The time of a line that ends before `end`, where it is another than that of the line before it. What was written
    /// after the last look counts as of that time.
    fn changes_at(&mut self, end: u64) -> Option<i64> {
        let mut time = None;
        while let Some((length, at)) = self.entries.peek() {
            time = Some(*at);
            if *length >= end {
                break;
            }
            self.entries.next();
        }
        let time = time.filter(|time| self.told != Some(*time))?;
        self.told = Some(time);
        Some(time)
    }
}

fn shown(line: &[u8], as_said: bool) -> Vec<String> {
    let line = String::from_utf8_lossy(line);
    if as_said {
        return said::lines(&line, &LOOK_OF_SAID).into_iter().map(cut).collect();
    }
    vec![cut(line.into_owned())]
}

fn cut(line: String) -> String {
    let kept = line.floor_char_boundary(LINE_MAX);
    if kept == line.len() {
        return line;
    }
    let left_out = line.len() - kept;
    format!("{} [mozart: {left_out} bytes of this line are not shown]", &line[..kept])
}

/// `GET …/attempts/{attempt}/{text}/follow`: lines as they are written. An event's id is where the next ones begin.
pub async fn follow<V: View>(
    State(site): State<Site<V>>,
    Path(path): Path<TextPath>,
    Query(query): Query<LinesQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageError> {
    let source = source(&*site.view, path, &query).await?;
    let from = last_event_id(&headers).and_then(|id| id.parse().ok()).unwrap_or(query.from);
    let place = site.feeds.read()?;
    let events = futures::stream::unfold((Some((site, source, from)), place), async |(state, place)| {
        let (site, source, from) = state?;
        loop {
            // Asked before the text is read: what is written until then is shown before the end is believed.
            let ended = has_ended(&*site.view, &source.run, source.key).await.ok()?;
            let lines = read(&*site.view, &source, from, ended).await.ok()?;
            if lines.total < from {
                // An ended text was cut to what is kept: it is read anew.
                let event = Event::default().event("cut").id("0").data("{}");
                return Some((Ok(event), (Some((site, source, 0)), place)));
            }
            if !lines.lines.is_empty() || lines.next > from {
                let next = lines.next;
                let event = Event::default().event("lines").id(next.to_string()).json_data(&lines).ok()?;
                return Some((Ok(event), (Some((site, source, next)), place)));
            }
            if lines.ended {
                let event = Event::default().event("end").id(from.to_string()).data("{}");
                return Some((Ok(event), (None, place)));
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id")?.to_str().ok()
}

/// `GET /jobs/{job}/runs/{run}/log`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Extension(form): Extension<Form>,
    uri: Uri,
    Path((key, run)): Path<(String, u32)>,
) -> Result<Response, PageError> {
    let (job, run) = run_of(&*site.view, &key, run).await?;
    render::page(form, &uri, "log.html", &LogPage { job, run })
}

/// How far each attempt that runs was shown.
type Places = BTreeMap<(u32, u32), u64>;

/// Lines of several attempts.
#[derive(Debug, Serialize)]
struct Merged {
    /// Each with the attempt that wrote it.
    lines: Vec<(String, String)>,
    /// From which of them on the time is which, in milliseconds since 1970; 0 where it is not known.
    times: Vec<(usize, i64)>,
}

/// `GET /jobs/{job}/runs/{run}/log/follow`: what all attempts write. An event's id says how far each was shown.
pub async fn follow_run<V: View>(
    State(site): State<Site<V>>,
    Path((key, run)): Path<(String, u32)>,
    Query(query): Query<LinesQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, PageError> {
    let (job, entry) = run_of(&*site.view, &key, run).await?;
    let as_said = query.r#as.as_deref() != Some("raw");
    let seen = last_event_id(&headers).map(places_of);
    let place = site.feeds.read()?;
    let state = (site, job, entry.id, seen);
    let events = futures::stream::unfold((Some(state), place), move |(state, place)| async move {
        let (site, job, id, mut seen) = state?;
        loop {
            let driven = site.view.run(&job, id.run).await.ok()??.driven_by.is_some();
            let mut places = seen.clone().unwrap_or_default();
            let running = site.view.batches(&id, Some(BatchState::Running), BatchNum(0), 1_000).await.ok()?;
            for batch in running {
                let place = (batch.batch.0, batch.attempts);
                if let Entry::Vacant(new) = places.entry(place) {
                    // What ran before anybody looked is shown from near its end.
                    new.insert(if seen.is_none() { beginning(&site, &id, place).await } else { 0 });
                }
            }
            let merged = advance(&site, &id, &mut places, as_said).await?;
            let told = places_text(&places);
            if !merged.lines.is_empty() {
                let event = Event::default().event("lines").id(told).json_data(&merged).ok()?;
                return Some((Ok(event), (Some((site, job, id, Some(places))), place)));
            }
            seen = Some(places);
            if !driven {
                return Some((Ok(Event::default().event("end").id(told).data("{}")), (None, place)));
            }
            tokio::time::sleep(LOOK).await;
        }
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()))
}

/// Reads on in each attempt; those that have ended and were shown to their end are forgotten.
async fn advance<V: View>(site: &Site<V>, run: &RunId, places: &mut Places, as_said: bool) -> Option<Merged> {
    let mut merged = Merged { lines: Vec::new(), times: Vec::new() };
    let mut over = Vec::new();
    for (place, from) in places.iter_mut() {
        let key = AttemptKey { batch: BatchNum(place.0), ordinal: place.1 };
        let source = Source { run: run.clone(), key, kind: TextKind::Stdout, as_said };
        let ended = has_ended(&*site.view, run, key).await.ok()?;
        let read = read(&*site.view, &source, *from, ended).await.ok()?;
        *from = read.next;
        let begin = merged.lines.len();
        // No attempt's lines have the time of another's.
        if !read.lines.is_empty() && read.times.first().is_none_or(|(first, _)| *first > 0) {
            merged.times.push((begin, 0));
        }
        merged.times.extend(read.times.into_iter().map(|(line, time)| (begin + line, time)));
        merged.lines.extend(read.lines.into_iter().map(|line| (key.to_string(), line)));
        if read.ended {
            over.push(*place);
        }
    }
    for place in over {
        places.remove(&place);
    }
    Some(merged)
}

/// The first line that begins within the last [`BEFORE`] bytes.
async fn beginning<V: View>(site: &Site<V>, run: &RunId, place: (u32, u32)) -> u64 {
    let key = AttemptKey { batch: BatchNum(place.0), ordinal: place.1 };
    let found = site.view.text(run, key, TextKind::Stdout, Piece::Last(BEFORE)).await;
    let Ok(Some(found)) = found else { return 0 };
    if found.offset == 0 {
        return 0;
    }
    let line = found.bytes.iter().position(|byte| *byte == b'\n').map_or(found.bytes.len(), |end| end + 1);
    found.offset + line as u64
}

/// `12-1:4096,13-1:55`, and back.
fn places_text(places: &Places) -> String {
    let one = |((batch, ordinal), at): (&(u32, u32), &u64)| format!("{batch}-{ordinal}:{at}");
    let all: Vec<String> = places.iter().map(one).collect();
    // An empty id would forget the last one.
    if all.is_empty() { "none".to_owned() } else { all.join(",") }
}

fn places_of(text: &str) -> Places {
    let one = |part: &str| {
        let (attempt, at) = part.split_once(':')?;
        let (batch, ordinal) = attempt.split_once('-')?;
        Some(((batch.parse().ok()?, ordinal.parse().ok()?), at.parse().ok()?))
    };
    text.split(',').filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_survive_the_way_through_an_id() {
        let places: Places = [((12, 1), 4096), ((13, 2), 0)].into();
        assert_eq!(places_text(&places), "12-1:4096,13-2:0");
        assert_eq!(places_of(&places_text(&places)), places);
        assert_eq!(places_of("none"), Places::new());
        assert_eq!(places_of("<script>,1-2,3:4"), Places::new());
    }

    #[test]
    fn a_line_has_the_time_at_which_it_was_first_seen_whole() {
        let mut clock = Clock::of(vec![(10, 1), (10, 2), (20, 3)]);
        let told: Vec<_> = [5, 10, 11, 20, 21, 30].into_iter().map(|end| clock.changes_at(end)).collect();
        assert_eq!(told, [Some(1), None, Some(3), None, None, None]);
        assert_eq!(Clock::of(Vec::new()).changes_at(1), None);
    }

    #[test]
    fn a_line_that_no_browser_should_hold_is_cut_and_says_so() {
        let cut = cut("é".repeat(LINE_MAX));
        assert!(cut.len() < LINE_MAX + 80 && cut.ends_with("bytes of this line are not shown]"));
    }
}
