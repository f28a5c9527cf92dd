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
    let before = bar.upgrade().map_or(0, |bar| bar.position());
    std::thread::spawn(move || {
        let mut next = EVERY;
        while let Some(bar) = bar.upgrade().filter(|bar| !bar.is_finished()) {
            if start.elapsed() >= next {
                next += EVERY;
                let (done, all) = (bar.position(), bar.length().unwrap_or(0));
                let line = how_far(&bar.message(), (before, done, all), start.elapsed());
                let _ignored = writeln!(std::io::stderr(), "{line}");
            }
            drop(bar);
            std::thread::sleep(Duration::from_millis(200));
        }
    });
}

/// Of all the work, what was done before the clock started and what is done now.
fn how_far(what: &str, (before, done, all): (u64, u64, u64), elapsed: Duration) -> String {
    let clock = |time: Duration| {
        let seconds = time.as_secs();
        format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    };
    let share = done as f64 / all.max(1) as f64;
    let left = match done.saturating_sub(before) {
        0 => "unknown".to_owned(),
        since => clock(elapsed.mul_f64(all.saturating_sub(done) as f64 / since as f64)),
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
        let after = |before, done| how_far("los", (before, done, 400), Duration::from_secs(3700));
        assert_eq!(after(0, 100), "los: 25 % after 1:01:40, 3:05:00 left");
        assert_eq!(after(0, 0), "los: 0 % after 1:01:40, unknown left");
        assert_eq!(after(200, 300), "los: 75 % after 1:01:40, 1:01:40 left", "resumed half way");
        let more = how_far("", (0, 2, 1), Duration::from_secs(1));
        assert_eq!(more, "200 % after 0:00:01, 0:00:00 left");
    }
}
