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
    api::{self, Operation},
    assets,
    error::PageError,
    feed::Feeds,
    guard::{self, Guard},
    pages::{act, batch, difference, edit, history, home, job, log, run, timeline},
    render,
    rendered::Rendered,
    view::View,
};

/// What every page works with.
#[derive(Debug)]
pub struct Site<V> {
    /// What is read.
    pub view: Arc<V>,
    /// What is listened to.
    pub feeds: Arc<Feeds>,
    /// What was made of the list of jobs.
    pub rendered: Arc<Rendered>,
}

impl<V> Clone for Site<V> {
    fn clone(&self) -> Self {
        let Self { view, feeds, rendered } = self;
        Self { view: Arc::clone(view), feeds: Arc::clone(feeds), rendered: Arc::clone(rendered) }
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

/// An address, and what answers there.
pub struct Route<V> {
    info: RouteInfo,
    handler: MethodRouter<Site<V>>,
    /// What its document says; of an address of the API.
    operation: Option<Operation>,
}

impl<V> Route<V> {
    /// The same with what its document says.
    pub fn told(self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self }
    }
}

/// An address that only reads.
pub fn read<V>(path: &'static str, handler: MethodRouter<Site<V>>) -> Route<V> {
    Route { info: RouteInfo { method: "GET", path, access: Access::Read }, handler, operation: None }
}

/// An address that changes something.
pub fn change<V>(path: &'static str, handler: MethodRouter<Site<V>>) -> Route<V> {
    Route { info: RouteInfo { method: "POST", path, access: Access::Change }, handler, operation: None }
}

fn table<V: View + Actions>() -> Vec<Route<V>> {
    let mut table = vec![
        read("/", get(home::show::<V>)),
        read("/jobs/{job}", get(job::show::<V>)),
        read("/jobs/{job}/edit", get(edit::form::<V>)),
        change("/jobs/{job}/edit", post(edit::preview::<V>)),
        read("/jobs/{job}/runs/{run}", get(run::show::<V>)),
        read("/jobs/{job}/runs/{run}/batches/{batch}", get(batch::show::<V>)),
        read("/jobs/{job}/runs/{run}/batches/{batch}/attempts/{attempt}/{text}/lines", get(log::lines::<V>)),
        read(
            "/jobs/{job}/runs/{run}/batches/{batch}/attempts/{attempt}/{text}/follow",
            get(log::follow::<V>),
        ),
        read("/jobs/{job}/runs/{run}/batches/{batch}/difference", get(difference::show::<V>)),
        read("/jobs/{job}/runs/{run}/log", get(log::show::<V>)),
        read("/jobs/{job}/runs/{run}/log/follow", get(log::follow_run::<V>)),
        read("/jobs/{job}/runs/{run}/timeline", get(timeline::show::<V>)),
        read("/history", get(history::show::<V>)),
        read("/confirm/{action}", get(act::confirm::<V>)),
        change("/actions/{action}", post(act::act::<V>)),
        read("/assets/{version}/{name}", get(assets::get)),
    ];
    table.extend(api::routes());
    table
}

/// The OpenAPI document of the addresses under `/api/v1`.
pub fn document<V: View + Actions>() -> serde_json::Value {
    let table = table::<V>();
    let told = table.iter().filter_map(|route| {
        let operation = route.operation.as_ref()?;
        Some((route.info.method, route.info.path, operation))
    });
    api::make_document(told)
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
    for Route { info, handler, operation: _ } in table::<V>() {
        routes = routes.route(info.path, handler);
    }
    routes
        .fallback(async || PageError::not_found("No page has this address."))
        .with_state(Site { view, feeds: Arc::new(Feeds::new()), rendered: Arc::default() })
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
