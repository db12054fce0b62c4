//! `mozart submit`: a job file to a cluster.

mod inputs;

use std::path::PathBuf;

use anyhow::Context as _;
use kube::{
    Api, ResourceExt as _,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::Value;

use self::inputs::Inputs;
use super::{
    describe,
    error::{Advised, Told},
    exit::Exit,
    kubernetes::{
        KubernetesArguments,
        job::{Cluster, MANAGER},
    },
    loading,
    printer::Printer,
    runtime, watch,
};
use crate::{
    cluster::store::resource,
    job::{
        load::{Loaded, Overrides, load_text, manifest_json},
        model::Job,
    },
};

/// Arguments of `mozart submit`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart submit job.yaml -n team-a             makes the job, or changes it\n  \
                         mozart submit job.yaml --watch --cluster     and shows how it goes on; Ctrl-C leaves it running\n  \
                         mozart submit job.yaml --dry-run --cluster   asks the API server, and makes nothing")]
pub struct Args {
    /// The job file, in either form; files that it names go with it, in a `ConfigMap`
    file: PathBuf,
    /// Set a field as if it stood in the file, such as batch.size=5; may be repeated
    #[arg(long, value_name = "PATH=VALUE", value_parser = loading::setting)]
    set: Vec<(String, String)>,
    /// Show how it goes on until it has ended; the exit code is the job's
    #[arg(short, long, conflicts_with = "dry_run")]
    watch: bool,
    /// Ask the API server whether it takes it, and make nothing
    #[arg(long)]
    dry_run: bool,
    /// Take over fields that somebody else has set
    #[arg(long)]
    force_conflicts: bool,
    #[command(flatten)]
    cluster: KubernetesArguments,
}

/// What happened to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Done {
    Created,
    Configured,
    Unchanged,
}

impl Done {
    fn word(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
        }
    }
}

/// Checks the file as a whole, moves what is large or beside it into `ConfigMap`s, and applies it.
pub fn execute(args: &Args, printer: &Printer) -> anyhow::Result<Exit> {
    let manifest = match manifest_json(&args.file, &args.set) {
        Ok((manifest, warnings)) => {
            loading::tell(&warnings, printer);
            manifest
        }
        Err(problems) => {
            loading::tell(&problems, printer);
            return Err(Told.into());
        }
    };
    let (manifest, inputs) = inputs::taken_out(manifest, &loading::sources(&args.file)?)?;
    runtime()?.block_on(async {
        let mut place = args.cluster.cluster().await?;
        if let Some(said) = manifest["metadata"]["namespace"].as_str() {
            if args.cluster.namespace.as_deref().is_some_and(|asked| asked != said) {
                let message = format!("the file is for the namespace {said}, and -n says another");
                return Err(Advised::new(message, "leave one of them out").into());
            }
            said.clone_into(&mut place.namespace);
        }
        let job = checked(args, &place, &manifest, &inputs, printer).await?;
        let name = manifest["metadata"]["name"].as_str().unwrap_or_default();
        let before =
            place.jobs().get_opt(name).await.with_context(|| format!("the job {name} cannot be read"))?;
        inputs.put(&place, args.dry_run).await?;
        let object = apply(args, &place, name, &manifest).await?;
        let done = match before {
            None => Done::Created,
            Some(before) if before.resource_version() == object.resource_version() => Done::Unchanged,
            Some(_) => Done::Configured,
        };
        let dry = if args.dry_run { " (the API server would take it, nothing was made)" } else { "" };
        printer.line(format!("mozartjob.mozart.dev/{name} {}{dry}", done.word()))?;
        if let Some(job) = &job {
            printer.note(describe::amount(job));
        }
        for moved in inputs.told() {
            printer.note(moved);
        }
        if args.dry_run {
            return Ok(Exit::Done);
        }
        inputs.own(&place, &object).await?;
        if args.watch {
            return watch::cluster::watch(Some(name), &within(args, &place), printer).await;
        }
        printer
            .hint(format!("{} shows how it goes on", within(args, &place).typed(&format!("watch {name}"))));
        Ok(Exit::Done)
    })
}

/// What names the cluster, with the namespace that the file is for.
fn within(args: &Args, place: &Cluster) -> KubernetesArguments {
    let mut within = args.cluster.clone();
    if within.namespace.is_none() && place.namespace != place.client.default_namespace() {
        within.namespace = Some(place.namespace.clone());
    }
    within
}

/// The job as its operator will read it; `None` where it names something that cannot be read from here.
async fn checked(
    args: &Args,
    place: &Cluster,
    manifest: &Value,
    inputs: &Inputs,
    printer: &Printer,
) -> anyhow::Result<Option<Job>> {
    let sources = match inputs.sources(place, manifest).await? {
        Ok(sources) => sources,
        Err(missing) => {
            printer.warn(format!("the prompts were not rendered: {missing}"));
            return Ok(None);
        }
    };
    let text = serde_saphyr::to_string(manifest).context("the manifest cannot be written")?;
    let shown = args.file.with_file_name(format!(
        "{} (as it is submitted)",
        args.file.file_name().unwrap_or_default().to_string_lossy()
    ));
    match load_text(&text, &shown, &Overrides::default(), &sources) {
        Ok(Loaded { job, warnings }) => {
            loading::tell(&warnings, printer);
            Ok(Some(job))
        }
        Err(problems) => {
            loading::tell(&problems, printer);
            Err(Told.into())
        }
    }
}

async fn apply(args: &Args, place: &Cluster, name: &str, manifest: &Value) -> anyhow::Result<DynamicObject> {
    let mut object: DynamicObject =
        serde_json::from_value(manifest.clone()).context("the manifest is no object")?;
    object.metadata.namespace = Some(place.namespace.clone());
    let mut parameters = PatchParams::apply(MANAGER).validation_strict();
    parameters.dry_run = args.dry_run;
    parameters.force = args.force_conflicts;
    let api: Api<DynamicObject> = Api::namespaced_with(place.client.clone(), &place.namespace, &resource());
    match api.patch(name, &parameters, &Patch::Apply(&object)).await {
        Ok(object) => Ok(object),
        Err(kube::Error::Api(answer)) if answer.is_conflict() => {
            let hint = "--force-conflicts takes them over";
            Err(Advised::new(format!("somebody else has set fields of {name}: {}", answer.message), hint)
                .into())
        }
        Err(kube::Error::Api(answer)) if answer.is_not_found() => {
            let hint =
                "an administrator installs Mozart: docs/install.md, or `mozart crd | kubectl apply -f -`";
            Err(Advised::new("the cluster knows no MozartJob, or not that namespace", hint).into())
        }
        Err(kube::Error::Api(answer)) => Err(anyhow::anyhow!("{}", answer.message)
            .context(format!("the API server does not take {}", args.file.display()))),
        Err(error) => Err(error).context("the API server cannot be asked"),
    }
}
