//! By which name the program was called: `mozart`, or as kubectl's plugin `kubectl mozart`.

use std::{ffi::OsStr, path::Path};

/// What kubectl looks for when somebody types `kubectl mozart`.
pub const PLUGIN: &str = "kubectl-mozart";
/// What kubectl asks for the candidates of what follows `kubectl mozart`.
pub const PLUGIN_COMPLETER: &str = "kubectl_complete-mozart";

/// Whether it was called as `kubectl mozart`, or to complete that.
pub fn as_plugin() -> bool {
    [PLUGIN, PLUGIN_COMPLETER].iter().any(|name| is(name))
}

/// Whether it was called so.
pub fn is(name: &str) -> bool {
    std::env::args_os().next().is_some_and(|called| Path::new(&called).file_stem() == Some(OsStr::new(name)))
}
