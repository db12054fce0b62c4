//! What the attempts of a job of a cluster wrote: from the operator's volume, and from Pods that are still there.

mod pods;

use self::pods::Pods;
use super::{Args, Stream, Texts, show};
use crate::{
    cli::{
        error::Advised,
        exit::Exit,
        printer::Printer,
        reach::{Asked, missing, nothing},
    },
    cluster::{
        door::LogLine,
        reach::{Door, Unreached},
    },
    job::finding::Finding,
    store::record::{AttemptRecord, AttemptState},
};

/// Shows the texts of the attempts that were asked for.
pub(super) async fn logs(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    if args.prompt {
        let hint = "mozart validate --prompts on its manifest renders them";
        return Err(Advised::new("prompts are not kept in a cluster", hint).into());
    }
    let asked = args.reach.open(args.job.job.as_deref()).await?;
    let pods = Pods::of(&asked);
    if args.follow {
        return pods::follow(args, &asked, printer).await;
    }
    let one = args.batch.as_ref().is_some_and(|batches| batches.len() == 1);
    let mut showing = Showing { args, printer, headed: !one || args.failed, shown: 0, lost: 0 };
    let told = match asked.door().await {
        Ok(door) => from_volume(&asked, &door, &pods, &mut showing).await?,
        Err(why) => Err(why),
    };
    match told {
        Ok(()) => {}
        Err(why) => {
            for (attempt, texts) in pods.texts(args).await? {
                showing.show(attempt, Some(texts))?;
            }
            if showing.shown == 0 {
                return nothing(
                    why,
                    "what Pods that are gone wrote is on the operator's volume, which was not reached",
                );
            }
            missing(&why, "only Pods that are still there are shown", printer);
        }
    }
    if showing.shown == 0 {
        let hint =
            format!("mozart history {} -n {} --batches lists what was started", asked.name, asked.namespace);
        return Err(Advised::new(
            format!("nothing of {} was found, of what was asked for", asked.name),
            hint,
        )
        .into());
    }
    if showing.lost > 0 {
        printer.warn(format!(
            "what {} attempts wrote is not kept: their Pods are gone, and it was not copied or is too old",
            showing.lost
        ));
    }
    Ok(Exit::Done)
}

struct Showing<'a> {
    args: &'a Args,
    printer: &'a Printer,
    headed: bool,
    shown: usize,
    lost: usize,
}

impl Showing<'_> {
    fn show(&mut self, attempt: AttemptRecord, texts: Option<Texts>) -> anyhow::Result<()> {
        self.shown += 1;
        if texts.is_none() {
            self.lost += 1;
        }
        let texts = texts.unwrap_or_else(|| Texts {
            wanted: String::new(),
            stderr: String::new(),
            findings: Vec::new(),
        });
        show(self.args, attempt, texts, self.headed, self.printer)
    }
}

/// Everything that history knows of, each with what was copied, or what its Pod says if that is still there.
async fn from_volume(
    asked: &Asked,
    door: &Door,
    pods: &Pods<'_>,
    showing: &mut Showing<'_>,
) -> anyhow::Result<Result<(), Unreached>> {
    let args = showing.args;
    let mut query = asked.query();
    query.extend(args.batch.as_ref().map(|batches| ("batch", batches.to_string())));
    query.extend(args.attempt.map(|attempt| ("attempt", attempt.to_string())));
    query.extend(args.failed.then(|| ("failed", "true".to_owned())));
    let mut lines = match door.lines::<LogLine>(&asked.namespace, &asked.name, "logs", query).await {
        Ok(lines) => lines,
        Err(why) => return Ok(Err(why)),
    };
    if let Some(trouble) = lines.trouble() {
        showing.printer.warn(trouble);
    }
    loop {
        let LogLine { attempt, stdout, stderr, findings } = match lines.next().await {
            Ok(Some(line)) => line,
            Ok(None) => return Ok(Ok(())),
            Err(why) => return Ok(Err(why)),
        };
        let texts = if stdout.is_none() && stderr.is_none() {
            pods.text(args, attempt.key()).await
        } else {
            let (stdout, stderr) = (stdout.unwrap_or_default(), stderr.unwrap_or_default());
            Some(texts(args, stdout, stderr, findings))
        };
        // Batches in the operator's process write nothing.
        let silent = texts.is_none() && attempt.exit_code.is_none() && attempt.state != AttemptState::Running;
        let texts = if silent { Some(texts_of_nothing()) } else { texts };
        showing.show(attempt, texts)?;
    }
}

fn texts(args: &Args, stdout: String, stderr: String, findings: Vec<Finding>) -> Texts {
    let wanted = if args.stream() == Stream::Stderr { stderr.clone() } else { stdout };
    Texts { wanted, stderr, findings }
}

fn texts_of_nothing() -> Texts {
    Texts { wanted: String::new(), stderr: String::new(), findings: Vec::new() }
}
