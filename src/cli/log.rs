//! Where the log goes: to standard error, and only what was asked for.

use std::io::IsTerminal as _;

use tracing_subscriber::{EnvFilter, fmt, util::SubscriberInitExt as _};

use super::{
    args::{Global, LogFormat},
    error::Advised,
};

/// Sets the log up: `MOZART_LOG` (a filter such as `mozart=debug`), else `-v` (info), `-vv` (debug), `-vvv` (trace) of
/// Mozart's own, else warnings. `--log-format` or `MOZART_LOG_FORMAT` says how a line is written.
///
/// # Errors
/// A filter or a format that cannot be read.
pub fn init(global: &Global) -> anyhow::Result<()> {
    let text = std::env::var("MOZART_LOG").ok().filter(|text| !text.is_empty());
    let filter = match &text {
        Some(text) => EnvFilter::try_new(text).map_err(|error| {
            Advised::new(
                format!("MOZART_LOG={text}: {error}"),
                "write a level or a filter such as mozart=debug",
            )
        })?,
        None => EnvFilter::new(match global.verbose {
            0 => "warn",
            1 => "warn,mozart=info",
            2 => "warn,mozart=debug",
            _ => "info,mozart=trace",
        }),
    };
    let builder = fmt().with_env_filter(filter).with_writer(|| super::pen::LogWriter);
    match format(global)? {
        LogFormat::Text => {
            let environment = super::terminal::Environment::read();
            let color = environment.color(global.color, std::io::stderr().is_terminal());
            builder.with_ansi(color).with_target(false).finish().init();
        }
        LogFormat::Json => builder.json().flatten_event(true).finish().init(),
    }
    Ok(())
}

fn format(global: &Global) -> Result<LogFormat, Advised> {
    if let Some(format) = global.log_format {
        return Ok(format);
    }
    match std::env::var("MOZART_LOG_FORMAT").as_deref().unwrap_or_default() {
        "" | "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        other => Err(Advised::new(format!("MOZART_LOG_FORMAT={other} is no format"), "write text or json")),
    }
}
