//! Which cluster is meant, for commands that ask one instead of this machine.

pub mod job;
pub mod names;

use std::path::PathBuf;

use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

use self::job::Cluster;
use super::{called, error::Advised};

/// Which cluster and namespace. Any of it means a cluster instead of this machine, and so does the name `kubectl mozart`.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "In a cluster")]
pub struct KubernetesArguments {
    /// A namespace, instead of that of the context
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// A context of the kubeconfig, instead of the present one
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// Another kubeconfig
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// A cluster, and not this machine, with nothing else said of it
    #[arg(long)]
    pub cluster: bool,
}

impl KubernetesArguments {
    /// Whether a cluster is asked.
    pub fn is_given(&self) -> bool {
        called::as_plugin()
            || self.cluster
            || self.namespace.is_some()
            || self.context.is_some()
            || self.kubeconfig.is_some()
    }

    /// The way there, and the namespace.
    ///
    /// # Errors
    /// There is no such context, or what it says cannot be used.
    pub async fn connect(&self) -> anyhow::Result<(Client, String)> {
        let (config, namespace) = self.config().await?;
        Ok((Client::try_from(config).map_err(|error| unreachable(&error))?, namespace))
    }

    /// What leads there, and the namespace.
    ///
    /// # Errors
    /// There is no such context.
    pub async fn config(&self) -> anyhow::Result<(Config, String)> {
        let options = KubeConfigOptions { context: self.context.clone(), ..KubeConfigOptions::default() };
        let config = match (&self.kubeconfig, &self.context) {
            (Some(file), _) => {
                let read = Kubeconfig::read_from(file).map_err(|error| unreachable(&error))?;
                Config::from_custom_kubeconfig(read, &options).await.map_err(|error| unreachable(&error))?
            }
            (None, Some(_)) => {
                Config::from_kubeconfig(&options).await.map_err(|error| unreachable(&error))?
            }
            (None, None) => Config::infer().await.map_err(|error| unreachable(&error))?,
        };
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok((config, namespace))
    }

    /// The same, to work with jobs there.
    ///
    /// # Errors
    /// As [`Self::connect`].
    pub async fn cluster(&self) -> anyhow::Result<Cluster> {
        let (client, namespace) = self.connect().await?;
        Ok(Cluster { client, namespace, said: self.clone() })
    }

    /// What is typed to do something else there: `kubectl mozart logs review -n team-a`.
    pub fn typed(&self, words: &str) -> String {
        let mut typed = if called::as_plugin() { "kubectl mozart" } else { "mozart" }.to_owned();
        typed = format!("{typed} {words}");
        for (flag, value) in [("-n", &self.namespace), ("--context", &self.context)] {
            if let Some(value) = value {
                typed = format!("{typed} {flag} {value}");
            }
        }
        if let Some(file) = &self.kubeconfig {
            typed = format!("{typed} --kubeconfig {}", file.display());
        }
        if self.cluster && !called::as_plugin() {
            typed.push_str(" --cluster");
        }
        typed
    }
}

fn unreachable(error: &dyn std::error::Error) -> Advised {
    let hint = "set KUBECONFIG, or name one of `kubectl config get-contexts` with --context";
    Advised::new(format!("no Kubernetes can be reached: {error}"), hint)
}

/// The way to the cluster of the kubeconfig, or of the Pod that this runs in.
///
/// # Errors
/// There is none.
pub async fn connect_here() -> anyhow::Result<Client> {
    let advised = |error| {
        let hint = "set KUBECONFIG, or run it in a Pod";
        Advised::new(format!("no Kubernetes can be reached: {error}"), hint)
    };
    Ok(Client::try_default().await.map_err(advised)?)
}
