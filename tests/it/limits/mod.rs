//! Limits of the account, through `mozart local-run`: the fake service's log is the witness of what was asked and paid.

mod api;
mod claude;
mod night;
mod sessions;
