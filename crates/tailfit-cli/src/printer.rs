//! Data go to stdout; progress, warnings and errors to stderr.

#![allow(clippy::unused_self, reason = "one printer is handed to every command, whatever it says")]

use std::cell::Cell;
use std::io::{ErrorKind, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tailfit::error::plain;

use crate::progress::say_every_minute;

/// Longest message, in characters.
const LONGEST: usize = 4000;

/// How much is said.
pub(crate) struct Printer {
    /// No progress, no remarks; results, warnings and errors only.
    pub(crate) quiet: bool,
    lost: Cell<bool>,
}

impl Printer {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet, lost: Cell::new(false) }
    }

    /// Text a person or a pipe asked for. A closed pipe is no error; anything else that keeps it
    /// from being written makes the program fail in the end (see [`Printer::is_lost`]).
    pub(crate) fn data(&self, text: &str) {
        let text = plain(text, usize::MAX);
        let mut out = std::io::stdout().lock();
        if let Err(error) = out.write_all(text.as_bytes()).and_then(|()| out.flush())
            && error.kind() != ErrorKind::BrokenPipe
        {
            self.lost.set(true);
            self.say(&format!("error: standard output: {error}"));
        }
    }

    /// Whether some of the data could not be written.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.get()
    }

    /// A line on stderr; where that is closed, nobody is left to be told.
    fn say(&self, line: &str) {
        let _ignored = writeln!(std::io::stderr(), "{}", plain(line, LONGEST));
    }

    /// What is going on.
    pub(crate) fn remark(&self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// Something to look at.
    pub(crate) fn warning(&self, text: &str) {
        self.say(&format!("warning: {text}"));
    }

    /// Several things to look at.
    pub(crate) fn warnings(&self, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            self.warning(&text);
        }
    }

    /// Why it ended, with the option that would answer it.
    pub(crate) fn error(&self, error: &anyhow::Error) {
        let of_library = |cause: &(dyn std::error::Error + 'static)| {
            cause.downcast_ref().and_then(tailfit::error::Error::option)
        };
        let option = error.chain().find_map(of_library);
        let option =
            option.map_or(String::new(), |name| format!(" (--{})", name.replace('_', "-")));
        self.say(&format!("error: {error:#}{option}"));
    }

    /// That something takes a while, on a terminal only.
    pub(crate) fn spinner(&self, message: &str) -> ProgressBar {
        let spinner = ProgressBar::with_draw_target(None, self.target());
        spinner.set_message(message.to_owned());
        spinner.enable_steady_tick(Duration::from_millis(100));
        spinner
    }

    fn target(&self) -> ProgressDrawTarget {
        let shown = !self.quiet && std::io::stderr().is_terminal();
        if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() }
    }

    /// A bar with the time left on a terminal; elsewhere a line a minute.
    pub(crate) fn progress(&self, length: usize) -> ProgressBar {
        self.progress_from(0, length)
    }

    /// The same for work of which a part was done before; what is left is judged by what is done from
    /// here on.
    pub(crate) fn progress_from(&self, done: usize, length: usize) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(length as u64), self.target());
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:30} {percent:>3} %  {elapsed_precise} elapsed, {eta_precise} left  {msg}",
        ) {
            bar.set_style(style);
        }
        bar.set_position(done as u64);
        bar.reset_eta();
        if !self.quiet && !std::io::stderr().is_terminal() {
            say_every_minute(bar.downgrade());
        }
        bar
    }
}
