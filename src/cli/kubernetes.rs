//! Which cluster is meant, for commands that ask one instead of this machine.

use kube::{Client, Config, config::KubeConfigOptions};

use super::error::Advised;

/// Which cluster and namespace.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct KubernetesArguments {
    /// A namespace of a Kubernetes cluster, instead of this machine
    #[arg(short, long, value_name = "NAME")]
    pub namespace: Option<String>,
    /// A context of the kubeconfig; with it a cluster is asked instead of this machine
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
}

impl KubernetesArguments {
    /// Whether a cluster is asked.
    pub fn is_given(&self) -> bool {
        self.namespace.is_some() || self.context.is_some()
    }

    /// The way there, and the namespace.
    ///
    /// # Errors
    /// There is no such context, or what it says cannot be used.
    pub async fn connect(&self) -> anyhow::Result<(Client, String)> {
        let advised = |error: &dyn std::error::Error| {
            let hint = "set KUBECONFIG, or name one of `kubectl config get-contexts` with --context";
            Advised::new(format!("no Kubernetes can be reached: {error}"), hint)
        };
        let config = match &self.context {
            Some(context) => {
                let options =
                    KubeConfigOptions { context: Some(context.clone()), ..KubeConfigOptions::default() };
                Config::from_kubeconfig(&options).await.map_err(|error| advised(&error))?
            }
            None => Config::infer().await.map_err(|error| advised(&error))?,
        };
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        Ok((Client::try_from(config).map_err(|error| advised(&error))?, namespace))
    }
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
