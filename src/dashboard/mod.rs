//! The dashboard: every job, run and batch in a browser. Pages are rendered here, from a [`View`] that only reads.
//!
//! A page is a value: `load` makes it from the view, a template shows it, and the same address with `.json` is the value
//! itself.

pub mod actions;
mod assets;
mod draw;
mod error;
mod feed;
mod guard;
mod pages;
mod render;
mod routes;
mod serve;
pub mod view;

pub use self::{
    actions::Actions,
    guard::{Guard, Token},
    routes::{Access, RouteInfo, route_list, router},
    serve::{ServeError, Server},
    view::{View, ViewError},
};
