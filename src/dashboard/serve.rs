//! The server: a listener on the loopback address, and the address to print.

mod connections;
mod patient;
mod stream;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::Router;
use tokio::net::TcpListener;

pub use self::connections::{Greeting, serve, serve_with};
use super::{
    actions::Actions,
    guard::{Guard, Token},
    routes::{guarded, router},
    view::View,
};

/// The dashboard cannot be served: the port is taken, or may not be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on 127.0.0.1:{port}")]
pub struct ServeError {
    /// Which.
    pub port: u16,
    /// Why.
    #[source]
    pub source: io::Error,
}

/// A listener that is not served yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    token: Token,
}

impl Server {
    /// Listens on the loopback address at `port`; 0 takes a free one.
    ///
    /// # Errors
    /// The port cannot be had.
    pub async fn listen(port: u16) -> Result<Self, ServeError> {
        let failed = |source| ServeError { port, source };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address, token: Token::random() })
    }

    /// Its address without a token: `http://127.0.0.1:8000`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The address of `path` (with its slash) that lets in whoever opens it.
    pub fn link(&self, path: &str) -> String {
        format!("{}{path}?token={}", self.base(), self.token.reveal())
    }

    /// Serves `view` for as long as it is polled.
    pub async fn serve<V: View + Actions>(self, view: Arc<V>) {
        let guard = Guard::local(self.token, self.address.port());
        serve(self.listener, router(view, guard)).await;
    }

    /// Serves pages that are made elsewhere, for as long as it is polled.
    pub async fn pass_on(self, routes: Router) {
        let guard = Guard::local(self.token, self.address.port());
        serve(self.listener, guarded(routes, guard)).await;
    }
}
