//! A run that is active, from its ledger to its end, or until the job says something else.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    sync::{Notify, SemaphorePermit, watch},
    time::Instant,
};

use super::{
    answers::{self, AnswerHome},
    archived::{self, Archived},
    attend::{Next, Not, Trouble},
    begin::{first, folder},
    claims::{Noted, SavedClaims},
    context::Context,
    herald::Announced,
    in_process,
    in_turn::{Attempts, InTurn},
    notices::{self, ByOperator, Notices},
    prepare::{self, Key, live, sentences},
    readback::Readback,
    roster::Seen,
    task::wishes,
};
use crate::{
    api::status::Truth,
    backend::Way,
    cluster::{
        credential::RunGate,
        object::JobObject,
        status::{INVALID_SPEC, Shown, short},
        store::StatusStore,
        telemetry::unfinished,
    },
    driver::{
        clock::MachineClock,
        ports::{Clock as _, Store as _, StoreError},
        run::run,
        turn::{Ports, RunError, RunState, View},
    },
    engine::{
        ledger::{Ledger, RunPhase},
        policy::{Durability, Policy},
    },
    job::{items::hash_of, load::Loaded, plan::Plan, sources::Mode},
    launch::pod::{PlanRef, PodLauncher, PodPlace, Pods, Volume, plan},
    trace::{Origin, Traced},
};

/// Between two writes of what people see where the ledger itself has nothing to save.
const REFRESH: Duration = Duration::from_secs(10);
/// Between two signs that a run is driven: a third of what another operator waits for one.
const RENEW: Duration = Duration::from_secs(20);
/// Before Pods of a run that is over are looked for again.
const LEFT_OVER: i64 = 10;

/// Everything that a run is driven with.
struct Ready {
    loaded: Loaded,
    /// What of the spec as it was edited since cannot be, for people.
    wrong: Option<String>,
    plan: PlanRef,
    means: Means,
    credential: Option<Key>,
    pods: Pods,
    outside: ByOperator,
}

/// How the attempts of a run are run.
enum Means {
    /// As Pods that work there.
    Pods(Volume),
    /// In this process, which asks the service so.
    Tasks(Way),
}

