//! How the jobs of a credential share the attempts that it allows: in turns.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::sync::Notify;
use uuid::Uuid;

use crate::engine::world::Sessions;

/// Who waits for its turn looks this often, since the end of a Pod that nobody drives is told to nobody.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The runs that use a credential.
#[derive(Debug, Default)]
pub(super) struct Crowd(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    members: BTreeMap<Uuid, Member>,
    /// Who could start more than it may, the longest waiting first.
    queue: VecDeque<Uuid>,
    /// How many may run, as was last said.
    cap: Option<u32>,
    /// What runs of jobs that nobody drives, as was last said.
    others: u32,
}

#[derive(Debug)]
struct Member {
    live: u32,
    told: Arc<Notify>,
}

impl Crowd {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The jobs that are driven.
    pub(super) fn jobs(&self) -> Vec<Uuid> {
        self.state().members.keys().copied().collect()
    }

    /// What runs of them.
    pub(super) fn live(&self) -> u32 {
        self.state().live()
    }

    /// More may run than before: everybody who waits is told.
    pub(super) fn grown(&self) {
        let state = self.state();
        state.members.values().for_each(|member| member.told.notify_one());
    }
}

impl State {
    fn live(&self) -> u32 {
        self.members.values().map(|member| member.live).sum()
    }

    fn free(&self) -> u32 {
        let Some(cap) = self.cap else { return u32::MAX };
        cap.saturating_sub(self.live()).saturating_sub(self.others)
    }

    /// How many `job` may start now. Where others wait too, each that is free goes to the one of them that has the
    /// fewest, and among equals to the one that waits longest.
    fn free_for(&self, job: Uuid) -> u32 {
        let free = self.free();
        if self.queue.iter().all(|one| *one == job) {
            return free;
        }
        let queued = self.queue.contains(&job);
        let waiting = self.queue.iter().copied().chain((!queued).then_some(job)).enumerate();
        let live = |job: Uuid| self.members.get(&job).map_or(0, |member| member.live);
        let mut heap: BinaryHeap<_> = waiting.map(|(place, one)| Reverse((live(one), place, one))).collect();
        let mut mine = 0;
        for _ in 0..free {
            let Some(Reverse((live, place, one))) = heap.pop() else { break };
            mine += u32::from(one == job);
            heap.push(Reverse((live + 1, place, one)));
        }
        mine
    }

    /// Tells those whose turn it is.
    fn tell(&self) {
        let free = usize::try_from(self.free()).unwrap_or(usize::MAX);
        for job in self.queue.iter().take(free) {
            if let Some(member) = self.members.get(job) {
                member.told.notify_one();
            }
        }
    }
}

/// The place of one run among them; dropping it leaves.
#[derive(Debug)]
pub(super) struct Seat {
    crowd: Arc<Crowd>,
    job: Uuid,
    told: Arc<Notify>,
}

impl Seat {
    pub(super) fn take(crowd: &Arc<Crowd>, job: Uuid) -> Self {
        let told = Arc::<Notify>::default();
        crowd.state().members.insert(job, Member { live: 0, told: Arc::clone(&told) });
        Self { crowd: Arc::clone(crowd), job, told }
    }

    /// So many attempts of this run were seen to run. Whether that is another number than before.
    pub(super) fn runs(&self, live: u32) -> bool {
        let mut state = self.crowd.state();
        let Some(member) = state.members.get_mut(&self.job) else { return false };
        let before = std::mem::replace(&mut member.live, live);
        if live < before {
            state.tell();
        }
        live != before
    }

    /// How many attempts may run, as far as it concerns this run; `others` run of jobs that nobody drives.
    pub(super) fn sessions(&self, cap: Option<u32>, others: u32) -> Option<Sessions> {
        let mut state = self.crowd.state();
        (state.cap, state.others) = (cap, others);
        let cap = cap?;
        Some(Sessions { cap, taken: cap.saturating_sub(state.free_for(self.job)) })
    }

    /// Counts an attempt that is to start; `false` when another was quicker.
    pub(super) fn start(&self) -> bool {
        let mut state = self.crowd.state();
        if state.free_for(self.job) == 0 {
            // What was looked at is no longer so.
            self.told.notify_one();
            return false;
        }
        if let Some(member) = state.members.get_mut(&self.job) {
            member.live += 1;
        }
        true
    }

    /// Whether this run could start more than it may.
    pub(super) fn wants(&self, wants: bool) {
        let mut state = self.crowd.state();
        let queued = state.queue.contains(&self.job);
        if wants && !queued {
            state.queue.push_back(self.job);
        } else if !wants && queued {
            state.queue.retain(|one| *one != self.job);
            state.tell();
        }
    }

    /// Resolves when it may be this run's turn. Cancel safe.
    pub(super) async fn changed(&self) {
        let waits = self.crowd.state().queue.contains(&self.job);
        tokio::select! {
            () = self.told.notified() => {}
            () = tokio::time::sleep(LOOK_EVERY), if waits => {}
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.crowd.state();
        // Another run of the job may have come in between.
        let mine = state.members.get(&self.job).is_some_and(|member| Arc::ptr_eq(&member.told, &self.told));
        if mine {
            state.members.remove(&self.job);
            state.queue.retain(|one| *one != self.job);
            state.tell();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seats(count: u128) -> (Arc<Crowd>, Vec<Seat>) {
        let crowd = Arc::<Crowd>::default();
        let seats = (1..=count).map(|job| Seat::take(&crowd, Uuid::from_u128(job))).collect();
        (crowd, seats)
    }

    fn free(seat: &Seat, cap: u32) -> u32 {
        seat.sessions(Some(cap), 0).unwrap().free()
    }

    #[test]
    fn jobs_take_turns_however_wide_they_are() {
        let (crowd, seats) = seats(3);
        let mut live = [0_u32; 3];
        let mut started = [0_u32; 3];
        for round in 0..300 {
            for (seat, live) in seats.iter().zip(&mut live) {
                seat.runs(*live);
            }
            // The first job asks first, and asks until it gets no more.
            for (index, seat) in seats.iter().enumerate() {
                while free(seat, 4) > 0 && seat.start() {
                    live[index] += 1;
                    started[index] += 1;
                }
                seat.wants(true);
            }
            assert!(crowd.live() <= 4);
            let ending = round % 3;
            live[ending] = live[ending].saturating_sub(1);
        }
        let (least, most) = (started.iter().min().unwrap(), started.iter().max().unwrap());
        assert!(most - least <= 4, "{started:?}");
    }

    #[test]
    fn one_job_alone_takes_all_and_what_nobody_drives_counts() {
        let (_, seats) = seats(1);
        assert_eq!(free(&seats[0], 4), 4);
        assert_eq!(seats[0].sessions(Some(4), 3).unwrap().free(), 1);
        assert_eq!(seats[0].sessions(None, 3), None);
        assert!(seats[0].start());
    }

    #[test]
    fn who_has_left_holds_nobody_back() {
        let (_, mut seats) = seats(2);
        while free(&seats[0], 2) > 0 {
            assert!(seats[0].start());
        }
        seats[0].wants(true);
        seats[1].wants(true);
        assert_eq!(free(&seats[1], 2), 0);
        assert_eq!(free(&seats[1], 3), 1, "it has fewer than the first");
        drop(seats.remove(0));
        assert_eq!(free(&seats[0], 3), 3);
    }
}
