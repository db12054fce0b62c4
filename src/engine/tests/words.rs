use super::{at, key};
use crate::engine::waiting::Waiting;

#[test]
fn what_is_waited_for_is_said_in_words() {
    let cause = || "plan limit (five_hour)".to_owned();
    let all = [
        Waiting::Limit { cause: cause(), until: at(3600), since: None },
        Waiting::Canary { cause: cause(), ours: Some(key(12, 1)) },
        Waiting::Canary { cause: cause(), ours: None },
        Waiting::Attention { cause: "credit balance is too low".to_owned(), since: at(0) },
        Waiting::SlowStart { cap: 1 },
        Waiting::SlowStart { cap: 4 },
        Waiting::Sessions { cap: 1 },
        Waiting::Sessions { cap: 4 },
        Waiting::Budget {
            sentence: "$49.20 of budget.perRunUSD $50.00 is spent, and one more attempt may cost $2.00."
                .to_owned(),
        },
        Waiting::Trial { limit: 2 },
        Waiting::Backoff { until: at(75) },
        Waiting::Window { unfinished: 32, until: at(75) },
        Waiting::Pause { until: at(75) },
        Waiting::Save,
        Waiting::LastRunning { running: 1 },
        Waiting::LastRunning { running: 3 },
        Waiting::Suspended { message: "The run was suspended.".to_owned(), running: 0 },
        Waiting::Suspended { message: "The run was suspended.".to_owned(), running: 2 },
        Waiting::Stopping { message: "The run was stopped.".to_owned(), running: 2 },
        Waiting::StaleLook,
    ];
    let said: Vec<_> = all.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("waiting", said.join("\n"));
}
