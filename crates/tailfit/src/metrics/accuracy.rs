//! Accuracy over samples, classes and shots.

use serde::{Deserialize, Serialize};

use crate::class_counts::ClassCounts;
use crate::shots::{Shot, ShotThresholds};

/// Top-1 accuracy in percent.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accuracy {
    /// Over all samples.
    pub overall_percent: f64,
    /// Macro accuracy: the mean over the classes that have samples. On a balanced set it equals
    /// `overall_percent`.
    pub macro_percent: f64,
    /// Macro accuracy of the many-shot classes; absent if there are none.
    pub many_percent: Option<f64>,
    /// Macro accuracy of the medium-shot classes.
    pub medium_percent: Option<f64>,
    /// Macro accuracy of the few-shot classes.
    pub few_percent: Option<f64>,
}

impl Accuracy {
    /// From the number of hits and of samples in each class, `[K]` each.
    pub fn new(
        hits: &[u32],
        samples: &[u32],
        counts: &ClassCounts,
        thresholds: ShotThresholds,
    ) -> Self {
        let per_class = per_class_percent(hits, samples);
        let present: Vec<f64> = per_class.iter().flatten().copied().collect();
        let n: u32 = samples.iter().sum();
        let n_hits: u32 = hits.iter().sum();
        let shot = |shot| thresholds.mean(counts, shot, &per_class);
        Self {
            overall_percent: 100.0 * f64::from(n_hits) / f64::from(n.max(1)),
            macro_percent: present.iter().sum::<f64>() / present.len().max(1) as f64,
            many_percent: shot(Shot::Many),
            medium_percent: shot(Shot::Medium),
            few_percent: shot(Shot::Few),
        }
    }
}

/// Accuracy of each class in percent, `[K]`; absent if the class has no samples.
pub(crate) fn per_class_percent(hits: &[u32], samples: &[u32]) -> Vec<Option<f64>> {
    let percent = |(&hit, &n): (&u32, &u32)| (n > 0).then(|| 100.0 * f64::from(hit) / f64::from(n));
    hits.iter().zip(samples).map(percent).collect()
}

/// Number of samples in each class, `[K]`.
pub fn samples_per_class(labels: impl IntoIterator<Item = u32>, n_classes: usize) -> Vec<u32> {
    let mut samples = vec![0; n_classes];
    for label in labels {
        samples[label as usize] += 1;
    }
    samples
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overall_and_macro_differ_on_an_unbalanced_set() {
        let counts = ClassCounts::new(vec![500, 50, 5]).unwrap();
        let accuracy = Accuracy::new(&[8, 1, 0], &[8, 2, 0], &counts, ShotThresholds::default());
        assert_eq!(accuracy.overall_percent, 90.0);
        assert_eq!(accuracy.macro_percent, 75.0);
        assert_eq!(accuracy.many_percent, Some(100.0));
        assert_eq!(accuracy.few_percent, None);
    }
}
