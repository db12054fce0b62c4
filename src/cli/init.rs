//! `mozart init`: a job file to begin with.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::Context as _;

use super::{
    ask::{self, question},
    error::Advised,
    exit::Exit,
    pen,
    printer::Printer,
};
use crate::job::identity::JobName;

/// Arguments of `mozart init`.
#[derive(Debug, clap::Args)]
#[command(before_help = "  mozart init                                asks, then writes mozart.yaml\n  \
                         mozart init review.yaml -t review          Claude Code reviews commits\n  \
                         mozart init -t command --name shout -y     any program, nothing asked")]
pub struct Args {
    /// The file to write; an existing one is left alone
    #[arg(default_value = "mozart.yaml")]
    file: PathBuf,
    /// What the job does
    #[arg(short, long, value_enum)]
    template: Option<Template>,
    /// The job's name: a-z, 0-9 and -, at most 52 characters; by default the folder's
    #[arg(short, long)]
    name: Option<JobName>,
    /// Ask nothing
    #[arg(short, long)]
    yes: bool,
}

/// What a job file to begin with is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Template {
    /// Claude Code reviews commits and writes reports
    Review,
    /// The Anthropic API answers, one request a batch
    Api,
    /// Any program, the prompt on its standard input
    Command,
}

impl Template {
    fn text(self) -> &'static str {
        match self {
            Self::Review => include_str!("init/review.yaml"),
            Self::Api => include_str!("init/api.yaml"),
            Self::Command => include_str!("init/command.yaml"),
        }
    }

    /// What a person types to choose it.
    fn of_answer(answer: &str) -> Option<Self> {
        match answer {
            "" | "1" | "review" => Some(Self::Review),
            "2" | "api" => Some(Self::Api),
            "3" | "command" => Some(Self::Command),
            _ => None,
        }
    }

    /// The job file. `directory` is where Claude works, relative to the file.
    fn fill(self, file: &Path, name: &JobName, directory: &str) -> String {
        let file = file.display().to_string();
        // Quoted by JSON's rules, which are YAML's: a folder may be called `#1` or `yes`.
        let directory = serde_json::Value::from(directory).to_string();
        self.text()
            .replace("@FILE@", &file)
            .replace("@NAME@", name.as_str())
            .replace("@DIRECTORY@", &directory)
    }
}

/// Asks what was not said, on a terminal; writes the file; says what to do next.
pub fn execute(args: Args, printer: &Printer) -> anyhow::Result<Exit> {
    if args.file.exists() {
        return Err(exists(&args.file).into());
    }
    let ask = !args.yes && ask::possible(printer);
    let template = match args.template {
        Some(template) => template,
        None if ask => ask_template()?,
        None => Template::Review,
    };
    let name = match args.name {
        Some(name) => name,
        None if ask => ask_name(&default_name(&args.file))?,
        None => default_name(&args.file),
    };
    let directory = match template {
        Template::Review if ask => {
            let answer = question("Where does Claude work, relative to the job file? [.]")?;
            if answer.is_empty() { ".".to_owned() } else { answer }
        }
        _ => ".".to_owned(),
    };
    write_new(&args.file, &template.fill(&args.file, &name, &directory))?;
    printer.note(format!("wrote {}", args.file.display()));
    printer.hint(format!(
        "mozart validate {0} checks it, mozart run {0} --limit 2 tries two batches",
        args.file.display()
    ));
    Ok(Exit::Done)
}

fn exists(file: &Path) -> Advised {
    Advised::new(
        format!("{} is there already", file.display()),
        "name another file: mozart init other.yaml".to_owned(),
    )
}

fn write_new(file: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    }
    match OpenOptions::new().write(true).create_new(true).open(file) {
        Ok(mut opened) => {
            opened.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", file.display()))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(exists(file).into()),
        Err(error) => Err(error).with_context(|| format!("cannot write {}", file.display())),
    }
}

fn ask_template() -> anyhow::Result<Template> {
    pen::write(
        "What is the job?\n  1  Claude Code reviews commits and writes reports\n  \
                2  The Anthropic API answers, one request a batch\n  \
                3  Any program, the prompt on its standard input\n",
    );
    loop {
        if let Some(template) = Template::of_answer(&question("1, 2 or 3? [1]")?) {
            return Ok(template);
        }
    }
}

fn ask_name(default: &JobName) -> anyhow::Result<JobName> {
    loop {
        let answer = question(&format!("What is it called? [{default}]"))?;
        if answer.is_empty() {
            return Ok(default.clone());
        }
        match answer.parse() {
            Ok(name) => return Ok(name),
            Err(error) => pen::write(&format!("{error}\n")),
        }
    }
}

/// The name of the folder that the file is in, as far as it makes a job's name.
fn default_name(file: &Path) -> JobName {
    let folder =
        std::path::absolute(file).ok().and_then(|file| file.parent()?.file_name().map(ToOwned::to_owned));
    let text = folder.unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let text: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let text: String = text.trim_matches('-').chars().take(JobName::MAX_LEN).collect();
    text.trim_end_matches('-').parse().unwrap_or_else(|_| "job".parse().expect("`job` is a name"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_name_is_the_folder_made_a_label() {
        for (file, expected) in
            [("/a/My Project_2/x.yaml", "my-project-2"), ("/x.yaml", "job"), ("/a/---/x.yaml", "job")]
        {
            assert_eq!(default_name(Path::new(file)).as_str(), expected);
        }
    }

    #[test]
    fn every_placeholder_is_filled() {
        for template in [Template::Review, Template::Api, Template::Command] {
            let text = template.fill(Path::new("a.yaml"), &"shout".parse().unwrap(), "../#1");
            assert!(!text.contains("@FILE@") && !text.contains("@NAME@") && !text.contains("@DIRECTORY@"));
            assert!(text.contains("name: shout"));
        }
    }
}
