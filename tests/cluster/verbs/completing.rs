//! What shells complete, by the names of the program and by kubectl.

use super::{Desk, complete, running};

#[tokio::test(flavor = "multi_thread")]
async fn bash_zsh_and_fish_complete_jobs_of_the_cluster_by_both_names() {
    let desk = Desk::new().await;
    for (name, status) in [("review", running()), ("reports", complete()), ("docs", complete())] {
        desk.job(name, &status).await;
    }
    let namespace = desk.namespace.name.as_str();
    for shell in ["bash", "zsh", "fish"] {
        for name in ["mozart", "kubectl-mozart"] {
            let words = [name, "-n", namespace, "stop", "re"];
            let words = [words[0], "stop", "-n", namespace, words[4]];
            let mut asked = desk.command(&[]);
            asked = {
                let mut command = std::process::Command::new(asked.get_program());
                command.envs(asked.get_envs().filter_map(|(name, value)| Some((name, value?))));
                command
            };
            asked
                .env("MOZART_COMPLETE", shell)
                .env("_CLAP_COMPLETE_INDEX", "4")
                .env("_CLAP_IFS", "\n")
                .arg("--")
                .args(words);
            let ran = tokio::task::block_in_place(|| desk.place.output_of(asked));
            let found: Vec<&str> =
                ran.stdout.lines().map(|line| line.split([':', '\t']).next().unwrap()).collect();
            assert_eq!(found, ["reports", "review"], "{shell} {name}: {}{}", ran.stdout, ran.stderr);
        }
    }
    desk.namespace.delete().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_is_told_what_follows_its_plugins_name() {
    let desk = Desk::new().await;
    desk.job("review", &running()).await;
    let completer = desk.place.work().join("kubectl_complete-mozart");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_mozart"), &completer).unwrap();
    let ask = |words: &[&str]| {
        let like = desk.command(&[]);
        let mut command = std::process::Command::new(&completer);
        command.envs(like.get_envs().filter_map(|(name, value)| Some((name, value?)))).args(words);
        tokio::task::block_in_place(|| desk.place.output_of(command)).stdout
    };
    assert_eq!(ask(&["stop", "-n", &desk.namespace.name, "re"]), "review\n:4\n");
    let verbs = ask(&["sub"]);
    assert!(verbs.starts_with("submit\t") && verbs.ends_with(":4\n"), "{verbs}");
    desk.namespace.delete().await;
}
