//! What a stream can show: colour, symbols, width, movement. Decided once, from the flag, the stream and the environment.

/// When to use colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal that can
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// The variables that decide what is shown; an empty value counts as absent.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// `NO_COLOR`: any value switches colour off.
    pub no_color: Option<String>,
    /// `CLICOLOR_FORCE` or `FORCE_COLOR`: any value but `0` switches colour on, also off a terminal.
    pub force_color: Option<String>,
    /// `CLICOLOR`: `0` switches colour off.
    pub clicolor: Option<String>,
    /// `TERM`: `dumb` can neither colour nor move.
    pub term: Option<String>,
    /// `LC_ALL`, `LC_CTYPE` or `LANG`, the first that is set.
    pub locale: Option<String>,
}

impl Environment {
    /// Reads the process's own.
    pub fn read() -> Self {
        let get = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            no_color: get("NO_COLOR"),
            force_color: get("CLICOLOR_FORCE").or_else(|| get("FORCE_COLOR")),
            clicolor: get("CLICOLOR"),
            term: get("TERM"),
            locale: get("LC_ALL").or_else(|| get("LC_CTYPE")).or_else(|| get("LANG")),
        }
    }

    fn dumb(&self) -> bool {
        self.term.as_deref() == Some("dumb")
    }

    /// Whether a stream gets colour.
    pub fn color(&self, choice: ColorChoice, is_terminal: bool) -> bool {
        match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if self.no_color.is_some() => false,
            ColorChoice::Auto if self.force_color.as_deref().is_some_and(|value| value != "0") => true,
            ColorChoice::Auto => is_terminal && !self.dumb() && self.clicolor.as_deref() != Some("0"),
        }
    }

    /// Whether symbols beyond ASCII can be shown: the locale says UTF-8, and the terminal is no dumb one.
    pub fn unicode(&self) -> bool {
        let locale = self.locale.as_deref().unwrap_or_default().to_ascii_lowercase();
        !self.dumb() && (locale.contains("utf-8") || locale.contains("utf8"))
    }

    /// Whether lines that were written can be written again.
    pub fn moves(&self, is_terminal: bool) -> bool {
        is_terminal && !self.dumb()
    }
}

/// What one stream can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Whether it is a terminal.
    pub terminal: bool,
    /// Whether it gets colour.
    pub color: bool,
    /// Whether it gets symbols beyond ASCII.
    pub unicode: bool,
    /// Whether lines that were written can be written again.
    pub moves: bool,
    /// Columns; `None` off a terminal, where nothing is cut.
    pub width: Option<usize>,
}

impl Look {
    /// What `stream` can show.
    pub fn of(stream: &console::Term, choice: ColorChoice, environment: &Environment) -> Self {
        let terminal = stream.is_term();
        let width =
            terminal.then(|| stream.size_checked().map_or(80, |(_, columns)| usize::from(columns).max(20)));
        Self {
            terminal,
            color: environment.color(choice, terminal),
            unicode: environment.unicode(),
            moves: environment.moves(terminal),
            width,
        }
    }

    /// `text` in a tone, where the stream has colour.
    pub fn paint(&self, tone: Tone, text: impl std::fmt::Display) -> String {
        let style = console::Style::new().force_styling(true);
        let style = match tone {
            Tone::Plain => return text.to_string(),
            Tone::Strong => style.bold(),
            Tone::Quiet => style.dim(),
            Tone::Good => style.green(),
            Tone::Warning => style.yellow(),
            Tone::Bad => style.red(),
            Tone::Name => style.cyan(),
        };
        if self.color { style.apply_to(text).to_string() } else { text.to_string() }
    }

    /// `unicode`, or `ascii` where the stream has no more.
    pub fn symbol(&self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }
}

/// What a piece of text means; a stream with colour shows it, the words alone say it too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// Headings.
    Strong,
    /// Asides.
    Quiet,
    /// Done.
    Good,
    /// Waits, or wants a look.
    Warning,
    /// Failed.
    Bad,
    /// Something to type or to find.
    Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        let get = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.to_owned());
        Environment {
            no_color: get("NO_COLOR"),
            force_color: get("FORCE_COLOR"),
            clicolor: get("CLICOLOR"),
            term: get("TERM"),
            locale: get("LANG"),
        }
    }

    #[test]
    fn color_follows_the_flag_then_the_variables_then_the_stream() {
        use ColorChoice::{Always, Auto, Never};
        type Row = (ColorChoice, bool, &'static [(&'static str, &'static str)], bool);
        let table: &[Row] = &[
            (Auto, true, &[], true),
            (Auto, false, &[], false),
            (Always, false, &[("NO_COLOR", "1")], true),
            (Never, true, &[("FORCE_COLOR", "1")], false),
            (Auto, true, &[("NO_COLOR", "1")], false),
            (Auto, true, &[("NO_COLOR", "1"), ("FORCE_COLOR", "1")], false),
            (Auto, false, &[("FORCE_COLOR", "1")], true),
            (Auto, false, &[("FORCE_COLOR", "0")], false),
            (Auto, true, &[("TERM", "dumb")], false),
            (Auto, true, &[("CLICOLOR", "0")], false),
        ];
        for (choice, terminal, variables, expected) in table {
            assert_eq!(
                environment(variables).color(*choice, *terminal),
                *expected,
                "{choice:?} {variables:?}"
            );
        }
    }

    #[test]
    fn symbols_need_a_utf8_locale_and_a_terminal_that_is_not_dumb() {
        assert!(environment(&[("LANG", "en_US.UTF-8")]).unicode());
        assert!(environment(&[("LANG", "C.utf8")]).unicode());
        assert!(!environment(&[("LANG", "C")]).unicode());
        assert!(!environment(&[]).unicode());
        assert!(!environment(&[("LANG", "en_US.UTF-8"), ("TERM", "dumb")]).unicode());
    }

    #[test]
    fn a_dumb_terminal_does_not_move() {
        assert!(!environment(&[("TERM", "dumb")]).moves(true));
        assert!(environment(&[("TERM", "xterm")]).moves(true));
        assert!(!environment(&[("TERM", "xterm")]).moves(false));
    }
}
