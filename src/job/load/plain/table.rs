//! The table of the plain form: what stands elsewhere, what no longer acts, what means something else.

/// How a value changes on its way to the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Not at all.
    Same,
    /// Minutes become seconds.
    Minutes,
    /// `true` and `false` become `bypassPermissions` and `acceptEdits`.
    Permissions,
}

/// Where the manifest's path of a [`Move`] begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// At the manifest's root.
    Root,
    /// At the map in which the plain field stands.
    Here,
}

/// A field that the plain form has in another place, under another name or in another unit.
#[derive(Clone, Copy, Debug)]
pub struct Move {
    /// The map in which it stands, `[]` for each entry of a list.
    pub within: &'static str,
    /// Its path in there.
    pub plain: &'static [&'static str],
    /// Where the manifest's path begins.
    pub base: Base,
    /// The manifest's path.
    pub manifest: &'static [&'static str],
    /// How the value changes.
    pub unit: Unit,
    /// Whether the plain form has no other spelling for it.
    pub only: bool,
    /// What a reader of the manifest should know.
    pub note: Option<&'static str>,
}

/// Every exception from the rule.
pub const MOVES: &[Move] = &[
    Move {
        within: "",
        plain: &["name"],
        base: Base::Root,
        manifest: &["metadata", "name"],
        unit: Unit::Same,
        only: true,
        note: None,
    },
    Move {
        within: "",
        plain: &["workspace"],
        base: Base::Root,
        manifest: &["spec", "workspace", "path"],
        unit: Unit::Same,
        only: false,
        note: Some("relative to the job file; it was relative to the folder Mozart was called in"),
    },
    Move {
        within: "",
        plain: &["pause_between_batches_seconds"],
        base: Base::Root,
        manifest: &["spec", "batch", "pauseSeconds"],
        unit: Unit::Same,
        only: true,
        note: None,
    },
    Move {
        within: "backend",
        plain: &["skip_permissions"],
        base: Base::Here,
        manifest: &["permissionMode"],
        unit: Unit::Permissions,
        only: false,
        note: Some("was skip_permissions"),
    },
    Move {
        within: "rate_limit",
        plain: &["wait_minutes"],
        base: Base::Here,
        manifest: &["waitSeconds"],
        unit: Unit::Minutes,
        only: true,
        note: Some("was wait_minutes; now only for a limit that names no reset"),
    },
    Move {
        within: "rate_limit",
        plain: &["detection_patterns"],
        base: Base::Here,
        manifest: &["patterns"],
        unit: Unit::Same,
        only: true,
        note: Some("now looked for only in error results, no longer in what Claude wrote"),
    },
    Move {
        within: "notifications[]",
        plain: &["config", "url"],
        base: Base::Here,
        manifest: &["url"],
        unit: Unit::Same,
        only: false,
        note: None,
    },
    Move {
        within: "notifications[]",
        plain: &["config", "webhook_url"],
        base: Base::Here,
        manifest: &["url"],
        unit: Unit::Same,
        only: false,
        note: None,
    },
    Move {
        within: "notifications[]",
        plain: &["config", "url_env"],
        base: Base::Here,
        manifest: &["urlFrom", "env"],
        unit: Unit::Same,
        only: false,
        note: None,
    },
    Move {
        within: "notifications[]",
        plain: &["config", "webhook_url_env"],
        base: Base::Here,
        manifest: &["urlFrom", "env"],
        unit: Unit::Same,
        only: false,
        note: None,
    },
    Move {
        within: "notifications[]",
        plain: &["config", "headers"],
        base: Base::Here,
        manifest: &["headers"],
        unit: Unit::Same,
        only: false,
        note: None,
    },
];

/// A field of the original that no longer acts: where, its name, why, and what to do.
pub struct Retired {
    /// The map in which it stood, `[]` for each entry of a list.
    pub within: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Why it does not act.
    pub why: &'static str,
    /// What to do.
    pub help: &'static str,
}

/// What no longer acts. Each is left with a warning.
pub const RETIRED: &[Retired] = &[
    Retired {
        within: "",
        name: "learning",
        why: "Mozart keeps no learning store",
        help: "take it out; `mozart history` has what earlier runs did",
    },
    Retired {
        within: "",
        name: "config_version",
        why: "the form is told by its fields",
        help: "take it out",
    },
    Retired {
        within: "backend",
        name: "output_format",
        why: "Mozart reads Claude Code's stream-json itself",
        help: "take it out",
    },
    Retired {
        within: "backend",
        name: "recursive_light",
        why: "there is no such backend any more",
        help: "take it out; `type: command` runs any program",
    },
    Retired {
        within: "retry",
        name: "max_completion_attempts",
        why: "a retry goes on in the batch's session and mends what is missing",
        help: "take it out; `retry.max_retries` counts those retries too",
    },
    Retired {
        within: "retry",
        name: "completion_delay_seconds",
        why: "there are no completion attempts beside retries",
        help: "take it out; `retry.base_delay_seconds` is the first delay",
    },
    Retired {
        within: "retry",
        name: "completion_threshold_percent",
        why: "there are no completion attempts beside retries",
        help: "take it out; a retry is told what is missing, whatever its share",
    },
    Retired {
        within: "notifications[].config",
        name: "channel",
        why: "an incoming webhook of Slack has its channel already",
        help: "take it out; make the webhook for the channel you want",
    },
    Retired {
        within: "notifications[].config",
        name: "username",
        why: "an incoming webhook of Slack has its name already",
        help: "take it out",
    },
];

/// What meaning of the same name changed, for who reads the manifest of a plain file: manifest path and note.
pub const CHANGED: &[(&str, &str)] = &[
    ("spec.retry.maxRetries", "tries beyond the first; it counted all tries"),
    (
        "spec.backend.workingDirectory",
        "relative to the job file; it was relative to the folder Mozart was called in",
    ),
    (
        "spec.prompt.templateFile",
        "relative to the job file; it was relative to the folder Mozart was called in",
    ),
    ("spec.backend.temperature", "current models refuse it: take it out"),
    ("spec.backend.model", "passed to Claude Code too; it was for the API only"),
    ("spec.rateLimit.maxWaits", "waits without one accepted request between them; it was of the whole job"),
    ("spec.prompt.stakes", "the prompt ends with it where the template does not name it; it did not"),
    ("spec.prompt.thinkingMethod", "the prompt ends with it where the template does not name it; it did not"),
];
