//! The lease on a real API server: what it stores and refuses.

use kube::Client;
use mozart::cluster::{
    fence::{Fence, MachineClocks},
    lease::{Election, Settings, Standing},
};
use tokio::sync::{oneshot, watch};

use crate::support::Namespace;

struct Process {
    standing: watch::Receiver<Standing>,
    stop: oneshot::Sender<()>,
    fence: Fence<MachineClocks>,
}

impl Process {
    fn start(namespace: &Namespace, client: Client, identity: &str) -> Self {
        let fence = Fence::new(MachineClocks);
        let settings = Settings {
            namespace: namespace.name.clone(),
            name: "mozart".to_owned(),
            identity: identity.to_owned(),
        };
        let election = Election::new(client, settings, MachineClocks, fence.clone());
        let (sender, standing) = watch::channel(Standing::Following { holder: None });
        let (stop, stopped) = oneshot::channel::<()>();
        tokio::spawn(election.run(sender, async { drop(stopped.await) }));
        Self { standing, stop, fence }
    }

    async fn becomes(&mut self, wanted: &Standing) {
        self.standing.wait_for(|standing| standing == wanted).await.expect("the election goes on");
    }
}

#[tokio::test]
async fn one_leads_until_it_gives_the_lease_back_and_then_the_other_does() {
    let namespace = Namespace::new().await;
    let mut one = Process::start(&namespace, namespace.client.clone(), "one");
    one.becomes(&Standing::Leading { term: 1 }).await;
    let mut other = Process::start(&namespace, namespace.client.clone(), "other");
    other.becomes(&Standing::Following { holder: Some("one".to_owned()) }).await;
    assert!(one.fence.is_open() && !other.fence.is_open());
    one.stop.send(()).expect("it runs");
    other.becomes(&Standing::Leading { term: 1 }).await;
    assert!(!one.fence.is_open() && other.fence.is_open());
    other.stop.send(()).expect("it runs");
    namespace.delete().await;
}
