//! `mozart operator`: runs the jobs of a cluster.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use anyhow::Context as _;
use tokio::{net::TcpListener, sync::watch};
use uuid::Uuid;

use super::{error::Advised, exit::Exit, runtime};
use crate::{
    cluster::{
        archive::{Archive, LOG_BYTES},
        door::{self, Auth, CertificateFiles, Hosts, Tls},
        fence::MachineClocks,
        lease,
        object::DEFAULT_MANAGER,
        operator::{Scope, Settings, Ways, run},
        outgoing::{Network, Outgoing},
        telemetry::{self, Listener},
    },
    driver::clock::MachineClock,
    launch::pod::{Images, allow::Guarded},
    trace::Tracer,
};

/// Arguments of `mozart operator`.
#[derive(Debug, clap::Args)]
#[command(
    before_help = "  mozart operator --image example.com/mozart:1                  the namespace it runs in\n  \
                         mozart operator --image example.com/mozart:1 -n team-a -n b   these\n  \
                         mozart operator --image example.com/mozart:1 --all-namespaces"
)]
pub struct Args {
    /// A namespace whose jobs it runs; may be given more than once. Default: its own
    #[arg(short, long, value_name = "NAME", conflicts_with = "all_namespaces")]
    namespace: Vec<String>,
    /// Run the jobs of every namespace
    #[arg(long)]
    all_namespaces: bool,
    /// Mozart's own image
    #[arg(long, env = "MOZART_IMAGE", value_name = "IMAGE")]
    image: String,
    /// The image of batches that name none; Mozart is in it, at /usr/local/bin/mozart
    #[arg(long, env = "MOZART_BATCH_IMAGE", value_name = "IMAGE")]
    batch_image: Option<String>,
    /// A guarded field of spec.pod that jobs may use; may be given more than once
    ///
    /// `secretEnv`, `secretVolumes`, `serviceAccountName`, `priorityClassName`, `runtimeClassName`.
    #[arg(long, value_name = "FIELD")]
    allow: Vec<Guarded>,
    /// Addresses of the inside that credentials may name, such as 10.0.3.0/24; may be given more than once
    ///
    /// The operator asks no loopback, private, link-local or metadata address for a batch but these.
    #[arg(long, value_name = "RANGE")]
    allow_address: Vec<Network>,
    /// Leave the group of volumes to the platform
    #[arg(long, hide_short_help = true)]
    no_fs_group: bool,
    /// The operator that `spec.managedBy` of its jobs names
    #[arg(long, hide_short_help = true, value_name = "NAME", default_value = DEFAULT_MANAGER)]
    managed_by: String,
    /// The lease by which one of several replicas leads
    #[arg(long, hide_short_help = true, value_name = "NAME", default_value = "mozart")]
    lease: String,
    /// The namespace of the lease. Default: its own
    #[arg(long, hide_short_help = true, value_name = "NAME")]
    lease_namespace: Option<String>,
    /// A folder on a volume, for history and for answers that are kept nowhere else
    ///
    /// Without one there is no history but what the API server has, and batches in the operator's own process need
    /// `output: {store: ConfigMaps}`. One operator at a time may use it, on a file system of its own node.
    #[arg(long, env = "MOZART_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// How many bytes logs and history may take there; the oldest logs go first, then the oldest runs
    #[arg(long, value_name = "BYTES", default_value_t = LOG_BYTES)]
    data_max_bytes: u64,
    /// Show the dashboard, to each who shows a token of the cluster what he may see
    #[arg(long)]
    dashboard: bool,
    /// Where it shows the dashboard, and history, logs and answers to those who may read the job
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, door::PORT)))]
    listen: SocketAddr,
    /// A name by which people reach it, beside addresses and localhost; may be given more than once
    #[arg(long, value_name = "NAME")]
    host: Vec<String>,
    /// How it knows who comes: by a token of the cluster, or not at all, and then it only reads
    #[arg(long, value_name = "HOW", default_value = "token")]
    auth: AuthArgument,
    /// The certificate with which it shows them with TLS too; read anew when it changes
    #[arg(long, env = "MOZART_TLS_CERT", value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// The key of the certificate
    #[arg(long, env = "MOZART_TLS_KEY", value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Where it shows them with TLS
    #[arg(long, value_name = "ADDRESS", default_value_t = SocketAddr::from((Ipv4Addr::UNSPECIFIED, door::TLS_PORT)))]
    tls_listen: SocketAddr,
    /// The UID of its Pod: a container that is started again leads again at once
    #[arg(long, hide_short_help = true, env = "MOZART_POD_UID", value_name = "UID", hide_env_values = true)]
    identity: Option<String>,
    /// Where /metrics, /healthz and /readyz are served; they name no job and need no login
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:8080")]
    metrics_address: SocketAddr,
}

/// How the operator knows who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum AuthArgument {
    /// By a token of the cluster
    Token,
    /// Not at all; on the loopback address alone
    None,
}

/// Runs until SIGTERM or Ctrl-C.
pub fn execute(args: Args) -> anyhow::Result<Exit> {
    runtime()?.block_on(operate(args))
}

