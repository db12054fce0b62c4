//! Recording what happened, and playing it again.

use std::{env, fs, path::PathBuf};

use fastrand::Rng;
use serde::{Deserialize, Serialize};

use super::{
    chance,
    invariants::Broken,
    universe::{Happening, Setting, Universe},
};
use crate::engine::ledger::Ledger;

/// A simulation: what it began with, and all that happened.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Recording {
    setting: Setting,
    happenings: Vec<Happening>,
}

impl Recording {
    /// Simulates by chance, up to the fair end.
    fn make(seed: u64) -> (Self, Result<Ledger, Broken>) {
        let mut rng = Rng::with_seed(seed);
        let setting = chance::setting(&mut rng);
        let trouble = rng.u8(..60);
        let mut universe = Universe::new(&setting);
        let mut happenings = Vec::new();
        let mut simulate = || {
            for _ in 0..rng.usize(1..600) {
                let happening = chance::happening(&mut rng, &universe, trouble);
                happenings.push(happening.clone());
                universe.happen(&happening)?;
            }
            chance::end_fairly(&mut universe, &mut happenings)?;
            Ok(universe.stored.clone())
        };
        let result = simulate();
        (Self { setting, happenings }, result)
    }

    /// Lets the same happen again.
    fn play(&self) -> Result<Ledger, Broken> {
        let mut universe = Universe::new(&self.setting);
        for happening in &self.happenings {
            universe.happen(happening)?;
        }
        Ok(universe.stored.clone())
    }

    /// Where the recording of a seed that failed is written.
    fn write(&self, seed: u64) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/sim");
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("seed-{seed}.json"));
        fs::write(&file, serde_json::to_string_pretty(self).unwrap()).unwrap();
        file
    }
}

#[test]
fn whatever_happens_the_invariants_hold_and_the_run_ends() {
    let seeds = env::var("MOZART_SIM_SEEDS").map_or(300, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let (recording, result) = Recording::make(seed);
        if let Err(Broken(what)) = result {
            let file = recording.write(seed);
            panic!(
                "seed {seed}, after {} events: {what}\nrecorded in {}",
                recording.happenings.len(),
                file.display()
            );
        }
    }
}

#[test]
fn a_recording_played_again_comes_to_the_same_end() {
    let (recording, result) = Recording::make(11);
    let text = serde_json::to_string(&recording).unwrap();
    let read: Recording = serde_json::from_str(&text).unwrap();
    assert_eq!(read.play().map(|ledger| ledger.succeeded), result.map(|ledger| ledger.succeeded));

    if let Ok(file) = env::var("MOZART_SIM_REPLAY") {
        let recording: Recording = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
        recording.play().unwrap();
    }
}
