//! What a terminal shows after a program has written to it: as much of one as Mozart uses.

/// The lines of a terminal; what is coloured stands in `‹…›`.
#[derive(Default)]
pub(crate) struct Screen {
    lines: Vec<String>,
    row: usize,
}

impl Screen {
    /// What is shown after `text` was written.
    pub(crate) fn after(text: &str) -> String {
        let mut screen = Self { lines: vec![String::new()], row: 0 };
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            match character {
                '\r' => {}
                '\n' => screen.down(),
                '\x1b' => screen.control(&mut rest),
                other => screen.lines[screen.row].push(other),
            }
        }
        let shown = screen.lines.join("\n");
        shown.trim_end().to_owned()
    }

    fn down(&mut self) {
        self.row += 1;
        if self.row == self.lines.len() {
            self.lines.push(String::new());
        }
    }

    /// `ESC [ parameters letter`.
    fn control(&mut self, rest: &mut std::str::Chars<'_>) {
        assert_eq!(rest.next(), Some('['), "a control sequence");
        let mut parameters = String::new();
        let letter = loop {
            match rest.next().expect("the end of a control sequence") {
                digit @ ('0'..='9' | ';' | '?') => parameters.push(digit),
                letter => break letter,
            }
        };
        match letter {
            'A' => self.row -= parameters.parse::<usize>().expect("a number of lines"),
            'J' => {
                self.lines.truncate(self.row);
                self.lines.push(String::new());
            }
            'm' if parameters == "0" => self.lines[self.row].push('›'),
            'm' => self.lines[self.row].push('‹'),
            other => panic!("a terminal of Mozart's knows no {parameters}{other}"),
        }
    }
}

#[test]
fn a_block_that_was_drawn_again_is_shown_once() {
    assert_eq!(Screen::after("a\r\n1\r\n2\r\n\r\x1b[2A\x1b[Jb\r\n3\r\n\x1b[31mx\x1b[0m"), "a\nb\n3\n‹x›");
}