/// Drives the run of `ledger` until it is over, or suspended and at rest, or the job has changed. `taking_up` is let go
/// once the run is taken up.
pub(super) async fn drive(
    context: &Arc<Context>,
    job: &JobObject,
    store: &StatusStore<MachineClock>,
    ledger: Ledger,
    seen: &mut watch::Receiver<Seen>,
    taking_up: Option<SemaphorePermit<'_>>,
) -> Result<Result<Next, Not>, Trouble> {
    let ready = match make_ready(context, job, store, &ledger).await? {
        Readied::Ready(ready) => *ready,
        Readied::Next(next) => return Ok(Ok(next)),
        Readied::Not(not) => return Ok(Err(not)),
    };
    drop(taking_up);
    let Ready { loaded, wrong, plan, means, credential, pods, outside } = ready;
    let run_id = ledger.run.clone();
    let durability = match &means {
        Means::Pods(_) => Durability::Durable,
        Means::Tasks(_) => Durability::InProcess,
    };
    let policy = Policy::new(&loaded.job, durability);
    let loaded_job = Arc::new(loaded.job);
    let pod_place = |volume| PodPlace {
        client: context.client.clone(),
        namespace: job.namespace.clone(),
        job_name: job.name.clone(),
        owner: job.owner(),
        job: Arc::clone(&loaded_job),
        run: run_id.clone(),
        plan: plan.clone(),
        images: context.settings.images.clone(),
        pod: job.spec.pod.clone().unwrap_or_default(),
        allowed: context.settings.allowed.clone(),
        workspace: volume,
        credential: credential.as_ref().map(|key| key.pod.clone()),
        clock: context.server_clock.clone(),
        fs_group: context.settings.fs_group,
        counts: context.telemetry.pods.clone(),
        logs: answers::keeper(context, job),
        traced: context.settings.tracer.is_some(),
    };
    let claims = Arc::new(SavedClaims::new(context.jobs(&job.namespace), &job.name, &ledger));
    let (attempts, readback) = match means {
        Means::Pods(volume) => {
            let launcher = PodLauncher::new(pod_place(volume), pods.clone(), Arc::clone(&claims));
            (Attempts::Pods(launcher), Readback::of_pods(context, job, &run_id))
        }
        Means::Tasks(way) => {
            let home = AnswerHome::of(context, job, &run_id);
            let readback = home.readback(&loaded_job, &run_id);
            (Attempts::Tasks(in_process::launcher(&loaded_job, &run_id, way, home)), readback)
        }
    };
    let notices = Notices::open(&loaded_job, &run_id, &readback, &outside);
    let metrics = &context.telemetry.metrics;
    let shared = credential.map(|key| key.shared);
    let payer = shared.as_ref().map(|shared| shared.name().to_owned()).unwrap_or_default();
    let gates = RunGate::of(shared.as_ref());
    let seat = shared.map(|shared| shared.seat(job.uid, &job.name, Some(&pods)));
    let settled = watch::Sender::new(false);
    let launcher = InTurn {
        attempts,
        seat,
        run: run_id.clone(),
        closing: context.closing.clone(),
        settled: settled.clone(),
        looked: Mutex::new(Instant::now()),
    };
    if let Some(wrong) = wrong.as_ref().filter(|wrong| !is_told(job, wrong)) {
        context.herald.tell(&job.reference(), INVALID_SPEC, wrong, true);
    }
    let reading = context.driven.reading(job.uid, ledger.seq);
    let mut state = RunState::new(ledger);
    if let Some(reading) = reading {
        state.goes_by(reading);
    }
    // An edit of the job is how people let a run go on that was suspended for want of money or time.
    let edited = job.status.observed_generation.is_some_and(|observed| observed < job.generation);
    if edited && job.spec.suspend != Some(true) {
        state.resume(context.clock.now()).map_err(|error| RunError::Step(error.into()))?;
    }
    // Held for as long as the run is driven: it never changes, since a change of the job makes a new drive.
    let (_wishes, wished) = watch::channel(wishes(job, run_id.run));
    let announced =
        Announced { store, herald: &context.herald, job: job.reference(), metrics, credential: &payer };
    let (archive, archived_job) = (context.settings.archive.as_ref(), archived::of(job));
    let archived = Archived { store: announced, archive, job: archived_job };
    let traced = traced(context, job, &archived);
    let saved = Noted { store: traced, claims: &claims };
    let clock = &context.clock;
    let ports = Ports { store: &saved, launcher: &launcher, gates: &gates, notifier: &notices, clock };
    let in_process = matches!(launcher.attempts, Attempts::Tasks(_));
    let stale = Notify::new();
    let turned = watch::Sender::new(());
    let mut batches = metrics.batches();
    let mut left = false;
    let show = |view: &View<'_>| {
        metrics.turn(launcher.since_look());
        context.driven.note(job.uid, view.read);
        batches.be(unfinished(view.summary));
        let held = launcher.attempts.held_up();
        let (summary, waiting) = (*view.summary, view.waiting.cloned());
        let unheard = notices.trouble();
        store.show(Shown { summary, waiting, held, wrong: wrong.clone(), unheard });
        // Whoever waits for the workspace does not wait until everybody is told.
        if view.ledger.is_over() && !left {
            left = true;
            context.leave(&job.namespace, job.uid);
        }
        // Pods are left to whoever leads next; what runs in this process ends with it.
        settled.send_replace(view.settled && (!in_process || view.summary.running == 0));
        launcher.waits(view.waiting);
        gates.stuck(launcher.stuck());
        turned.send_replace(());
        if launcher.attempts.is_stale() {
            stale.notify_one();
        }
    };
    let ended = tokio::select! {
        biased;
        () = differs(seen, Seen::of(&job.object)) => Err(Next::Again),
        () = stale.notified() => Err(Next::Again),
        () = context.closing.when_closed_and(settled.subscribe()) => Err(Next::Never),
        ended = run(&policy, state, ports, wished, show) => Ok(ended),
        never = refresh(store, clock, turned.subscribe()) => match never {},
        never = renew(store, clock, settled.subscribe()), if in_process => match never {},
    };
    launcher.attempts.close().await;
    let ended = match ended {
        Ok(ended) => ended,
        Err(next) => return Ok(Ok(next)),
    };
    let ledger = match ended {
        Ok(ledger) => ledger,
        // Somebody else saved: what is stored now decides.
        Err(RunError::Store(error @ StoreError::Conflict { .. })) => {
            tracing::info!(job.namespace = job.namespace, job.name = job.name, %error, "the job is read anew");
            return Ok(Ok(Next::Again));
        }
        Err(error) => return Err(error.into()),
    };
    if !ledger.is_over() {
        return Ok(Ok(Next::Change));
    }
    over(context, job, &ledger).await?;
    if pods.jobs().contains(&job.uid) {
        let until = clock.now().checked_add(jiff::SignedDuration::from_secs(LEFT_OVER));
        return Ok(Ok(until.map_or(Next::Again, Next::At)));
    }
    Ok(Ok(Next::Again))
}

/// Whether the job's status says already that this is wrong with it.
fn is_told(job: &JobObject, wrong: &str) -> bool {
    let mut conditions = job.status.conditions.iter();
    conditions.any(|one| one.kind == "Valid" && one.status == Truth::False && one.message == short(wrong))
}

