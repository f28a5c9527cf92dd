//! Lines that say how far a run is, where there is no terminal to draw on.

use std::io::Write;
use std::time::{Duration, Instant};

use indicatif::WeakProgressBar;
use tailfit::error::plain;

/// How often.
const EVERY: Duration = Duration::from_mins(1);

/// Says how far a bar is once a minute until it ends.
pub(crate) fn say_every_minute(bar: WeakProgressBar) {
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
