//! The server: a listener on the loopback address, and the address to print.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use axum::Router;
use tokio::net::TcpListener;

use super::{
    actions::Actions,
    guard::{Guard, Token},
    routes::{guarded, router},
    view::View,
};

/// Why the dashboard cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The port is taken, or may not be used.
    #[error("cannot listen on 127.0.0.1:{port}")]
    Listen {
        /// Which.
        port: u16,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The listener failed.
    #[error("the dashboard's listener failed")]
    Serve(#[source] io::Error),
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
        let failed = |source| ServeError::Listen { port, source };
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
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve<V: View + Actions>(self, view: Arc<V>) -> Result<(), ServeError> {
        let guard = Guard::local(self.token, self.address.port());
        axum::serve(self.listener, router(view, guard)).await.map_err(ServeError::Serve)
    }

    /// Serves pages that are made elsewhere, for as long as it is polled.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn pass_on(self, routes: Router) -> Result<(), ServeError> {
        let guard = Guard::local(self.token, self.address.port());
        axum::serve(self.listener, guarded(routes, guard)).await.map_err(ServeError::Serve)
    }
}
