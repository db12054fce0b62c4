//! The operator's dashboard, brought to this machine: what its owner may see, by the token of the kubeconfig.

use super::{Args, announce};
use crate::{
    cli::{error::Advised, exit::Exit, printer::Printer},
    dashboard::Server,
};

/// Serves until it is interrupted.
pub async fn show(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let window = args.reach.window().await?.map_err(|why| {
        let advice = why.advice();
        anyhow::Error::new(why).context(Advised::new("the operator's dashboard was not reached", advice))
    })?;
    let server = Server::listen(args.port).await?;
    announce(&server, args, printer)?;
    tokio::select! {
        () = server.pass_on(window.routes()) => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(Exit::Done)
}
