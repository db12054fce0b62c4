//! State that several processes have open.

use std::{process::Command, sync::Barrier, thread};

use crate::support::Sandbox;

fn run_of(sandbox: &Sandbox, name: &str) -> Command {
    let file = format!("{name}.yaml");
    sandbox.write(
        &file,
        &format!(
            "name: {name}\nbackend: {{type: command, command: ['true']}}\n\
             workspace: ./{name}\nbatch: {{size: 1, total_items: 1}}\nprompt: {{template: do}}\n"
        ),
    );
    sandbox.mozart(["local-run", &file])
}

#[test]
fn processes_that_make_the_state_at_the_same_moment_all_run() {
    for _ in 0..30 {
        let sandbox = Sandbox::new();
        let together = Barrier::new(2);
        thread::scope(|scope| {
            for name in ["one", "two"] {
                let (mut run, together) = (run_of(&sandbox, name), &together);
                scope.spawn(move || {
                    together.wait();
                    let ended = run.output().unwrap();
                    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
                });
            }
        });
    }
}
