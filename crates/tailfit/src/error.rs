//! The crate's error type: where, what was expected, what was found, and what to do.

use std::fmt;

/// The result of every fallible function of this crate.
pub type Result<T> = std::result::Result<T, Error>;

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The data is unusable as it is.
    #[error("{0}")]
    Data(Fault),
    /// The request itself is wrong: a name, a key, a value or a combination of them.
    #[error("{0}")]
    Usage(Fault),
    /// The operating system refused; the message names the path.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// It was told to stop.
    #[error("stopped before it was finished")]
    Stopped,
}

/// The four parts of an actionable message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The file, row, key or option at fault.
    pub place: String,
    /// What was expected there.
    pub expected: String,
    /// What was found instead.
    pub found: String,
    /// How to fix it; may be empty.
    pub remedy: String,
    /// The option that would resolve it, if there is one, by its name in the library (such as
    /// `head_key`). Callers know how it is spelled for their users: the CLI as `--head-key`.
    pub option: Option<&'static str>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [place, expected, found, remedy] =
            [&self.place, &self.expected, &self.found, &self.remedy]
                .map(|part| plain(part, LONGEST));
        write!(f, "{place}: expected {expected}, found {found}")?;
        if remedy.is_empty() { Ok(()) } else { write!(f, "\nhint: {remedy}") }
    }
}

/// Longest part of a message, in characters.
const LONGEST: usize = 600;

/// Text from files, made fit to be shown: without control characters (a file must not command a
/// terminal), and with its middle left out beyond `longest` characters.
pub fn plain(text: &str, longest: usize) -> String {
    let shown = |c: char| if c.is_control() && !"\n\t".contains(c) { '\u{fffd}' } else { c };
    let length = text.chars().count();
    if length <= longest {
        return text.chars().map(shown).collect();
    }
    let half = longest / 2;
    let start = text.chars().take(half).map(shown);
    let end = text.chars().skip(length - half).map(shown);
    start.chain(" … ".chars()).chain(end).collect()
}

/// Names in a list, the first of them if there are many.
pub(crate) fn listed(names: &[impl AsRef<str>]) -> String {
    let shown: Vec<String> =
        names.iter().take(12).map(|name| format!("`{}`", plain(name.as_ref(), 60))).collect();
    let more =
        if names.len() > 12 { format!(" and {} more", names.len() - 12) } else { String::new() };
    if names.is_empty() { "nothing".to_owned() } else { shown.join(", ") + &more }
}

/// Training that did not end in numbers.
pub(crate) fn diverged() -> Error {
    let remedy = "lower the learning rate, or scale the features, such as to unit variance";
    Error::data("training", "a finite loss and finite weights", "divergence", remedy)
}

impl Error {
    /// An error in the data.
    pub fn data(
        place: impl ToString,
        expected: impl ToString,
        found: impl ToString,
        remedy: impl ToString,
    ) -> Self {
        Self::Data(Fault {
            place: place.to_string(),
            expected: expected.to_string(),
            found: found.to_string(),
            remedy: remedy.to_string(),
            option: None,
        })
    }

    /// An error in the request.
    pub fn usage(
        place: impl ToString,
        expected: impl ToString,
        found: impl ToString,
        remedy: impl ToString,
    ) -> Self {
        match Self::data(place, expected, found, remedy) {
            Self::Data(fault) => Self::Usage(fault),
            other => other,
        }
    }
}

impl Error {
    /// The same error, marked as resolved by the option of this name.
    #[must_use]
    pub fn answered_by(mut self, name: &'static str) -> Self {
        if let Self::Data(fault) | Self::Usage(fault) = &mut self {
            fault.option = Some(name);
        }
        self
    }

    /// The option that would resolve it, if there is one.
    pub fn option(&self) -> Option<&'static str> {
        match self {
            Self::Data(fault) | Self::Usage(fault) => fault.option,
            Self::Io(_) | Self::Stopped => None,
        }
    }
}

/// A hint naming the candidate most similar to `name`; empty if none is close.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(name, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map_or_else(String::new, |(_, candidate)| format!("did you mean `{candidate}`?"))
}

/// A hint for a serde message about an unknown field or variant; empty for other messages.
pub fn nearest_in_message(message: &str) -> String {
    if !message.contains("unknown field") && !message.contains("unknown variant") {
        return String::new();
    }
    let mut names = message.split('`').skip(1).step_by(2);
    names.next().map_or_else(String::new, |unknown| nearest(unknown, names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_says_where_expected_found_and_what_to_do() {
        let error = Error::data("x.npy row 3", "finite numbers", "NaN", "drop the row");
        assert_eq!(
            error.to_string(),
            "x.npy row 3: expected finite numbers, found NaN\nhint: drop the row"
        );
    }

    #[test]
    fn nothing_from_a_file_commands_the_terminal_or_fills_it() {
        let error = Error::data("a\u{1b}[31m", "x", "y".repeat(10_000), "");
        let text = error.to_string();
        assert!(text.starts_with("a\u{fffd}[31m: expected x, found yyy"), "{text}");
        assert!(text.chars().count() < 700 && text.contains(" … "));
    }

    #[test]
    fn the_hint_names_the_nearest_candidate() {
        let message = "unknown field `weigth_decay`, expected one of `lr`, `weight_decay`";
        assert_eq!(nearest_in_message(message), "did you mean `weight_decay`?");
        assert_eq!(nearest("zzz", ["lr", "loss"]), "");
    }
}
