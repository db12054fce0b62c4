//! The answers of a job of a cluster: from its `ConfigMaps`, or from the operator's volume.

use crate::{
    api::run::OutputStore,
    cli::{
        error::Advised,
        exit::Exit,
        printer::Printer,
        reach::{Asked, missing, nothing},
    },
    cluster::{
        door::OutputLine,
        outputs,
        reach::{Door, Unreached},
    },
    engine::ranges::Ranges,
};

use super::{Args, Giving};

/// Gives the answers that are kept, by number.
pub(super) async fn output(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let asked = args.reach.open(args.job.job.as_deref()).await?;
    let named = asked.run_id().map(|run| run.run).or(asked.run);
    let run = named.map_or_else(|| asked.name.clone(), |run| format!("{}/{run}", asked.name));
    let one = args.batch.as_ref().is_some_and(|batches| batches.len() == 1);
    let mut giving = Giving::begin(args, printer, run, !one)?;
    let mut given = from_config_maps(args, &asked, &mut giving).await?;
    if !is_in_config_maps(&asked) {
        match asked.door().await {
            Ok(door) => from_volume(args, &asked, &door, &mut giving, &mut given).await?,
            Err(why) if given.is_empty() => {
                return nothing(why, "the answers are on the operator's volume, which was not reached");
            }
            Err(why) => missing(&why, "answers on the operator's volume are left out", printer),
        }
    }
    let wanted = |ranges: &Ranges| match &args.batch {
        Some(wanted) => ranges.without(&ranges.without(wanted)),
        None => ranges.clone(),
    };
    let done = asked.ledger().map(|ledger| wanted(&ledger.succeeded)).unwrap_or_default();
    if given.is_empty() && done.is_empty() {
        let hint =
            format!("kubectl get mozartjob {} -n {} shows where it stands", asked.name, asked.namespace);
        return Err(Advised::new(
            format!("no answer of {} is kept, of what was asked for", giving.run),
            hint,
        )
        .into());
    }
    giving.finish(&done.without(&given));
    Ok(Exit::Done)
}

/// Whether nothing of the job is on the operator's volume.
fn is_in_config_maps(asked: &Asked) -> bool {
    let output = asked.object.as_ref().and_then(|job| job.spec.output.as_ref());
    output.and_then(|output| output.store) == Some(OutputStore::ConfigMaps)
}

async fn from_config_maps(args: &Args, asked: &Asked, giving: &mut Giving<'_>) -> anyhow::Result<Ranges> {
    let mut given = Ranges::default();
    let Some(run) = asked.run_id() else { return Ok(given) };
    let kept = match outputs::read(&asked.client, &asked.namespace, &run).await {
        // Who may not list them asks the operator.
        Err(outputs::ReadError::Api(_)) if !is_in_config_maps(asked) => return Ok(given),
        kept => kept?,
    };
    for (batch, kept) in kept {
        if args.batch.as_ref().is_none_or(|wanted| wanted.contains(batch)) {
            giving.give(batch, kept.attempt, &kept.facts, &kept.answer)?;
            given.insert(batch);
        }
    }
    Ok(given)
}

async fn from_volume(
    args: &Args,
    asked: &Asked,
    door: &Door,
    giving: &mut Giving<'_>,
    given: &mut Ranges,
) -> anyhow::Result<()> {
    let mut query = asked.query();
    query.extend(args.batch.as_ref().map(|batches| ("batch", batches.to_string())));
    let lines = door.lines::<OutputLine>(&asked.namespace, &asked.name, "outputs.jsonl", query).await;
    let mut lines = match lines {
        // It has seen nothing of the job yet, or has lost it.
        Err(Unreached::Refused { code: 404, words }) => {
            giving.printer.warn(words);
            return Ok(());
        }
        lines => lines?,
    };
    if let Some(trouble) = lines.trouble() {
        giving.printer.warn(trouble);
    }
    while let Some(line) = lines.next().await? {
        giving.run = line.run;
        if !given.contains(line.batch) {
            giving.give(line.batch, line.attempt, &line.facts, &line.answer)?;
            given.insert(line.batch);
        }
    }
    Ok(())
}