async fn operate(args: Args) -> anyhow::Result<Exit> {
    let auth = auth(args.auth, args.listen)?;
    let config = kube::Config::infer().await.map_err(|error| {
        Advised::new(
            format!("no Kubernetes can be reached: {error}"),
            "run it in a Pod with a service account, or set KUBECONFIG",
        )
    })?;
    let ways = Ways::new(&config).context("the way to the API server cannot be used")?;
    let own = config.default_namespace.clone();
    let scope = Scope::of(args.all_namespaces, args.namespace, &own);
    let namespace = args.lease_namespace.unwrap_or(own);
    let identity = args.identity.unwrap_or_else(|| Uuid::new_v4().to_string());
    let archive = match args.data {
        Some(folder) => Some(Archive::open(folder, args.data_max_bytes).await),
        None => None,
    };
    let shows = args.dashboard || archive.is_some();
    let door = shows.then(|| door::Settings {
        archive: archive.clone(),
        client: ways.people.clone(),
        users: door::users(&config),
        scope: scope.clone(),
        auth,
        hosts: Hosts(args.host),
    });
    let tracer = Tracer::of_environment();
    let settings = Settings {
        archive: archive.clone(),
        tracer: tracer.clone(),
        scope,
        writer: format!("{namespace}/{}", args.lease),
        lease: lease::Settings { namespace, name: args.lease, identity: identity.clone() },
        manager: args.managed_by,
        identity,
        images: Images { mozart: args.image, batch: args.batch_image },
        allowed: args.allow,
        fs_group: !args.no_fs_group,
        outgoing: Outgoing::new(args.allow_address).context("no HTTP client")?,
    };
    let clock = MachineClock::of_environment()?;
    let files = args.tls_cert.zip(args.tls_key);
    let files = files.map(|(certificate, key)| CertificateFiles { certificate, key });
    if let Some(files) = files {
        let Some(door) = &door else {
            let message = "--tls-cert is given, and nothing is shown";
            return Err(Advised::new(message, "add --dashboard, or --data DIR").into());
        };
        open_tls_door(args.tls_listen, files, door.clone()).await?;
    }
    if let Some(door) = door {
        open_door(args.listen, door).await?;
    }
    let telemetry = telemetry::Shared::default();
    let listener = Listener::bind(args.metrics_address).await?;
    tracing::info!(address = %listener.address(), "metrics and health are served");
    let told = listener.serve(Arc::clone(&telemetry));
    let (stop, at_once) = signalled()?;
    tracing::info!(scope = ?settings.scope, identity = settings.identity, "the operator starts");
    tokio::select! {
        () = run(ways, settings, telemetry, MachineClocks, clock, stop) => {
            if let Some(archive) = archive {
                archive.close().await;
            }
            if let Some(tracer) = tracer {
                tracer.close().await;
            }
            tracing::info!("the operator has stopped");
        }
        failed = told => failed.context("the listener of metrics and health failed")?,
        () = at_once => tracing::warn!("the operator stops at once: its lease is not given back"),
    }
    Ok(Exit::Done)
}

/// Who asks nobody may be reached by nobody but this machine.
fn auth(argument: AuthArgument, listen: SocketAddr) -> anyhow::Result<Auth> {
    match argument {
        AuthArgument::Token => Ok(Auth::Token),
        AuthArgument::None if listen.ip().is_loopback() => Ok(Auth::None),
        AuthArgument::None => {
            let message = format!("--auth=none shows everything to whoever reaches {listen}");
            let hint = "listen on 127.0.0.1, or leave --auth away";
            Err(Advised::new(message, hint).into())
        }
    }
}

/// Shows people what there is, for as long as this process lives.
async fn open_door(address: SocketAddr, door: door::Settings) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.with_context(|| format!("cannot listen on {address}: name another with --listen"))?;
    tokio::spawn(door::serve(listener, door));
    Ok(())
}

/// The same with TLS, where nobody is shown anything without a token.
async fn open_tls_door(
    address: SocketAddr,
    files: CertificateFiles,
    door: door::Settings,
) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.with_context(|| format!("cannot listen on {address}: name another with --tls-listen"))?;
    let door = door::Settings { auth: Auth::Token, ..door };
    tokio::spawn(door::serve_tls(listener, Tls::open(files)?, door));
    Ok(())
}

/// Two that resolve at the first and at the second signal that asks the process to end.
fn signalled() -> anyhow::Result<(impl Future<Output = ()>, impl Future<Output = ()>)> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen = |kind| signal(kind).context("the signals that end the operator cannot be heard");
    let mut terminate = listen(SignalKind::terminate())?;
    let mut interrupt = listen(SignalKind::interrupt())?;
    let (count, first) = watch::channel(0_u32);
    let second = first.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
            count.send_modify(|count| *count += 1);
        }
    });
    // The task never ends by itself.
    let heard = |mut count: watch::Receiver<u32>, wanted| async move {
        let _ = count.wait_for(|count| *count >= wanted).await;
    };
    Ok((heard(first, 1), heard(second, 2)))
}
