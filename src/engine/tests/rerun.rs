use super::at;
use crate::engine::{
    fixtures,
    ledger::{Ledger, RunPhase},
    ranges::Ranges,
    rerun::{RerunError, Select, rerun},
};

fn ranges(text: &str) -> Ranges {
    text.parse().unwrap()
}

/// A run of ten batches that was stopped: 1 to 4 and 6 are done, 5 failed.
fn stopped() -> Ledger {
    let phase = RunPhase::Failed { reason: "Stopped".to_owned(), message: String::new() };
    Ledger { phase, succeeded: ranges("1-4,6"), failed: ranges("5"), ..fixtures::ledger(10, at(0)) }
}

fn again(last: &Ledger, select: &Select, total: u32) -> Result<Ledger, RerunError> {
    rerun(last, select, total, "plan".to_owned(), at(100))
}

#[test]
fn each_selection_takes_its_batches() {
    let cases = [
        (Select::Unfinished, "5,7-10", "1-4,6"),
        (Select::Failed, "5", "1-4,6"),
        (Select::All, "1-10", ""),
        (Select::Batches(ranges("3,7-9")), "3,7-9", "1-2,4,6"),
    ];
    for (select, selected, before) in cases {
        let ledger = again(&stopped(), &select, 10).unwrap();
        assert_eq!(
            (ledger.selected.to_string(), ledger.done_before.to_string()),
            (selected.into(), before.into())
        );
        assert_eq!((ledger.run.run, ledger.seq, ledger.phase), (2, 0, RunPhase::Pending));
        assert_eq!(ledger.of_total, 10);
    }
}

#[test]
fn what_a_partial_run_left_out_is_still_unfinished_after_it() {
    let partial = again(&stopped(), &Select::Failed, 10).unwrap();
    let partial = Ledger { phase: RunPhase::Complete, succeeded: ranges("5"), ..partial };
    let rest = again(&partial, &Select::Unfinished, 10).unwrap();
    assert_eq!(rest.selected.to_string(), "7-10");
}

#[test]
fn what_cannot_be_run_again_is_said() {
    let active = Ledger { phase: RunPhase::Running, ..stopped() };
    assert_eq!(again(&active, &Select::All, 10), Err(RerunError::Active { run: 1 }));
    let complete = Ledger { succeeded: Ranges::span(1, 10), failed: Ranges::default(), ..stopped() };
    assert_eq!(
        again(&complete, &Select::Unfinished, 10),
        Err(RerunError::Nothing { why: "every batch is done" })
    );
    assert_eq!(again(&complete, &Select::Failed, 10), Err(RerunError::Nothing { why: "no batch failed" }));
    let cut = RerunError::CutOtherwise { run: 1, before: 10, now: 5 };
    assert_eq!(again(&stopped(), &Select::Unfinished, 5), Err(cut));
    assert_eq!(again(&stopped(), &Select::All, 5).unwrap().selected, Ranges::span(1, 5));
    let named = Select::Batches(ranges("2,11"));
    assert_eq!(again(&stopped(), &named, 10), Err(RerunError::NoSuchBatch { batch: 11, total: 10 }));
}
