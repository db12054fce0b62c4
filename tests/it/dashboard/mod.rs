//! The dashboard, as it is served to a browser.

mod door;
mod pages;
mod server;
