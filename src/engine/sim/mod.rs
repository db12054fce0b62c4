//! The engine in a simulated world: chance decides what happens to attempts, saves, people and clocks; named invariants
//! hold after each event; every event is recorded, so that a failure can be replayed from its file.
//!
//! `MOZART_SIM_SEEDS=20000 cargo test sim::` tries more seeds; `MOZART_SIM_REPLAY=FILE cargo test sim::` replays a
//! recording.

mod chance;
mod invariants;
mod recording;
mod universe;
