//! What programs wrote, made harmless for a terminal: text and colours pass; what reads or writes the clipboard, moves
//! the cursor, sets titles or asks the terminal to answer does not.

const ESCAPE: char = '\u{1b}';
const BELL: char = '\u{7}';
/// Ends a string in one character; `ESC \` is the same in two.
const STRING_END: char = '\u{9c}';

/// `text` without control characters but line ends and tabs, and without control sequences; colours (SGR) stay if
/// `color` says so, and end with the text at the latest. A carriage return is a space: nothing is written over. A string
/// sequence without its end is shown as text, so that it hides nothing of what follows.
pub fn for_terminal(text: &str, color: bool) -> String {
    let mut safe = String::with_capacity(text.len());
    let (mut rest, mut colored) = (text, false);
    while let Some(character) = rest.chars().next() {
        rest = &rest[character.len_utf8()..];
        let control = match character {
            ESCAPE => match rest.chars().next() {
                Some('[') => Some(&rest[1..]),
                Some(']' | 'P' | 'X' | '^' | '_') => {
                    rest = after_string(&rest[1..]);
                    None
                }
                Some(' '..='~') => {
                    rest = after_escape(rest);
                    None
                }
                _ => None,
            },
            '\u{9b}' => Some(rest),
            '\u{90}' | '\u{98}' | '\u{9d}'..='\u{9f}' => {
                rest = after_string(rest);
                None
            }
            '\r' => {
                if !rest.is_empty() && !rest.starts_with('\n') {
                    safe.push(' ');
                }
                None
            }
            other => {
                if matches!(other, '\n' | '\t') || !other.is_control() {
                    safe.push(other);
                }
                None
            }
        };
        let Some(control) = control else { continue };
        let (parameters, after) = control_sequence(control);
        rest = after;
        if let Some(parameters) = parameters.filter(|_| color) {
            safe.extend(["\u{1b}[", parameters, "m"]);
            colored = !parameters.trim_matches('0').is_empty();
        }
    }
    if colored {
        let end = safe.trim_end_matches('\n').len();
        safe.insert_str(end, "\u{1b}[0m");
    }
    safe
}

/// What follows a control sequence, and its parameters where it sets a colour.
fn control_sequence(text: &str) -> (Option<&str>, &str) {
    let end = text.find(|character| !matches!(character, ' '..='?')).unwrap_or(text.len());
    let (parameters, rest) = text.split_at(end);
    match rest.chars().next() {
        Some('m') => {
            let is_color = parameters.chars().all(|character| matches!(character, '0'..='9' | ';' | ':'));
            (is_color.then_some(parameters), &rest[1..])
        }
        Some('@'..='~') => (None, &rest[1..]),
        // What breaks it off stands for itself.
        _ => (None, rest),
    }
}

/// What follows the string that begins here; all of it where the string has no end.
fn after_string(text: &str) -> &str {
    let Some(end) = text.find(char::is_control) else { return text };
    let rest = &text[end..];
    let after = |end: char| rest.strip_prefix(end);
    after(BELL).or_else(|| after(STRING_END)).or_else(|| rest.strip_prefix("\u{1b}\\")).unwrap_or(text)
}

/// What follows a sequence of an escape, characters from space to `/`, and one more.
fn after_escape(text: &str) -> &str {
    let rest = text.trim_start_matches(|character| matches!(character, ' '..='/'));
    match rest.chars().next() {
        Some('0'..='~') => &rest[1..],
        _ => rest,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn colours_and_text_pass_and_nothing_else() {
        let table = [
            ("plain\ttext\nand é 漢 🎼", "plain\ttext\nand é 漢 🎼"),
            ("\x1b[31mred\x1b[0m \x1b[1;38:5:7mbold\x1b[m", "\x1b[31mred\x1b[0m \x1b[1;38:5:7mbold\x1b[m"),
            ("no end \x1b[31mred\n", "no end \x1b[31mred\x1b[0m\n"),
            // The clipboard, titles, links; ended by BEL, by ESC \ and by the one character.
            ("a\x1b]52;c;ZXZpbA==\x07b", "ab"),
            ("a\x1b]0;title\x1b\\b", "ab"),
            ("a\u{9d}2;title\u{9c}b", "ab"),
            ("\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\", "link"),
            // What asks the terminal to answer, moves, deletes, or sets it.
            ("a\x1bP$q\"p\x1b\\b\x1b[6nc\x1b[c\x1b[>4;2m\x1b[2J\x1b[1A\x1b[?1049hd", "abcd"),
            ("\u{9b}31mred\u{9b}0m\u{9b}2Jx", "\x1b[31mred\x1b[0mx"),
            ("\x1bcreset\x1b7\x1b(0x\x1b#8y", "resetxy"),
            ("one\rtwo\r\nthree\x08\x07\0\x7f\u{85}", "one two\nthree"),
            // Without an end it hides nothing.
            ("\x1b]52;c;never ended\nnext", "52;c;never ended\nnext"),
            ("\x1b]a\x1b]b\x07c", "ac"),
            ("\x1b[31\u{1b}[0mx\x1b[1", "\x1b[0mx"),
            ("end\x1b", "end"),
        ];
        for (text, expected) in table {
            assert_eq!(for_terminal(text, true), expected, "{text:?}");
        }
        assert_eq!(for_terminal("\x1b[31mred\x1b[0m", false), "red");
    }

    /// Text in which sequences are likely, whole and broken.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            prop::sample::select(vec![
                "\x1b",
                "\x1b[",
                "\x1b]",
                "\x1b]52;c;",
                "\x1bP",
                "\x1b\\",
                "\x07",
                "\u{9b}",
                "\u{9d}",
                "\u{9c}",
                "0",
                "31",
                ";",
                "m",
                "J",
                "?",
                " ",
                "\n",
                "\r",
                "\t",
                "x",
                "é",
                "\u{85}",
                "\x7f",
                "\0",
            ])
            .prop_map(str::to_owned),
            any::<char>().prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn whatever_is_written_only_colours_come_through(text in hostile()) {
            let safe = for_terminal(&text, true);
            for (number, piece) in safe.split(ESCAPE).enumerate() {
                let text = if number == 0 { piece } else {
                    let (parameters, rest) = piece.strip_prefix('[').and_then(|rest| rest.split_once('m')).unwrap();
                    prop_assert!(parameters.chars().all(|one| matches!(one, '0'..='9' | ';' | ':')), "{:?}", safe);
                    rest
                };
                prop_assert!(text.chars().all(|one| matches!(one, '\n' | '\t') || !one.is_control()), "{:?}", safe);
            }
            prop_assert_eq!(&for_terminal(&safe, true), &safe);
            prop_assert!(!for_terminal(&text, false).contains(ESCAPE));
        }
    }
}
