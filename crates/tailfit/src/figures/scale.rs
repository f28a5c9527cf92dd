//! From values to places, and the ticks between.

/// A mapping of values onto a length.
pub(super) struct Scale {
    low: f64,
    high: f64,
    log: bool,
    from: f64,
    to: f64,
}

impl Scale {
    /// Maps `low..=high` onto `from..=to`; with a little room around unless the ends are exact.
    pub(super) fn new(
        (mut low, mut high): (f64, f64),
        exact: bool,
        log: bool,
        (from, to): (f64, f64),
    ) -> Self {
        if log {
            (low, high) = (low.log10(), high.log10());
        }
        if !exact {
            let room = if high > low {
                0.04 * (high - low)
            } else if low == 0.0 {
                1.0
            } else {
                0.1 * low.abs()
            };
            (low, high) = (low - room, high + room);
        }
        Self { low, high, log, from, to }
    }

    /// Where a value lies; `None` if it has no place.
    pub(super) fn at(&self, value: f64) -> Option<f64> {
        let value = if self.log { value.log10() } else { value };
        let share = (value - self.low) / (self.high - self.low);
        share.is_finite().then_some(self.from + share * (self.to - self.from))
    }

    /// Where 0 lies, or the end next to it.
    pub(super) fn base(&self) -> f64 {
        let zero = if self.log { self.low } else { 0.0_f64.clamp(self.low, self.high) };
        self.from + (zero - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Round values along the axis, about `wanted` of them.
    pub(super) fn ticks(&self, wanted: usize) -> Vec<f64> {
        if self.log && self.high - self.low > 0.7 {
            return self.powers();
        }
        let (low, high) = if self.log {
            (10_f64.powf(self.low), 10_f64.powf(self.high))
        } else {
            (self.low, self.high)
        };
        let rough = (high - low) / wanted as f64;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().find(|s| s * power >= rough * 0.999);
        let step = step.unwrap_or(10.0) * power;
        let first = (low / step).ceil() as i64;
        let last = (high / step + 1e-9).floor() as i64;
        (first..=last).map(|i| i as f64 * step).collect()
    }

    /// Powers of ten, with 2 and 5 times them where that is not too many.
    fn powers(&self) -> Vec<f64> {
        let decades = self.high - self.low;
        let factors: &[f64] = if decades < 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let every = (decades / 8.0).ceil().max(1.0) as usize;
        let exponents = (self.low.floor() as i32..=self.high.ceil() as i32).step_by(every);
        let all = exponents.flat_map(|e| factors.iter().map(move |f| f * 10_f64.powi(e)));
        all.filter(|v| (self.low..=self.high).contains(&v.log10())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        let linear = |low, high| Scale::new((low, high), true, false, (0.0, 100.0));
        assert_eq!(linear(0.0, 100.0).ticks(5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(linear(-0.3, 1.2).ticks(6), [-0.25, 0.0, 0.25, 0.5, 0.75, 1.0]);
        let log = |low, high| Scale::new((low, high), true, true, (0.0, 100.0));
        assert_eq!(log(5.0, 500.0).ticks(5), [5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0]);
        assert_eq!(log(1e-5, 1e-1).ticks(5).len(), 5);
        assert!((log(5.0, 500.0).at(50.0).unwrap() - 50.0).abs() < 1e-9);
        assert_eq!(log(5.0, 500.0).at(-1.0), None);
        assert_eq!(linear(-50.0, 50.0).base(), 50.0);
        assert_eq!(linear(10.0, 50.0).base(), 0.0);
    }
}
