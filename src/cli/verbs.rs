//! Where each verb applies: one list for this machine and for a cluster, and how the help shows it.

use std::fmt::Write as _;

/// Where a verb applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// On this machine, and where a cluster is named there.
    Both,
    /// On this machine.
    Here,
    /// In a cluster.
    Cluster,
    /// In a cluster, for who runs Mozart there.
    Operator,
    /// Nowhere: it is about files.
    Files,
}

/// The verbs, in the order of the help.
const VERBS: &[(Place, &[&str])] = &[
    (
        Place::Both,
        &[
            "list",
            "status",
            "watch",
            "wait",
            "logs",
            "output",
            "history",
            "retry",
            "suspend",
            "resume",
            "stop",
            "delete",
            "dashboard",
            "credential",
            "doctor",
        ],
    ),
    (Place::Here, &["run", "prune"]),
    (Place::Cluster, &["submit"]),
    (Place::Operator, &["operator", "release", "crd", "rbac", "grant", "network-policy"]),
    (Place::Files, &["init", "validate", "manifest", "schema", "completions"]),
];

impl Place {
    /// Where `verb` applies; `None` for what people do not type.
    pub fn of(verb: &str) -> Option<Self> {
        VERBS.iter().find(|(_, verbs)| verbs.contains(&verb)).map(|(place, _)| *place)
    }

    /// In words, for the reference.
    pub fn words(self) -> &'static str {
        match self {
            Self::Both => "On this machine, and in a cluster.",
            Self::Here => "On this machine.",
            Self::Cluster | Self::Operator => "In a cluster.",
            Self::Files => "Needs neither state nor cluster.",
        }
    }

    fn heading(self, plugin: bool) -> &'static str {
        match self {
            Self::Both if plugin => "Jobs of a cluster",
            Self::Both => {
                "On this machine; in a cluster with -n, --context or --cluster, and as kubectl mozart"
            }
            Self::Here => "On this machine alone",
            Self::Cluster | Self::Operator if plugin => "More",
            Self::Cluster | Self::Operator => "In a cluster alone",
            Self::Files => "Job files, and the shell",
        }
    }
}

/// The help of the whole program as a template: verbs under where they apply.
pub fn template(command: &clap::Command, plugin: bool) -> String {
    let (header, literal) = (command.get_styles().get_header(), command.get_styles().get_literal());
    let mut text = "{about-with-newline}\n{before-help}{usage-heading} {usage}\n".to_owned();
    for (place, verbs) in VERBS.iter().filter(|(place, _)| !plugin || *place != Place::Here) {
        let there: Vec<&str> =
            verbs.iter().copied().filter(|verb| command.find_subcommand(verb).is_some()).collect();
        if there.is_empty() {
            continue;
        }
        if *place == Place::Operator {
            let _ = writeln!(text, "  {literal}{}{literal:#}  for who runs Mozart there", there.join(", "));
            continue;
        }
        let _ = writeln!(text, "\n{header}{}:{header:#}", place.heading(plugin));
        for verb in there {
            let about = command.find_subcommand(verb).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(text, "  {literal}{verb:<12}{literal:#} {about}");
        }
    }
    text + "\nEach has more to say with -h. Everywhere: --color, --log-format, -v, -q, --version.{after-help}"
}