/// A run is over: plans that are kept no longer are deleted.
async fn over(context: &Context, job: &JobObject, ledger: &Ledger) -> Result<(), Trouble> {
    context.driven.forget(job.uid);
    let keep = job.spec.history.as_ref().and_then(|history| history.keep_runs).unwrap_or(KEEP_RUNS);
    if let Some(archive) = &context.settings.archive {
        archive.prune(job.uid, keep);
    }
    let Some(old) = ledger.run.run.checked_sub(keep).filter(|old| *old > 0) else { return Ok(()) };
    let old = crate::job::identity::RunId { job: job.uid, run: old };
    if let Some(old) = plan::find(&context.client, &job.namespace, &job.name, &old).await? {
        plan::delete(&context.client, &job.namespace, &old).await?;
    }
    Ok(())
}

/// How many runs are kept where the job does not say it.
const KEEP_RUNS: u32 = 10;

enum Readied {
    Ready(Box<Ready>),
    Next(Next),
    Not(Not),
}

/// Finds the run's plan and everything that its attempts need.
async fn make_ready(
    context: &Arc<Context>,
    job: &JobObject,
    store: &StatusStore<MachineClock>,
    ledger: &Ledger,
) -> Result<Readied, Trouble> {
    if let Some(not) = prepare::unfit(context, job) {
        return Ok(Readied::Not(not));
    }
    let (client, namespace) = (&context.client, job.namespace.as_str());
    let found = plan::find(client, namespace, &job.name, &ledger.run).await?;
    let begun = ledger.phase != RunPhase::Pending;
    let plan_ref = match found {
        Some(found) if found.hash == ledger.plan_hash => found,
        // Nothing was claimed by it: a plan that the ledger does not name is from a beginning that did not happen.
        Some(other) if !begun => {
            plan::delete(client, namespace, &other).await?;
            return Ok(Readied::Next(Next::Again));
        }
        None if !begun => return write_plan(context, job, store, ledger).await,
        None if ledger.is_over() => {
            context.pods(namespace).await.abandon(job.uid).await?;
            return Ok(Readied::Next(Next::Later));
        }
        Some(_) | None => return no_plan(context, job, store, ledger).await,
    };
    let plan = match plan::read(client, namespace, &plan_ref).await {
        Ok(plan) => plan,
        Err(plan::PlanRefError::Missing { .. } | plan::PlanRefError::Plan(_)) => {
            return no_plan(context, job, store, ledger).await;
        }
        Err(error) => return Err(error.into()),
    };
    let (loaded, wrong) = match load_edited(&plan, live(job)).await? {
        Ok(loaded) => loaded,
        Err(not) => return Ok(Readied::Not(not)),
    };
    let credential = match prepare::credential(context, job).await? {
        Ok(credential) => credential,
        Err(not) => return Ok(Readied::Not(not)),
    };
    let means = match (prepare::place(context, job).await?, &credential) {
        (Ok(Some(volume)), _) => Means::Pods(volume),
        (Ok(None), Some(key)) => match in_process::ready(context, job, key).await? {
            Ok(way) => Means::Tasks(way),
            Err(not) => return Ok(Readied::Not(not)),
        },
        // A backend without a credential has no batches in this process.
        (Ok(None), None) => Means::Tasks(Way::Environment),
        (Err(not), _) => return Ok(Readied::Not(not)),
    };
    if !ledger.is_over()
        && let Means::Pods(volume) = &means
        && let Err(other) = context.occupy(namespace, job.uid, volume)
    {
        tracing::warn!(job.namespace = namespace, job.name = job.name, other.uid = %other, "two active runs work in one workspace");
    }
    let pods = context.pods(namespace).await;
    let outside = notices::outside(context, namespace, &loaded.job).await?;
    Ok(Readied::Ready(Box::new(Ready { loaded, wrong, plan: plan_ref, means, credential, pods, outside })))
}

/// Writes the plan of a run that has begun, as far as its ledger goes, and of which nothing else was done.
async fn write_plan(
    context: &Arc<Context>,
    job: &JobObject,
    store: &StatusStore<MachineClock>,
    ledger: &Ledger,
) -> Result<Readied, Trouble> {
    let ready = match prepare::prepare(context, job).await? {
        Ok(ready) => ready,
        Err(not) => return Ok(Readied::Not(not)),
    };
    let hash = hash_of(ready.plan.text());
    if hash == ledger.plan_hash {
        let (client, owner) = (&context.client, job.owner());
        plan::write(client, &job.namespace, &owner, &job.name, &ledger.run, &ready.plan).await?;
        return Ok(Readied::Next(Next::Again));
    }
    // What the job names by reference has changed since: the run is of what is there now.
    let now = context.clock.now();
    let total = ready.loaded.job.batches.total();
    let mut anew = ledger.clone();
    if total == ledger.of_total {
        anew.plan_hash = hash;
    } else {
        anew = first(ledger.run.clone(), hash, total, now);
        anew.seq = ledger.seq;
        (anew.outbox, anew.last_notice) = (ledger.outbox.clone(), ledger.last_notice);
    }
    let (anew, journal) = RunState::new(anew).snapshot();
    store.save(&anew, &journal).await?;
    Ok(Readied::Next(Next::Again))
}

