//! What a program leaves running is gone before its batch is checked.

use mozart::{driver::ports::Launcher, job::model::Check};

use super::fixture::{Run, first, marked, run};

/// Three ways to stay behind; each says that it runs before the program ends.
const LEAVES_CHILDREN: &str = r#"
stay='echo $$ >> pids; exec sleep 600'
setsid bash -c "$stay" &
nohup bash -c "$stay" >/dev/null 2>&1 &
( setsid bash -c "trap '' TERM; $stay" & )
while [ "$(wc -l < pids)" != 3 ]; do sleep 0.01; done 2>/dev/null
"#;

#[tokio::test]
async fn nothing_that_a_program_left_lives_when_its_validations_are_looked_at() {
    let all_dead = Check::CommandSucceeds {
        command: "for pid in $(cat pids); do kill -0 $pid && exit 1; done; test $(wc -l < pids) = 3"
            .to_owned(),
        working_directory: None,
        timeout: std::time::Duration::from_mins(1),
    };
    let fixture = Run::of(LEAVES_CHILDREN).validated_by(all_dead);
    let launcher = fixture.open(&[]).await;
    assert_eq!(run(&launcher, first(1)).await.failure, None);
    assert_eq!(marked(&fixture.id), 0);
}

#[tokio::test]
async fn the_sweep_of_one_attempt_leaves_another_alone() {
    let fixture = Run::of(
        "if [ $MOZART_BATCH_NUM = 1 ]; then ( setsid sleep 600 & ); exit 0; fi
         ( while [ ! -e go ]; do sleep 0.01; done; echo alive > child ) & wait; cat child",
    );
    let launcher = fixture.open(&[]).await;
    launcher.launch(super::fixture::start(first(2))).await;
    super::fixture::appears(&fixture.directory(first(2)).join("process.json")).await;
    assert_eq!(run(&launcher, first(1)).await.failure, None);
    std::fs::write(fixture.workspace().join("go"), "").unwrap();
    assert_eq!(super::fixture::outcome(&launcher, first(2)).await.failure, None);
}
