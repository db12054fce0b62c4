//! A port of a Pod on the loopback address of this machine, for as long as it is held.

use std::net::{Ipv4Addr, SocketAddr};

use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client, api::Portforwarder};
use reqwest::Url;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::Unreached;

/// A forwarded port. Dropping it ends it and every connection through it.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Forward {
    /// Begins to forward a port of a Pod from a free one of the loopback address.
    ///
    /// # Errors
    /// The API server refuses, or no port can be had.
    pub async fn start(client: &Client, namespace: &str, pod: &str, port: u16) -> Result<Self, Unreached> {
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        // One at once, so that a refusal is told here and not to the first connection.
        let first = api.portforward(pod, &[port]).await.map_err(|error| {
            let what = format!("forward a port of the Pod {pod} of {namespace}");
            match error {
                kube::Error::UpgradeConnection(refused) if is_forbidden(&refused) => {
                    let source = Box::new(kube::Error::UpgradeConnection(refused));
                    Unreached::MayNot { what, source }
                }
                error => Unreached::asked(what, error),
            }
        })?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(Unreached::Local)?;
        let address = listener.local_addr().map_err(Unreached::Local)?;
        let task = tokio::spawn(accept(listener, api, pod.to_owned(), port, first));
        Ok(Self { address, task })
    }

    /// `http://127.0.0.1:PORT/`.
    pub fn url(&self) -> Url {
        let mut url = Url::parse("http://127.0.0.1/").expect("a constant that is a URL");
        // Fails for addresses that have no port, such as `data:`.
        let _ = url.set_port(Some(self.address.port()));
        url
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn is_forbidden(refused: &kube::client::UpgradeConnectionError) -> bool {
    matches!(refused, kube::client::UpgradeConnectionError::ProtocolSwitch(code) if code.as_u16() == 403)
}

async fn accept(listener: TcpListener, api: Api<Pod>, pod: String, port: u16, first: Portforwarder) {
    let mut ready = Some(first);
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((connection, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        let forwarder = match ready.take() {
            Some(forwarder) => forwarder,
            None => match api.portforward(&pod, &[port]).await {
                Ok(forwarder) => forwarder,
                Err(error) => {
                    tracing::debug!(pod, %error, "a port of the Pod cannot be forwarded any more");
                    continue;
                }
            },
        };
        connections.spawn(carry(connection, forwarder, port));
    }
}

async fn carry(mut connection: TcpStream, mut forwarder: Portforwarder, port: u16) {
    let Some(mut stream) = forwarder.take_stream(port) else { return };
    if let Err(error) = copy_bidirectional(&mut connection, &mut stream).await {
        tracing::debug!(%error, "a forwarded connection broke off");
    }
    drop(stream);
    forwarder.abort();
}
