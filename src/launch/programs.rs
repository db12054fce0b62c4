//! The commands of validations, as programs of the keeper: ended with their attempt, swept like it.

use std::sync::Arc;

use super::{
    client::End,
    keeper::message::{Request, Spawn},
    run::{Ending, asked_to_end, milliseconds, no_keeper},
    shared::Shared,
};
use crate::{
    attempt::{
        Attempt,
        checks::{CheckProgram, Programs},
    },
    backend::{self, Exit},
    driver::ports::Outputs,
};

/// Runs the commands of an attempt's validations through the keeper.
pub struct CheckPrograms<O> {
    shared: Arc<Shared<O>>,
    mark: String,
    ending: Ending,
}

impl<O> CheckPrograms<O> {
    /// For the validations of `attempt`, which end when it is asked to.
    pub fn new(shared: &Arc<Shared<O>>, attempt: &Attempt, ending: Ending) -> Self {
        Self { shared: Arc::clone(shared), mark: attempt.record.name.clone(), ending }
    }
}

impl<O: Outputs + 'static> Programs for CheckPrograms<O> {
    async fn run(&self, program: CheckProgram) -> Result<Exit, String> {
        // What an earlier look said is not said again.
        match std::fs::remove_file(&program.output) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.to_string()),
            _ => {}
        }
        let keeper = self.shared.keeper().map_err(|error| no_keeper(&error).message)?;
        let id = keeper.next_id();
        let mut words = program.command.into_iter();
        let name = words.next().unwrap_or_default();
        let cwd = program.cwd.clone();
        let request = Request::Spawn(Box::new(Spawn {
            id,
            mark: self.mark.clone(),
            program: name.clone(),
            args: words.collect(),
            cwd: program.cwd,
            env_set: program.env_set,
            env_copy: Vec::new(),
            env_remove: program.env_remove,
            stdin: None,
            stdout: program.output.clone(),
            stderr: program.output,
            record: None,
            hold: None,
            timeout_ms: milliseconds(program.timeout),
        }));
        let mut end = keeper.watch(id, &request);
        let mut ending = self.ending.clone();
        if ending.borrow().is_some() {
            // It was asked while the attempt's own program ran, and this one is ended as well.
            ending.mark_changed();
        }
        loop {
            let end = tokio::select! {
                end = &mut end => end.unwrap_or(End::KeeperGone),
                why = asked_to_end(&mut ending) => {
                    keeper.send(&Request::End { id, why });
                    continue;
                }
            };
            return match end {
                End::Exited(exit) => Ok(exit),
                End::NotStarted { error, file: None } => {
                    Err(backend::command::start_failure(&name, &cwd, &error).message)
                }
                End::NotStarted { error, file: Some(file) } => {
                    Err(format!("cannot open {}: {error}", file.display()))
                }
                End::Vanished | End::KeeperGone => Err("no end: its keeper is gone".to_owned()),
            };
        }
    }
}
