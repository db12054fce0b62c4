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
mod text;
pub mod view;

pub use self::{
    actions::Actions,
    error::PageError,
    guard::{Guard, Token},
    render::{AsItIs, Seat, seen_from},
    routes::{Access, RouteInfo, framed, pages, route_list, router},
    serve::{ServeError, Server},
    view::{View, ViewError},
};
