//! Two operators, each with a way of its own to the API server. That of the leader is cut for three lease times; it is
//! not paused, and knows only by its own clocks that it may no longer lead. Or it is paused for as long, and knows
//! nothing until it wakes.
//!
//! `MOZART_TEST_CUTS` says how often (2 unless it is set), `MOZART_TEST_SEED` repeats a choice of moments.

use std::{net::SocketAddr, time::Duration};

use futures::{StreamExt as _, stream};
use jiff::Timestamp;
use mozart::cluster::{fence, lease};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;

use super::{
    Work, account,
    audit::{self, Asked},
    edit,
    kubelet::Played,
    logged_at, on_the_node,
    proxy::{Proxy, Way},
    setting, submit, tells_of_leading, until,
};
use crate::attempts::eventually;

/// Cuts that are tried side by side, each in a namespace of its own.
const AT_ONCE: usize = 4;
const NAMES: [&str; 2] = ["mozart-one", "mozart-other"];

fn script(batch: u32, _: u32) -> Played {
    Played { takes: Duration::from_millis(500 + u64::from(batch * 379) % 1000), fails: false }
}

/// How the leader is kept from leading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Off {
    /// By its way to the API server.
    Cut(Way),
    /// By SIGSTOP.
    Paused,
}

/// What it came to.
struct Story {
    off: Off,
    /// From the cut to the last write of the one that was cut off, as the API server saw it.
    last: Option<Duration>,
    /// From the cut to the first write of the other.
    taken_over: Duration,
}

async fn server() -> SocketAddr {
    let config = kube::Config::infer().await.unwrap();
    let port = config.cluster_url.port_u16().unwrap_or(443);
    tokio::net::lookup_host((config.cluster_url.host().unwrap(), port)).await.unwrap().next().unwrap()
}

/// Writes of an account but for those about its lease, in their order.
fn writes(work: &Work, account: &str) -> Vec<Asked> {
    let is_write = |asked: &Asked| {
        !matches!(asked.verb.as_str(), "get" | "list" | "watch") && !asked.what.ends_with("/leases")
    };
    let asked = audit::operators_in(&work.namespace.name).into_iter();
    let mut writes: Vec<Asked> = asked.filter(|asked| asked.account == account && is_write(asked)).collect();
    writes.sort_by_key(|asked| asked.received);
    writes
}

fn since(cut: Timestamp, time: Timestamp) -> Duration {
    time.duration_since(cut).unsigned_abs()
}

async fn try_one(seed: u64, off: Off) -> Story {
    let mut random = fastrand::Rng::with_seed(seed);
    let work = Work::new(script).await;
    let mut proxies = Vec::new();
    for name in NAMES {
        account(&work.namespace, name).await;
        let proxy = Proxy::start(server().await).await;
        work.place.login(&work.namespace, name, Some(&proxy.url())).await;
        proxies.push(proxy);
    }
    let [one, other] = NAMES;
    let leader = work.place.start(one);
    let pid = Pid::from_raw(leader.id().unwrap().cast_signed());
    eventually("the one leads", async || work.place.log(one).iter().any(tells_of_leading)).await;
    let _other = work.place.start(other);
    let spec = json!({"batch": {"size": 1, "totalItems": 1000, "parallelism": 3}});
    submit(&work.namespace, "night", &on_the_node(&work.namespace, &spec)).await;

    // Just after a Pod's end there is most to write.
    let ended = |count: usize| {
        let lives = work.kubelet.lives();
        lives.iter().filter(|life| life.to.is_some()).count() >= count
    };
    let before = random.usize(3..20);
    eventually("Pods have ended", async || ended(before)).await;
    tokio::time::sleep(Duration::from_millis(random.u64(0..60))).await;
    let cut = Timestamp::now();
    match off {
        Off::Cut(way) => proxies[0].set(way),
        Off::Paused => kill(pid, Signal::SIGSTOP).unwrap(),
    }
    tokio::time::sleep(lease::DURATION * 3 + Duration::from_millis(random.u64(0..5000))).await;
    let healed = Timestamp::now();
    match off {
        Off::Cut(_) => proxies[0].set(Way::Whole),
        Off::Paused => kill(pid, Signal::SIGCONT).unwrap(),
    }
    let holder = work.place.identity(other);
    eventually("the one is back and sees who leads", async || {
        let mut lines = work.place.log(one).into_iter();
        lines.any(|line| line["standing"].as_str().is_some_and(|standing| standing.contains(&holder)))
    })
    .await;
    let more = work.kubelet.lives().len() + 20;
    eventually("the other goes on", async || ended(more)).await;
    edit(&work.namespace, "night", &json!({"stop": {"run": 1}})).await;
    until(&work.namespace, "night", "ends", |status| status["lastRun"]["outcome"] == "Failed").await;
    let story = judge(&work, off, cut, healed).await;
    work.end().await;
    story
}

