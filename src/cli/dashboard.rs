//! `mozart dashboard`: every job, run and batch in a browser.

mod browser;
#[cfg(feature = "cluster")]
mod cluster;

use std::sync::Arc;

use tokio::runtime::Runtime;

#[cfg(feature = "cluster")]
use super::reach::ReachArguments;
use super::{exit::Exit, printer::Printer};
use crate::{dashboard::Server, local::view::LocalView, store::home::Home};

/// Arguments of `mozart dashboard`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart dashboard                every job on this machine, on 127.0.0.1:8000\n  \
                         mozart dashboard --port 0       on a port that is free\n  \
                         mozart dashboard -n team-a      the operator's, as your kubeconfig lets you see it")]
pub struct Args {
    /// The port, on this machine alone; 0 takes one that is free
    #[arg(short, long, value_name = "N", default_value_t = 8000)]
    port: u16,
    /// Print the address and open no browser
    #[arg(long)]
    no_browser: bool,
    #[cfg(feature = "cluster")]
    #[command(flatten)]
    reach: ReachArguments,
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
    #[cfg(feature = "cluster")]
    if args.reach.is_given() {
        return super::runtime()?.block_on(cluster::show(args, printer));
    }
    let home = Home::of_environment()?;
    super::runtime()?.block_on(async {
        let server = Server::listen(args.port).await?;
        let view = Arc::new(LocalView::open(home).await?);
        announce(&server, args, printer)?;
        tokio::select! {
            served = server.serve(Arc::clone(&view)) => served?,
            () = view.keep_looking() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        Ok(Exit::Done)
    })
}

/// Says where it is, and opens it where a person sits.
fn announce(server: &Server, args: &Args, printer: &Printer) -> anyhow::Result<()> {
    let link = server.link("/");
    printer.line(&link)?;
    if !args.no_browser && printer.out.terminal && browser::open(&link) {
        printer.note("it opens in your browser; Ctrl-C ends the dashboard, and nothing else");
    } else {
        printer.note("open this address in a browser; Ctrl-C ends the dashboard, and nothing else");
    }
    Ok(())
}
