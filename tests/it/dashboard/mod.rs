//! The dashboard, as it is served to a browser.

mod browser;
mod door;
mod live;
mod pages;
mod payloads;
mod server;
