//! What was rendered of a list of jobs, for as long as that list is the present one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use axum::body::Bytes;

use super::{error::PageError, find::JobsQuery, view::JobEntry};

/// So many pages of one list are kept.
const PAGES: usize = 64;

/// Pages of one list.
#[derive(Debug, Default)]
pub struct Rendered(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    /// Nobody is given what was made of another list: it may be what another person may see.
    of: Arc<Vec<JobEntry>>,
    pages: HashMap<JobsQuery, Bytes>,
}

impl Rendered {
    /// What `make` makes of `jobs` for `query`, or made before of the very same list.
    ///
    /// # Errors
    /// Those of `make`.
    pub fn text(
        &self,
        jobs: &Arc<Vec<JobEntry>>,
        query: &JobsQuery,
        make: impl FnOnce() -> Result<Bytes, PageError>,
    ) -> Result<Bytes, PageError> {
        if let Some(text) = self.kept(jobs, query) {
            return Ok(text);
        }
        let text = make()?;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&kept.of, jobs) || kept.pages.len() >= PAGES {
            *kept = Pages { of: Arc::clone(jobs), pages: HashMap::new() };
        }
        kept.pages.insert(query.clone(), text.clone());
        Ok(text)
    }

    fn kept(&self, jobs: &Arc<Vec<JobEntry>>, query: &JobsQuery) -> Option<Bytes> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::ptr_eq(&kept.of, jobs).then(|| kept.pages.get(query).cloned()).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_rendered_of_another_list_is_nobodys() {
        let rendered = Rendered::default();
        let lists = [Arc::new(Vec::new()), Arc::new(Vec::new())];
        let query = JobsQuery::default();
        let text = |list, made: &'static str| rendered.text(list, &query, || Ok(made.into())).unwrap();
        assert_eq!(text(&lists[0], "of one"), "of one");
        assert_eq!(text(&lists[0], "again"), "of one");
        assert_eq!(text(&lists[1], "of the other"), "of the other");
        assert_eq!(text(&lists[0], "anew"), "anew");
    }
}
