//! A way to the API server that can be cut: connections are neither refused nor answered. What is under way when it is
//! cut arrives when it is whole again, since TCP sends it again; unless the sender has broken the connection off.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// What comes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Everything.
    Whole,
    /// Nothing.
    Cut,
    /// What is asked, and no answer.
    Unanswered,
}

/// Ends with its last connection when it is dropped.
pub struct Proxy {
    address: SocketAddr,
    way: watch::Sender<Way>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub async fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = watch::Sender::new(Way::Whole);
        let ways = way.subscribe();
        let task = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                connections.spawn(pass(client, server, ways.clone()));
            }
        });
        Self { address, way, task }
    }

    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn pass(client: TcpStream, server: SocketAddr, mut ways: watch::Receiver<Way>) {
    // Ends of connections are ends of connections here too: who asked sees them.
    let asks = |way: Way| way != Way::Cut;
    let _ = ways.wait_for(|way| asks(*way)).await;
    let Ok(server) = TcpStream::connect(server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let asked = pump(from_client, to_server, ways.clone(), asks);
    let answered = pump(from_server, to_client, ways, |way| way == Way::Whole);
    let _ = tokio::try_join!(asked, answered);
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut ways: watch::Receiver<Way>,
    open: impl Fn(Way) -> bool,
) -> std::io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut bytes).await?;
        if !open(*ways.borrow_and_update()) {
            // The sender is the proxy's, and so is this.
            let _ = ways.wait_for(|way| open(*way)).await;
            if let Some(broken_off) = from.as_ref().take_error()? {
                return Err(broken_off);
            }
        }
        if count == 0 {
            return to.shutdown().await;
        }
        to.write_all(&bytes[..count]).await?;
    }
}
