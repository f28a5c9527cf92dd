//! Data go to stdout; progress, warnings and errors to stderr.

#![allow(clippy::unused_self, reason = "one printer is handed to every command, whatever it says")]

use std::cell::Cell;
use std::io::{ErrorKind, IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle, WeakProgressBar};
use tailfit::error::plain;

/// Longest message, in characters.
const LONGEST: usize = 4000;

/// How often a redirected run says how far it is.
const EVERY: Duration = Duration::from_mins(1);

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
        let bar = ProgressBar::with_draw_target(Some(length as u64), self.target());
        if let Ok(style) = ProgressStyle::with_template(
            "{bar:30} {percent:>3} %  {elapsed_precise} elapsed, {eta_precise} left  {msg}",
        ) {
            bar.set_style(style);
        }
        if !self.quiet && !std::io::stderr().is_terminal() {
            say_every_minute(bar.downgrade());
        }
        bar
    }
}

/// Says how far a bar is once a minute until it ends.
fn say_every_minute(bar: WeakProgressBar) {
    let start = Instant::now();
    std::thread::spawn(move || {
        let mut next = EVERY;
        while let Some(bar) = bar.upgrade().filter(|bar| !bar.is_finished()) {
            if start.elapsed() >= next {
                next += EVERY;
                let (done, all) = (bar.position(), bar.length().unwrap_or(0));
                let line = how_far(&bar.message(), done, all, start.elapsed());
                let _ignored = writeln!(std::io::stderr(), "{line}");
            }
            drop(bar);
            std::thread::sleep(Duration::from_millis(200));
        }
    });
}

fn how_far(what: &str, done: u64, all: u64, elapsed: Duration) -> String {
    let clock = |time: Duration| {
        let seconds = time.as_secs();
        format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    let share = done as f64 / all.max(1) as f64;
    let left = match done {
        0 => "unknown".to_owned(),
        _ => clock(elapsed.mul_f64((1.0 - share).max(0.0) / share)),
    };
    let what = plain(what, 200);
    let gap = if what.is_empty() { "" } else { ": " };
    format!("{what}{gap}{:.0} % after {}, {left} left", 100.0 * share, clock(elapsed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_done_and_what_is_left() {
        let after = |done| how_far("los", done, 400, Duration::from_secs(3700));
        assert_eq!(after(100), "los: 25 % after 1:01:40, 3:05:00 left");
        assert_eq!(after(0), "los: 0 % after 1:01:40, unknown left");
        assert_eq!(how_far("", 2, 1, Duration::from_secs(1)), "200 % after 0:00:01, 0:00:00 left");
    }
}
