//! How the operator reaches the API server: a request that is given up is never delivered.
//!
//! The network may hold back what was sent, for minutes, and TCP sends it again until it arrives, also when the
//! connection was closed since. By then another may lead. So connections are not closed but broken off, and with them
//! goes what the kernel has not delivered.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::{
    client::legacy::{
        Client as HttpClient,
        connect::{Connected, Connection, HttpConnector},
    },
    rt::{TokioExecutor, TokioIo},
};
use kube::{
    Client,
    client::{Body, ClientBuilder, ConfigExt as _},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, BufReader, ReadBuf},
    net::TcpStream,
};
use tower::{BoxError, Service, ServiceBuilder};

/// So many requests are on their way at a time, watches left out: a handful keeps an API server busy, and more would
/// only wait there, each on a connection of its own.
const AT_A_TIME: usize = 32;
/// Bytes that are taken from the kernel at a time, the most that a record of TLS has: rustls itself takes a quarter of it.
const RECORD: usize = 16 * 1024;

/// A client that tries nothing again by itself and sets no time: the fence and the election do.
///
/// # Errors
/// The configuration cannot be used.
pub(super) fn client(config: &kube::Config) -> kube::Result<Client> {
    let mut connector = HttpConnector::new();
    connector.enforce_http(false);
    let connector = config.rustls_https_connector_with_connector(Abrupt(connector))?;
    let http: HttpClient<_, Body> = HttpClient::builder(TokioExecutor::new()).build(connector);
    let service = ServiceBuilder::new()
        .concurrency_limit(AT_A_TIME)
        .layer(config.base_uri_layer())
        .option_layer(config.auth_layer()?)
        .layer(config.extra_headers_layer()?)
        .map_err(BoxError::from)
        .service(http);
    Ok(ClientBuilder::new(service, config.default_namespace.clone()).build())
}

/// Connections that are broken off when they are dropped.
#[derive(Clone)]
struct Abrupt(HttpConnector);

impl Service<Uri> for Abrupt {
    type Response = TokioIo<Stream>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, server: Uri) -> Self::Future {
        let connecting = self.0.call(server);
        Box::pin(async move {
            let connection = connecting.await?;
            let connection = connection.into_inner();
            connection.set_zero_linger()?;
            Ok(TokioIo::new(Stream(BufReader::with_capacity(RECORD, connection))))
        })
    }
}

/// A connection whose bytes are taken from the kernel by the record.
struct Stream(BufReader<TcpStream>);

impl Connection for Stream {
    fn connected(&self) -> Connected {
        self.0.get_ref().connected()
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, into)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(context, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
