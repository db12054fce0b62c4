//! Values that are shown nowhere.

/// What a value is shown as.
const SHOWN: &str = "***";
/// A shorter value is no secret, and would be found in every other word.
const SHORTEST: usize = 4;

/// The values of secrets.
#[derive(Clone, Default)]
pub struct Mask {
    /// Longest first, so that one that holds another is masked whole.
    values: Vec<String>,
}

impl Mask {
    /// Masks these values.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        let values = values.into_iter().map(|value| value.trim().to_owned());
        let mut values: Vec<String> = values.filter(|value| value.len() >= SHORTEST).collect();
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        values.dedup();
        Self { values }
    }

    /// The text without them.
    pub fn apply(&self, text: &str) -> String {
        self.values.iter().fold(text.to_owned(), |text, value| {
            if text.contains(value.as_str()) { text.replace(value.as_str(), SHOWN) } else { text }
        })
    }
}

impl std::fmt::Debug for Mask {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Mask({} values)", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_value_is_left_where_values_hold_one_another() {
        let mask = Mask::new(["sk-one".to_owned(), "sk-one-and-more\n".to_owned(), "no".to_owned()]);
        assert_eq!(mask.apply("x sk-one-and-more y sk-one no"), "x *** y *** no");
        assert!(!format!("{mask:?}").contains("sk-"));
    }
}
