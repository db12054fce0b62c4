//! The dashboard, as it is served to a browser.

mod api;
mod browser;
mod delete;
mod door;
mod edit;
mod live;
mod pages;
mod payloads;
mod schema;
mod server;
mod strain;