/// Ends a run whose plan is gone or was changed: nothing of it can be rendered any more.
async fn no_plan(
    context: &Context,
    job: &JobObject,
    store: &StatusStore<MachineClock>,
    ledger: &Ledger,
) -> Result<Readied, Trouble> {
    tracing::warn!(
        job.namespace = job.namespace,
        job.name = job.name,
        run = ledger.run.run,
        "the run's plan is gone or was changed: the run ends"
    );
    let mut state = RunState::new(ledger.clone());
    let message = "The ConfigMaps with the run's plan are gone or were changed.";
    state.stop("PlanLost", message, context.clock.now()).map_err(|error| RunError::Step(error.into()))?;
    let (ledger, journal) = state.snapshot();
    let metrics = &context.telemetry.metrics;
    let announced =
        Announced { store, herald: &context.herald, job: job.reference(), metrics, credential: "" };
    let (archive, archived_job) = (context.settings.archive.as_ref(), archived::of(job));
    let saved = Archived { store: announced, archive, job: archived_job };
    traced(context, job, &saved).save(&ledger, &journal).await?;
    Ok(Readied::Next(Next::Again))
}

/// A store that tells of spans too.
fn traced<'a, S>(context: &'a Context, job: &JobObject, store: &'a S) -> Traced<'a, S> {
    let origin = Origin { job: job.name.clone(), namespace: Some(job.namespace.clone()) };
    Traced { store, tracer: context.settings.tracer.as_ref(), origin }
}

/// The job of an active run as its plan and the spec say it. A field that was edited since and cannot be is left out, as
/// if it were not written, and told of: the run is of its plan, and goes on.
async fn load_edited(plan: &Plan, live: &Value) -> Result<Result<(Loaded, Option<String>), Not>, Trouble> {
    let wrong = match load(plan.with_live(live)).await? {
        Ok(loaded) => return Ok(Ok((loaded, None))),
        Err(Not::Unfit { message, .. }) => message,
        Err(not) => return Ok(Err(not)),
    };
    let mut sound = serde_json::json!({});
    for (name, value) in live.as_object().into_iter().flatten() {
        sound[name] = value.clone();
        if load(plan.with_live(&sound)).await?.is_err()
            && let Some(sound) = sound.as_object_mut()
        {
            sound.remove(name);
        }
    }
    Ok(load(plan.with_live(&sound)).await?.map(|loaded| (loaded, Some(wrong))))
}

async fn load(plan: Plan) -> Result<Result<Loaded, Not>, Trouble> {
    let load = move || plan.load(Path::new(folder()), Mode::Cluster);
    let loaded = tokio::task::spawn_blocking(load).await.map_err(Trouble::Thread)?;
    Ok(loaded.map_err(|problems| Not::Unfit { reason: "InvalidSpec", message: sentences(&problems) }))
}

/// Resolves when the watch shows a newer spec than was read, or a checkpoint that was there and is gone. What it shows may
/// be older than what was read: that alone is no reason to read again.
async fn differs(seen: &mut watch::Receiver<Seen>, read: Seen) {
    let mut before = *seen.borrow_and_update();
    while before.generation <= read.generation {
        if seen.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        let now = *seen.borrow_and_update();
        if before.checkpoint && !now.checkpoint {
            return;
        }
        before = now;
    }
}

/// Says again and again that the run is driven, while something runs in this process: answers may take longer than
/// another operator waits.
async fn renew(
    store: &StatusStore<MachineClock>,
    clock: &MachineClock,
    settled: watch::Receiver<bool>,
) -> std::convert::Infallible {
    loop {
        clock.sleep(RENEW).await;
        if *settled.borrow() {
            continue;
        }
        if let Err(error) = store.renew().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "the checkpoint could not be renewed");
        }
    }
}

/// Writes what people see where it has changed and the ledger has not.
async fn refresh(
    store: &StatusStore<MachineClock>,
    clock: &MachineClock,
    mut turned: watch::Receiver<()>,
) -> std::convert::Infallible {
    loop {
        // The sender lives as long as the run is driven.
        if turned.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        clock.sleep(REFRESH).await;
        turned.borrow_and_update();
        if let Err(error) = store.refresh().await {
            tracing::debug!(error = &error as &dyn std::error::Error, "what people see is not up to date");
        }
    }
}
