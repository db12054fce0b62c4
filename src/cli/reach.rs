//! Commands that ask a cluster for what its operator keeps, and the API server for what it has where they may not.

use anyhow::Context as _;
use kube::{Api, Client, Config, api::DynamicObject};
use reqwest::Url;

use super::{error::Advised, kubernetes::KubernetesArguments, printer::Printer};
use crate::{
    cluster::{
        object::JobObject,
        reach::{Door, Unreached, Way, Window},
        store::{ledger, resource},
    },
    engine::ledger::Ledger,
    history,
    job::identity::RunId,
};

/// Which cluster, and how its operator is reached.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "In a cluster")]
pub struct ReachArguments {
    #[command(flatten)]
    cluster: KubernetesArguments,
    /// The address of the operator; without it the way leads through the API server into its Pod
    #[arg(long, value_name = "URL", hide_short_help = true)]
    server: Option<Url>,
    /// A service account of the namespace that is shown to the operator, for a kubeconfig without a token
    #[arg(long, value_name = "NAME", hide_short_help = true)]
    account: Option<String>,
}

impl ReachArguments {
    /// Whether a cluster is asked.
    pub fn is_given(&self) -> bool {
        self.cluster.is_given() || self.server.is_some() || self.account.is_some()
    }

    /// The way to the operator's dashboard.
    ///
    /// # Errors
    /// No cluster can be reached; in it, the operator cannot.
    pub async fn window(&self) -> anyhow::Result<Result<Window, Unreached>> {
        let (config, namespace) = self.cluster.config().await?;
        let client = Client::try_from(config.clone()).context("the way to the API server cannot be used")?;
        Ok(Window::open(&self.way(), &config, &client, &namespace).await)
    }

    fn way(&self) -> Way {
        Way { server: self.server.clone(), account: self.account.clone() }
    }

    /// Finds the job that is meant, in words as for those of this machine.
    ///
    /// # Errors
    /// No cluster can be reached, or no job was named.
    pub async fn open(&self, job: Option<&str>) -> anyhow::Result<Asked> {
        let no_job = || {
            Advised::new(
                "no job was named",
                "name one of `kubectl get mozartjobs`, such as review or review/3",
            )
        };
        let (name, run) = history::parts(job.ok_or_else(no_job)?);
        let (config, namespace) = self.cluster.config().await?;
        let client = Client::try_from(config.clone()).context("the way to the API server cannot be used")?;
        let jobs: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &resource());
        let object = match jobs.get_opt(name).await {
            // One that was deleted may have left history.
            Ok(object) => object.map(JobObject::read).transpose()?,
            Err(kube::Error::Api(status)) if status.is_forbidden() => {
                let message = format!("you may not get the MozartJob {name} of the namespace {namespace}");
                let hint = "ask who administers the namespace for the role view";
                return Err(anyhow::Error::new(Advised::new(message, hint)));
            }
            Err(error) => return Err(error).context("the API server could not be asked for the job"),
        };
        Ok(Asked { config, client, namespace, name: name.to_owned(), run, object, way: self.way() })
    }
}

/// A job of a cluster that is asked about.
pub struct Asked {
    config: Config,
    /// The way to the API server.
    pub client: Client,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The run that was named.
    pub run: Option<u32>,
    /// As the API server has it, if it has it.
    pub object: Option<JobObject>,
    way: Way,
}

impl Asked {
    /// The way to what the operator keeps.
    ///
    /// # Errors
    /// There is none, or not for this person.
    pub async fn door(&self) -> Result<Door, Unreached> {
        Door::find(&self.way, &self.config, &self.client, &self.namespace, &self.name).await
    }

    /// The checkpoint of the job's last run, if that is the run that was meant.
    pub fn ledger(&self) -> Option<Ledger> {
        let ledger = self.object.as_ref()?.ledger().ok()??;
        self.run.is_none_or(|run| run == ledger.run.run).then_some(ledger)
    }

    /// The checkpoint as it is now, of the run that was meant.
    ///
    /// # Errors
    /// The API server could not be asked, or the job is no more.
    pub async fn again(&self) -> anyhow::Result<Option<Ledger>> {
        let jobs: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), &self.namespace, &resource());
        let found =
            jobs.get_opt(&self.name).await.context("the API server could not be asked for the job")?;
        let gone = || {
            Advised::new(format!("the job {} was deleted", self.name), "mozart history may still tell of it")
        };
        let ledger = ledger(&found.ok_or_else(gone)?)?;
        Ok(ledger.filter(|ledger| self.run_id().is_none_or(|run| run == ledger.run)))
    }

    /// The run that is meant: the one that was named, or the last; `None` where the API server knows of none.
    pub fn run_id(&self) -> Option<RunId> {
        let object = self.object.as_ref()?;
        let run = self.run.or_else(|| Some(object.ledger().ok()??.run.run))?;
        Some(RunId { job: object.uid, run })
    }

    /// What is asked of the door about the run that is meant.
    pub fn query(&self) -> Vec<(&'static str, String)> {
        self.run.map(|run| ("run", run.to_string())).into_iter().collect()
    }
}

/// Says why the operator was not reached, what is missing for it, and whom to ask.
pub fn missing(why: &Unreached, what: &str, printer: &Printer) {
    let causes = std::iter::successors(std::error::Error::source(why), |cause| cause.source());
    let words = causes.fold(why.to_string(), |words, cause| {
        let cause = cause.to_string();
        if words.contains(&cause) { words } else { format!("{words}: {cause}") }
    });
    printer.warn(format!("{what}: {words}"));
    printer.hint(why.advice());
}

/// The error where neither the operator nor the API server has anything.
///
/// # Errors
/// Always: that is what it is for.
pub fn nothing<T>(why: Unreached, what: &str) -> anyhow::Result<T> {
    let advice = why.advice();
    Err(anyhow::Error::new(why).context(Advised::new(what, advice)))
}
