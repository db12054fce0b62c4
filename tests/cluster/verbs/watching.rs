use serde_json::json;

use super::{Desk, complete, failed, running, waiting};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_watched_to_its_end_whose_exit_code_it_gives() {
    let desk = Desk::new().await;
    desk.job("review", &waiting()).await;
    let mut command = tokio::process::Command::from(desk.command(&["watch", "review"]));
    let watching =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    // What it says of the first moment it has said before the next is there to be seen.
    let mut said = Vec::new();
    let mut child = watching;
    let mut lines = tokio::io::BufReader::new(child.stdout.take().unwrap());
    read(&mut lines, &mut said).await;
    desk.says("review", &json!({"phase": "Running", "waiting": null, "batches": running()["batches"]})).await;
    read(&mut lines, &mut said).await;
    desk.says("review", &failed()).await;
    read(&mut lines, &mut said).await;
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let text = format!("{}{}", said.concat(), String::from_utf8(output.stderr).unwrap());
    let text = regex::Regex::new(r"(?m)^\d\d:\d\d:\d\d").unwrap().replace_all(&text, "[time]").into_owned();
    insta::assert_snapshot!(desk.steady(&text));
    desk.namespace.delete().await;
}

async fn read(lines: &mut (impl tokio::io::AsyncBufRead + Unpin), said: &mut Vec<String>) {
    use tokio::io::AsyncBufReadExt as _;
    let mut line = String::new();
    lines.read_line(&mut line).await.unwrap();
    said.push(line);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_a_watch_ends_with_how_it_ended_and_what_to_type_next() {
    let desk = Desk::new().await;
    desk.job("tests", &failed()).await;
    let (code, shown) = desk.on_terminal(&["watch", "tests"], "").await;
    insta::assert_snapshot!(format!("{}\n[{code}]", desk.steady(&shown)));
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_stops_watching_is_told_that_the_job_goes_on() {
    let desk = Desk::new().await;
    desk.job("review", &running()).await;
    let mut command = tokio::process::Command::from(desk.command(&["watch", "review"]));
    let mut child =
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = tokio::io::BufReader::new(child.stdout.take().unwrap());
    read(&mut lines, &mut Vec::new()).await;
    let pid = nix::unistd::Pid::from_raw(i32::try_from(child.id().unwrap()).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
    let output = child.wait_with_output().await.unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    insta::assert_snapshot!(format!("{}[{}]", desk.steady(&text), output.status.code().unwrap()));
    assert!(desk.namespace.jobs().get("review").await.unwrap().data["spec"].get("stop").is_none());
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_is_waited_for_and_told_by_the_exit_code() {
    let desk = Desk::new().await;
    for (name, status) in [("docs", complete()), ("review", running()), ("tests", failed())] {
        desk.job(name, &status).await;
    }
    let said =
        desk.session(&["wait docs", "wait tests", "wait review --timeout 1", "wait nobody", "wait"]).await;
    insta::assert_snapshot!(said);
    let mut command = tokio::process::Command::from(desk.command(&["wait", "review"]));
    let mut waiting = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    desk.says("review", &complete()).await;
    assert_eq!(waiting.wait().await.unwrap().code(), Some(0));
    desk.namespace.delete().await;
}
