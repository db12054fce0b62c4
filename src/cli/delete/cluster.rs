//! Jobs of a cluster are deleted by the API server; what its operator keeps of them goes by what they say of it.

use anyhow::Context as _;
use kube::api::DeleteParams;

use super::{Args, consented};
use crate::cli::{exit::Exit, kubernetes::job::status, printer::Printer};

/// Deletes them; what runs of them ends.
pub async fn delete(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let place = args.cluster.cluster().await?;
    let mut active = 0;
    for name in &args.jobs {
        active += u32::from(status(&place.job(name).await?).active_run.is_some());
    }
    if !args.yes && !consented(args, active, printer)? {
        printer.note("nothing was deleted");
        return Ok(Exit::BadInput);
    }
    for name in &args.jobs {
        let deleted = place.jobs().delete(name, &DeleteParams::background()).await;
        deleted.with_context(|| format!("the job {name} cannot be deleted"))?;
        printer.line(format!("mozartjob.mozart.dev/{name} deleted"))?;
    }
    Ok(Exit::Done)
}
