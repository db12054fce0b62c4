//! `mozart dashboard`: every job, run and batch in a browser.

mod browser;
#[cfg(feature = "cluster")]
mod cluster;

use std::sync::Arc;

use anyhow::Context as _;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

#[cfg(feature = "cluster")]
use super::reach::ReachArguments;
use super::{exit::Exit, printer::Printer};
use crate::{dashboard::Server, local::view::LocalView, store::home::Home};

/// What the connections that may be open need, and some for files.
const DESCRIPTORS: u64 = 4_608;

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

/// Serves beside a run, on a thread of its own: however many look, the run does not wait for them.
pub fn beside(port: u16, printer: &Printer) -> anyhow::Result<()> {
    let home = Home::of_environment()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the dashboard")?;
    let (server, view) = runtime.block_on(async {
        let server = Server::listen(port).await?;
        anyhow::Ok((server, Arc::new(LocalView::open(home).await?)))
    })?;
    printer.note(format!("dashboard: {}", server.link("/")));
    let serving = async move {
        tokio::select! {
            () = server.serve(Arc::clone(&view)) => {}
            () = view.keep_looking() => {}
        }
    };
    let thread = std::thread::Builder::new().name("dashboard".to_owned());
    // It ends with the process.
    thread.spawn(move || runtime.block_on(serving)).context("cannot start the dashboard")?;
    Ok(())
}

/// Serves until it is interrupted. The address, with the token that opens it, is what standard output gets.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    #[cfg(feature = "cluster")]
    if args.reach.is_given() {
        return super::runtime()?.block_on(cluster::show(args, printer));
    }
    let home = Home::of_environment()?;
    take_descriptors();
    super::runtime()?.block_on(async {
        let server = Server::listen(args.port).await?;
        let view = Arc::new(LocalView::open(home).await?);
        announce(&server, args, printer)?;
        tokio::select! {
            () = server.serve(Arc::clone(&view)) => {}
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

/// Each listener is an open connection, and the system's first bound on these is often 1,024. Where it stays, fewer can
/// listen.
fn take_descriptors() {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = DESCRIPTORS.min(maximum.unwrap_or(DESCRIPTORS));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        tracing::debug!(%error, "the bound on open files stays");
    }
}
