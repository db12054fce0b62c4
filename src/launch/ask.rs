//! A request to the model's service, until it is answered, ended or out of time.

use super::run::{Ending, asked_to_end};
use crate::{
    backend::{self, Call, EndedBy, Judgement, Told, Way},
    job::outcome::{Failure, FailureClass},
};

/// Asks in this process. `tell` hears what the request tells while it runs.
pub(super) async fn ask(
    call: &Call<'_>,
    way: &Way,
    prompt: &str,
    ending: &mut Ending,
    tell: impl FnMut(Told) + Send,
) -> Judgement {
    let failed = |class, reason, text: &str| Judgement::failed(Failure::new(class, reason, text));
    let longest = call.job.timeout;
    tokio::select! {
        judgement = backend::ask(call, way, prompt, tell) => judgement,
        () = tokio::time::sleep(longest) => {
            let text = format!("no answer within timeoutSeconds ({} s)", longest.as_secs());
            failed(FailureClass::Transient, "Timeout", &text)
        }
        why = asked_to_end(ending) => match why {
            EndedBy::Stopped => failed(FailureClass::Transient, "Stopped", "the run was stopped"),
            _ => failed(FailureClass::Disruption, "Interrupted", "Mozart ended the request, to ask again later"),
        },
    }
}
