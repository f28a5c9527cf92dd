//! Many-, medium- and few-shot classes.

use serde::{Deserialize, Serialize};

use crate::class_counts::ClassCounts;
use crate::error::{Error, Result};

/// The group a class belongs to, by its number of training samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shot {
    /// More than [`ShotThresholds::many_above`] training samples.
    Many,
    /// Anything between; both thresholds are medium-shot.
    Medium,
    /// Fewer than [`ShotThresholds::few_below`] training samples.
    Few,
}

impl Shot {
    /// All three groups, from frequent to rare.
    pub const ALL: [Self; 3] = [Self::Many, Self::Medium, Self::Few];
}

/// Boundaries of the groups. The field's convention is many > 100, few < 20 (Liu et
/// al., CVPR 2019; also Sun et al., ICLR 2025, section 4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShotThresholds {
    /// Classes with more samples than this are many-shot.
    pub many_above: usize,
    /// Classes with fewer samples than this are few-shot.
    pub few_below: usize,
}

impl Default for ShotThresholds {
    fn default() -> Self {
        Self { many_above: 100, few_below: 20 }
    }
}

impl ShotThresholds {
    /// Checks that no class is of two groups.
    ///
    /// # Errors
    ///
    /// If one could be.
    pub fn check(self) -> Result<()> {
        let Self { many_above, few_below } = self;
        if few_below <= many_above.saturating_add(1) {
            return Ok(());
        }
        let found = format!("{few_below} and {many_above}");
        let expected = "few_below at most many_above + 1";
        Err(Error::usage("shot thresholds", expected, found, "").answered_by("few_below"))
    }

    /// The group of a class with `n` training samples.
    pub fn shot(self, n: usize) -> Shot {
        if n > self.many_above {
            Shot::Many
        } else if n < self.few_below {
            Shot::Few
        } else {
            Shot::Medium
        }
    }

    /// Number of many-, medium- and few-shot classes.
    pub fn sizes(self, counts: &ClassCounts) -> [usize; 3] {
        Shot::ALL.map(|shot| counts.as_slice().iter().filter(|&&n| self.shot(n) == shot).count())
    }

    /// Mean of `values` (`[K]`) over the classes of `shot`; `None` if none of them has a
    /// value.
    pub fn mean(self, counts: &ClassCounts, shot: Shot, values: &[Option<f64>]) -> Option<f64> {
        let members = counts.as_slice().iter().zip(values);
        let picked: Vec<f64> = members
            .filter(|&(&n, _)| self.shot(n) == shot)
            .filter_map(|(_, &value)| value)
            .collect();
        (!picked.is_empty()).then(|| picked.iter().sum::<f64>() / picked.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_thresholds_belong_to_medium() {
        let shots = [19, 20, 100, 101].map(|n| ShotThresholds::default().shot(n));
        assert_eq!(shots, [Shot::Few, Shot::Medium, Shot::Medium, Shot::Many]);
    }

    #[test]
    fn an_empty_group_has_no_mean() {
        let counts = ClassCounts::new(vec![500, 300, 5]).unwrap();
        let thresholds = ShotThresholds::default();
        let values = [Some(1.0), Some(0.5), None];
        assert_eq!(thresholds.sizes(&counts), [2, 0, 1]);
        assert_eq!(thresholds.mean(&counts, Shot::Many, &values), Some(0.75));
        assert_eq!(thresholds.mean(&counts, Shot::Medium, &values), None);
        assert_eq!(thresholds.mean(&counts, Shot::Few, &values), None);
    }
}
