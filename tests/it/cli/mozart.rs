//! The program, started in a folder and with a state of its own.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use nix::pty::{Winsize, openpty};

use super::screen::Screen;

/// A folder to work in, and an empty state.
pub(crate) struct Place {
    folder: tempfile::TempDir,
}

/// What a command left behind.
pub(crate) struct Ran {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("mozart-cli-").tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("work")).expect("a folder to work in");
        Self { folder }
    }

    /// Where commands run.
    pub(crate) fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes a file to work with.
    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.work().join(name), text).expect("a file to work with");
    }

    /// `mozart` with these arguments, in an environment that is the same everywhere.
    pub(crate) fn mozart(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mozart"));
        command
            .args(arguments)
            .current_dir(self.work())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.folder.path())
            .env("MOZART_HOME", self.folder.path().join("state"))
            .env("LANG", "C.UTF-8")
            .env("TZ", "UTC")
            .env("TERM", "xterm-256color")
            .stdin(Stdio::null());
        command
    }

    /// Runs it with its streams off a terminal.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.ran(self.mozart(arguments).output().expect("mozart starts"))
    }

    /// Runs `command` and takes what it left.
    pub(crate) fn output_of(&self, mut command: Command) -> Ran {
        self.ran(command.output().expect("the command starts"))
    }

    fn ran(&self, output: Output) -> Ran {
        let text = |bytes: Vec<u8>| self.without_places(&String::from_utf8(bytes).expect("UTF-8 output"));
        Ran {
            code: output.status.code().expect("an exit code"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Runs it on a terminal of 80 columns, typing `input`; gives the exit code and what the terminal shows at the end.
    pub(crate) fn on_terminal(&self, arguments: &[&str], input: &str) -> (i32, String) {
        let (code, shown) = on_terminal(self.mozart(arguments), input);
        (code, self.without_places(&shown))
    }

    /// The text without the places of this machine.
    fn without_places(&self, text: &str) -> String {
        let real = std::fs::canonicalize(self.folder.path()).expect("the folder is there");
        let hide = |text: String, path: &Path| text.replace(&path.display().to_string(), "[place]");
        hide(hide(text.to_owned(), &real), self.folder.path())
    }
}

/// Runs `command` on a terminal of 80 columns, typing `input`; gives the exit code and what the terminal shows at the end.
pub(crate) fn on_terminal(command: Command, input: &str) -> (i32, String) {
    let (code, written) = written_to_terminal(command, input);
    (code, Screen::after(&written))
}

/// The same, with everything that the terminal was sent.
pub(crate) fn written_to_terminal(mut command: Command, input: &str) -> (i32, String) {
    let size = Winsize { ws_row: 40, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
    let pty = openpty(Some(&size), None).expect("a terminal");
    let end = |fd: &OwnedFd| Stdio::from(fd.try_clone().expect("another descriptor"));
    // Typed before anything is asked: where its echo stands is then no race.
    let mut near = File::from(pty.master);
    near.write_all(input.as_bytes()).expect("the terminal takes what is typed");
    command.stdin(end(&pty.slave)).stdout(end(&pty.slave)).stderr(end(&pty.slave));
    let mut child = command.spawn().expect("mozart starts");
    // The last descriptor of the terminal's far end has to be the child's, or reading would never end.
    drop(command);
    drop(pty.slave);
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    // Linux says EIO, not the end of the file, when the far end is closed.
    while let Ok(read @ 1..) = near.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..read]);
    }
    let code = child.wait().expect("mozart ends").code().expect("an exit code");
    (code, String::from_utf8(bytes).expect("UTF-8 output"))
}
