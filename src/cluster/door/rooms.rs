//! The pages that a visitor sees: each has a dashboard of his own, over what he may see.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, StatusCode},
    response::{IntoResponse as _, Response},
};
use tokio::time::Instant;
use tower::ServiceExt as _;

use super::{
    House,
    entrance::{Guest, watched},
};
use crate::{
    cluster::{
        view::{Cluster, ClusterView, SeenBy},
        visitors::TokenHash,
    },
    dashboard::{self, Seat},
};

/// The dashboard of somebody who has not come for so long is forgotten.
const IDLE: Duration = Duration::from_mins(10);

/// Said on every page of a door that asks nobody.
const OPEN: &str =
    "Everybody who reaches this address sees this. It only reads: the operator was started with --auth=none.";

/// The dashboards of those who came lately. One is some kilobytes, and only for who has shown a token that is known.
pub(super) struct Rooms {
    cluster: Arc<Cluster>,
    /// `None` is who was not asked.
    open: Mutex<HashMap<Option<TokenHash>, Room>>,
}

struct Room {
    pages: Router,
    seat: Arc<Seat>,
    used: Instant,
}

impl Rooms {
    pub(super) fn new(cluster: Cluster) -> Self {
        Self { cluster: Arc::new(cluster), open: Mutex::default() }
    }

    fn of(&self, guest: &Guest) -> (Router, Arc<Seat>) {
        let now = Instant::now();
        let hash = match guest {
            Guest::Visitor { visitor, .. } => Some(visitor.hash),
            Guest::Anybody => None,
        };
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if !open.contains_key(&hash) {
            open.retain(|_, room| now.duration_since(room.used) < IDLE);
        }
        let room = open.entry(hash).or_insert_with(|| self.furnish(guest, now));
        room.used = now;
        (room.pages.clone(), Arc::clone(&room.seat))
    }

    fn furnish(&self, guest: &Guest, now: Instant) -> Room {
        let place = self.cluster.place();
        let title = "Whose jobs this dashboard shows".to_owned();
        let (seen_by, who, notice) = match guest {
            Guest::Visitor { visitor, .. } => {
                (SeenBy::Visitor(visitor.clone()), Some(visitor.name.clone()), None)
            }
            Guest::Anybody => (SeenBy::Anybody, None, Some(OPEN.to_owned())),
        };
        let view = ClusterView::new(Arc::clone(&self.cluster), seen_by);
        let pages = dashboard::pages(Arc::new(view));
        let seat = Arc::new(Seat { place, title, cluster: true, who, signed_in: false, notice });
        Room { pages, seat, used: now }
    }
}

/// Every page, for who may come in.
pub(super) async fn show(State(house): State<Arc<House>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    match house.enter(&parts).await {
        Err(turned) => {
            let to = parts.uri.path_and_query().filter(|_| parts.method == Method::GET);
            turned.page(to.map_or("/", |to| to.as_str()))
        }
        Ok(guest) => {
            let (pages, mut seat) = house.rooms.of(&guest);
            if matches!(guest, Guest::Visitor { signed_in: true, .. }) {
                Arc::make_mut(&mut seat).signed_in = true;
            }
            let answer = pages.oneshot(Request::from_parts(parts, body));
            let response = dashboard::seen_from(seat, answer).await;
            let response = response.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response());
            match guest {
                Guest::Visitor { visitor, .. } => watched(response, house, visitor),
                Guest::Anybody => response,
            }
        }
    }
}
