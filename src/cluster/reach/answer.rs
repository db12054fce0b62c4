//! What the door answers, line by line; taken up after the last whole line where the way breaks off.

use std::{io, marker::PhantomData, time::Duration};

use futures::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _, stream::BoxStream};
use reqwest::header::AUTHORIZATION;
use serde::de::DeserializeOwned;

use super::{Door, Unreached};
use crate::cluster::door::{Placed, TROUBLE};

/// So often a way that breaks off is taken again without a line in between.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);
/// The operator opens its history in less.
const PATIENCE: Duration = Duration::from_mins(1);

/// Lines of one kind.
pub struct Lines<'a, T> {
    door: &'a Door,
    path: String,
    query: Vec<(&'static str, String)>,
    after: Option<String>,
    open: Option<BoxStream<'static, io::Result<String>>>,
    trouble: Option<String>,
    of: PhantomData<fn() -> T>,
}

impl Door {
    /// What the door says of a job at `page`, such as `history`.
    ///
    /// # Errors
    /// It refuses, or cannot be asked.
    pub async fn lines<T: DeserializeOwned + Placed>(
        &self,
        namespace: &str,
        job: &str,
        page: &str,
        query: Vec<(&'static str, String)>,
    ) -> Result<Lines<'_, T>, Unreached> {
        let path = format!("/api/v1/namespaces/{namespace}/jobs/{job}/{page}");
        let mut lines =
            Lines { door: self, path, query, after: None, open: None, trouble: None, of: PhantomData };
        lines.open().await?;
        Ok(lines)
    }
}

impl<T: DeserializeOwned + Placed> Lines<'_, T> {
    /// What is wrong with the operator's volume, in its words.
    pub fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    async fn open(&mut self) -> Result<(), Unreached> {
        let mut url = self.door.base.clone();
        url.set_path(&format!("{}{}", url.path().trim_end_matches('/'), self.path));
        {
            let mut pairs = url.query_pairs_mut();
            pairs.clear().extend_pairs(&self.query);
            if let Some(after) = &self.after {
                pairs.append_pair("after", after);
            }
        }
        let broken = |error: reqwest::Error| Unreached::Broken {
            at: self.door.base.to_string(),
            source: error.without_url().into(),
        };
        let request = self.door.http.get(url).header(AUTHORIZATION, self.door.token.clone());
        let response = tokio::time::timeout(PATIENCE, request.send()).await;
        let response = response
            .map_err(|late| Unreached::Broken { at: self.door.base.to_string(), source: late.into() })?;
        let response = response.map_err(broken)?;
        if !response.status().is_success() {
            let code = response.status().as_u16();
            let words = response.text().await.unwrap_or_default().trim().to_owned();
            return Err(Unreached::Refused { code, words });
        }
        let trouble = response.headers().get(TROUBLE).and_then(|value| value.to_str().ok());
        self.trouble = trouble.map(str::to_owned);
        let bytes = response.bytes_stream().map_err(|error| io::Error::other(error.without_url()));
        self.open = Some(bytes.into_async_read().lines().boxed());
        Ok(())
    }

    /// The next line; `None` after the last.
    ///
    /// # Errors
    /// The way breaks off again and again, or what comes is not understood.
    pub async fn next(&mut self) -> Result<Option<T>, Unreached> {
        let mut tries = 0;
        loop {
            let line = match &mut self.open {
                Some(open) => open.next().await,
                None => Some(Err(io::Error::other("not connected"))),
            };
            let broke = match line {
                None => return Ok(None),
                Some(Ok(line)) => {
                    let read: T = serde_json::from_str(&line).map_err(|error| Unreached::Broken {
                        at: self.door.base.to_string(),
                        source: error.into(),
                    })?;
                    self.after = Some(read.place());
                    return Ok(Some(read));
                }
                Some(Err(error)) => error,
            };
            tries += 1;
            if tries > TRIES {
                return Err(Unreached::Broken { at: self.door.base.to_string(), source: broke.into() });
            }
            tokio::time::sleep(PAUSE).await;
            self.open = None;
            // Of anything else the next try tells.
            if let Err(error @ Unreached::Refused { .. }) = self.open().await {
                return Err(error);
            }
        }
    }
}
