//! The dashboard: every job, run and batch in a browser. Pages are rendered here, from a [`View`] that only reads.
//!
//! A page is a value: `load` makes it from the view, a template shows it, and the same address with `.json` is the value
//! itself. Programs have addresses of their own under `/api/v1`, with a document.

pub mod actions;
mod api;
mod assets;
mod conditions;
mod draw;
mod error;
mod feed;
mod find;
mod guard;
mod pages;
mod render;
mod rendered;
mod routes;
mod serve;
mod text;
pub mod view;

pub use self::{
    actions::Actions,
    api::OutputLine,
    error::PageError,
    guard::{Guard, Token},
    pages::edit,
    render::{AsItIs, Seat, seen_from},
    routes::{Access, RouteInfo, document, framed, pages, route_list, router},
    serve::{Greeting, ServeError, Server, serve, serve_with},
    view::{View, ViewError},
};