async fn judge(work: &Work, off: Off, cut: Timestamp, healed: Timestamp) -> Story {
    let [one, other] = NAMES;
    assert_eq!(work.kubelet.wrong(), Vec::<String>::new());
    let again = work
        .place
        .log(one)
        .iter()
        .find(|line| tells_of_leading(line) && logged_at(line) > cut)
        .map(logged_at);
    let by_one: Vec<Asked> = writes(work, one)
        .into_iter()
        .filter(|asked| asked.received > cut && again.is_none_or(|again| asked.received < again))
        .collect();
    let (late, by_one): (Vec<Asked>, Vec<Asked>) =
        by_one.into_iter().partition(|asked| asked.received >= healed);
    // Answered with whatever: one whose connection broke off may have been done. Whoever is paused between the look at
    // the fence and the sending sends when it wakes; then the resourceVersion refuses it, and above nothing came of it.
    assert!(off == Off::Paused || late.is_empty(), "arrived when another led: {late:#?}");
    let last = by_one.last().map(|asked| since(cut, asked.received));
    // The renewal that opened the fence last began before the cut.
    assert!(last.is_none_or(|last| last <= fence::OPEN_FOR + fence::WRITE_TIMEOUT), "{by_one:#?}");
    let by_other = writes(work, other);
    let first = by_other.first().expect("the other has taken over").received;
    assert!(first > cut && by_one.last().is_none_or(|asked| asked.received < first), "one at a time");
    let job = work.namespace.jobs().get("night").await.unwrap();
    let recorded: mozart::engine::ranges::Ranges =
        job.data["status"]["checkpoint"]["succeeded"].as_str().unwrap().parse().unwrap();
    let ran: std::collections::BTreeSet<u32> =
        work.kubelet.lives().into_iter().map(|life| life.batch).collect();
    assert_eq!(recorded.len() as usize, ran.len(), "what ran is recorded");
    Story { off, last, taken_over: since(cut, first) }
}

fn any_seed() -> u64 {
    setting("MOZART_TEST_SEED").unwrap_or_else(|| fastrand::u64(..))
}

async fn stories(seed: u64, offs: impl IntoIterator<Item = Off>) -> Vec<Story> {
    let stories = (seed..).zip(offs).map(|(seed, off)| try_one(seed, off));
    stream::iter(stories).buffer_unordered(AT_ONCE).collect().await
}

fn takeovers(stories: &[Story]) -> String {
    let mut taken: Vec<Duration> = stories.iter().map(|story| story.taken_over).collect();
    taken.sort();
    let (median, longest) = (taken[taken.len() / 2], taken[taken.len() - 1]);
    format!("from a cut to the other's first write: median {median:.1?}, longest {longest:.1?}")
}

#[tokio::test]
async fn a_leader_that_is_cut_off_acts_no_more_the_other_takes_over_and_nothing_is_done_twice() {
    let cuts = setting("MOZART_TEST_CUTS").unwrap_or(2);
    let seed = any_seed();
    println!("MOZART_TEST_SEED={seed}");
    let ways = [Way::Cut, Way::Unanswered].map(Off::Cut).into_iter().cycle();
    let stories = stories(seed, ways.take(usize::try_from(cuts).unwrap())).await;
    let unanswered = stories.iter().filter(|story| story.off == Off::Cut(Way::Unanswered)).count();
    println!(
        "{cuts} cuts for three lease times and more, of {unanswered} of them only the answers: no write after the \
         fence, none that arrived late, nothing done twice"
    );
    let last = stories.iter().filter_map(|story| story.last).max();
    println!("the longest from a cut to the last write of who was cut off: {:.1?}", last.unwrap_or_default());
    println!("{}", takeovers(&stories));
}

#[tokio::test]
async fn a_leader_that_is_paused_for_three_lease_times_does_no_harm_when_it_wakes() {
    let seed = any_seed();
    println!("MOZART_TEST_SEED={seed}");
    let stories = stories(seed, [Off::Paused]).await;
    println!("{}", takeovers(&stories));
}
