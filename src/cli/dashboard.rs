//! `mozart dashboard`: every job, run and batch in a browser.

use std::sync::Arc;

use tokio::runtime::Runtime;

use super::{exit::Exit, printer::Printer};
use crate::{dashboard::Server, local::view::LocalView, store::home::Home};

/// Arguments of `mozart dashboard`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart dashboard                every job on this machine, on 127.0.0.1:8000\n  \
                         mozart dashboard --port 0       on a port that is free")]
pub struct Args {
    /// The port, on this machine alone; 0 takes one that is free
    #[arg(short, long, value_name = "N", default_value_t = 8000)]
    port: u16,
}

/// Serves beside a run, for as long as `runtime` lasts.
pub async fn beside(runtime: &Runtime, port: u16, printer: &Printer) -> anyhow::Result<()> {
    let server = Server::listen(port).await?;
    let view = Arc::new(LocalView::open(Home::of_environment()?).await?);
    printer.note(format!("dashboard: {}", server.link("/")));
    let looked_at = Arc::clone(&view);
    runtime.spawn(async move { looked_at.keep_looking().await });
    runtime.spawn(async move {
        if let Err(error) = server.serve(view).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the dashboard has ended, the run goes on"
            );
        }
    });
    Ok(())
}

/// Serves until it is interrupted. The address, with the token that opens it, is what standard output gets.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let home = Home::of_environment()?;
    super::runtime()?.block_on(async {
        let server = Server::listen(args.port).await?;
        let view = Arc::new(LocalView::open(home).await?);
        printer.line(server.link("/"))?;
        printer.note("open this address in a browser; Ctrl-C ends the dashboard, and nothing else");
        tokio::select! {
            served = server.serve(Arc::clone(&view)) => served?,
            () = view.keep_looking() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(Exit::Done)
    })
}
