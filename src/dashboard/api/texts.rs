//! A text of an attempt as it was written, whole or a range of its bytes, read as it is sent.

use std::{io, ops::Range};

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};

use crate::{
    dashboard::{
        error::PageError,
        pages::{batch::kind_called, run_of},
        routes::Site,
        view::{Piece, Text, TextKind, View},
    },
    job::identity::{AttemptKey, BatchNum, RunId},
};

/// So much is read at a time, in bytes.
const AT_ONCE: u64 = 256 << 10;

/// `GET /api/v1/…/attempts/{attempt}/{text}`.
pub async fn show<V: View>(
    State(site): State<Site<V>>,
    Path((key, run, batch, ordinal, text)): Path<(String, u32, u32, u32, String)>,
    headers: HeaderMap,
) -> Result<Response, PageError> {
    let (job, run) = run_of(&*site.view, &key, run).await?;
    let kind = kind_called(&text)?;
    let key = AttemptKey { batch: BatchNum(batch), ordinal };
    let found = site.view.text(&run.id, key, kind, Piece::From { offset: 0, limit: 0 }).await?;
    let Some(Text { offset: first, total, .. }) = found else {
        let why = site.view.absence(&run.id, key, kind).await?;
        let why = why.unwrap_or_else(|| "This text was not written, or its files are gone.".to_owned());
        return Err(PageError::not_found(why));
    };
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let (status, range) = match asked.map_or(Asked::Whole, |asked| Asked::of(asked, total)) {
        // Of a long text that is held in memory the beginning is gone.
        Asked::Whole => (StatusCode::OK, first..total),
        Asked::Part(range) if range.start >= first => (StatusCode::PARTIAL_CONTENT, range),
        Asked::Part(_) | Asked::Beyond => {
            let told = [(header::CONTENT_RANGE, format!("bytes */{total}"))];
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, told).into_response());
        }
    };
    let name = format!("{}-r{}-{key}-{text}.txt", job.name, run.record.run);
    let mut response = bytes(site, run.id, key, kind, range.clone()).into_response();
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_DISPOSITION, value(format!("attachment; filename=\"{name}\"")));
    if status == StatusCode::PARTIAL_CONTENT {
        let range = format!("bytes {}-{}/{total}", range.start, range.end - 1);
        headers.insert(header::CONTENT_RANGE, value(range));
    }
    Ok(response)
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("attachment"))
}

/// What `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asked {
    /// All, as with a field that is not understood.
    Whole,
    Part(Range<u64>),
    /// What is not there.
    Beyond,
}

impl Asked {
    fn of(asked: &str, total: u64) -> Self {
        match range(asked, total) {
            None => Self::Whole,
            Some(range) if range.is_empty() => Self::Beyond,
            Some(range) => Self::Part(range),
        }
    }
}

fn range(asked: &str, total: u64) -> Option<Range<u64>> {
    let (first, last) = asked.strip_prefix("bytes=")?.split_once('-')?;
    match (first.trim(), last.trim()) {
        ("", last) => Some(total.saturating_sub(last.parse().ok()?)..total),
        (first, "") => Some(first.parse().ok()?..total),
        (first, last) => {
            let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then(|| first..total.min(last.saturating_add(1)))
        }
    }
}

fn bytes<V: View>(site: Site<V>, run: RunId, key: AttemptKey, kind: TextKind, range: Range<u64>) -> Body {
    let pieces = futures::stream::unfold((site, run, range), move |(site, run, range)| async move {
        if range.is_empty() {
            return None;
        }
        let piece = Piece::From { offset: range.start, limit: AT_ONCE.min(range.end - range.start) };
        let read = site.view.text(&run, key, kind, piece).await;
        let read = match read {
            Ok(Some(text)) if !text.bytes.is_empty() => Ok(text.bytes),
            // The connection breaks off, so that nobody takes a part for the whole.
            Ok(_) => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the text was cut meanwhile")),
            Err(error) => Err(io::Error::other(error)),
        };
        let left = read.as_ref().map_or(range.end, |bytes| range.start + bytes.len() as u64)..range.end;
        Some((read, (site, run, left)))
    });
    Body::from_stream(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_cut_to_what_is_there_and_nonsense_asks_for_all() {
        for (asked, found) in [
            ("bytes=0-3", Asked::Part(0..4)),
            ("bytes=2-", Asked::Part(2..10)),
            ("bytes=-3", Asked::Part(7..10)),
            ("bytes=-99", Asked::Part(0..10)),
            ("bytes=8-99", Asked::Part(8..10)),
            ("bytes=10-", Asked::Beyond),
            ("bytes=-0", Asked::Beyond),
            ("bytes=3-2", Asked::Whole),
            ("bytes=0-1,4-5", Asked::Whole),
            ("lines=0-1", Asked::Whole),
            ("bytes=x-", Asked::Whole),
        ] {
            assert_eq!(Asked::of(asked, 10), found, "{asked}");
        }
    }
}
