//! Every address of the dashboard, in one list: the router is made from it, and tests walk it.

use std::sync::Arc;

use axum::{
    Router,
    middleware::{from_fn_with_state, map_request, map_response},
    routing::{MethodRouter, get, post},
};
use tower_http::compression::CompressionLayer;

use super::{
    actions::Actions,
    assets,
    error::PageError,
    feed::{self, Feeds},
    guard::{self, Guard},
    pages::{act, batch, difference, history, home, job, log, run, timeline},
    render,
    view::View,
};

/// What every page works with.
#[derive(Debug)]
pub struct Site<V> {
    /// What is read.
    pub view: Arc<V>,
    /// What is listened to.
    pub feeds: Arc<Feeds>,
}

impl<V> Clone for Site<V> {
    fn clone(&self) -> Self {
        Self { view: Arc::clone(&self.view), feeds: Arc::clone(&self.feeds) }
    }
}

/// What an address does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only reads.
    Read,
    /// It changes something.
    Change,
}

/// An address.
#[derive(Clone, Copy, Debug)]
pub struct RouteInfo {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// With parameters in braces.
    pub path: &'static str,
    /// What it does.
    pub access: Access,
}

struct Route<V> {
    info: RouteInfo,
    handler: MethodRouter<Site<V>>,
}

fn read<V>(path: &'static str, handler: MethodRouter<Site<V>>) -> Route<V> {
    Route { info: RouteInfo { method: "GET", path, access: Access::Read }, handler }
}

fn change<V>(path: &'static str, handler: MethodRouter<Site<V>>) -> Route<V> {
    Route { info: RouteInfo { method: "POST", path, access: Access::Change }, handler }
}

fn table<V: View + Actions>() -> Vec<Route<V>> {
    vec![
        read("/", get(home::show::<V>)),
        read("/jobs/{job}", get(job::show::<V>)),
        read("/jobs/{job}/runs/{run}", get(run::show::<V>)),
        read("/jobs/{job}/runs/{run}/batches/{batch}", get(batch::show::<V>)),
        read("/jobs/{job}/runs/{run}/batches/{batch}/attempts/{attempt}/{text}", get(batch::download::<V>)),
        read("/jobs/{job}/runs/{run}/batches/{batch}/attempts/{attempt}/{text}/lines", get(log::lines::<V>)),
        read(
            "/jobs/{job}/runs/{run}/batches/{batch}/attempts/{attempt}/{text}/follow",
            get(log::follow::<V>),
        ),
        read("/jobs/{job}/runs/{run}/batches/{batch}/difference", get(difference::show::<V>)),
        read("/jobs/{job}/runs/{run}/log", get(log::show::<V>)),
        read("/jobs/{job}/runs/{run}/log/follow", get(log::follow_run::<V>)),
        read("/jobs/{job}/runs/{run}/events", get(feed::run::<V>)),
        read("/jobs/{job}/runs/{run}/timeline", get(timeline::show::<V>)),
        read("/history", get(history::show::<V>)),
        read("/history.csv", get(history::export::<V>)),
        read("/events", get(feed::all::<V>)),
        read("/confirm/{action}", get(act::confirm::<V>)),
        change("/actions/{action}", post(act::act::<V>)),
        read("/assets/{version}/{name}", get(assets::get)),
    ]
}

/// Every address that the router knows.
pub fn route_list<V: View + Actions>() -> Vec<RouteInfo> {
    table::<V>().into_iter().map(|route| route.info).collect()
}

/// The dashboard over `view`, behind `guard`.
pub fn router<V: View + Actions>(view: Arc<V>, guard: Guard) -> Router {
    framed(pages(view).layer(from_fn_with_state(Arc::new(guard), guard::watch)))
}

/// Pages that are made elsewhere, behind `guard`.
pub fn guarded(routes: Router, guard: Guard) -> Router {
    routes
        .layer(from_fn_with_state(Arc::new(guard), guard::watch))
        .layer(from_fn_with_state((), render::show_errors))
        .layer(map_response(guard::harden))
}

/// The pages over `view`, for who was let in: to be [`framed`].
pub fn pages<V: View + Actions>(view: Arc<V>) -> Router {
    let mut routes = Router::new();
    for Route { info, handler } in table::<V>() {
        routes = routes.route(info.path, handler);
    }
    routes
        .fallback(async || PageError::not_found("No page has this address."))
        .with_state(Site { view, feeds: Arc::new(Feeds::new()) })
        .layer(from_fn_with_state((), render::show_errors))
}

/// What stands around every page: in which form it is asked for, and how it is sent.
pub fn framed(routes: Router) -> Router {
    let routes = routes
        .layer(from_fn_with_state((), render::show_errors))
        .layer(map_response(guard::harden))
        .layer(CompressionLayer::new());
    // The address is rewritten before it is matched, which a layer of the same router comes too late for.
    Router::new().fallback_service(routes).layer(map_request(render::settle_form))
}
