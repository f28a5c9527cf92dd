//! What is right and wrong of each class.

use ndarray::Axis;
use serde::Serialize;

use super::hits::hits_of;
use super::{EvaluationSet, accuracy::samples_per_class};
use crate::head::Head;
use crate::probabilities::mean_logits;

/// Samples whose logits are held at a time.
const BLOCK: usize = 512;

/// Precision, recall and confusions of one class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClassReport {
    /// The class.
    pub class: usize,
    /// Its scored samples.
    pub samples: u32,
    /// Samples predicted to be of it.
    pub predicted: u32,
    /// Those of them that are.
    pub hits: u32,
    /// hits / predicted, in percent; `None` if nothing is predicted.
    pub precision_percent: Option<f64>,
    /// hits / samples, in percent; `None` if there are none.
    pub recall_percent: Option<f64>,
    /// Harmonic mean of precision and recall, in percent; 0 if nothing is right; `None` if it neither
    /// occurs nor is predicted.
    pub f1_percent: Option<f64>,
    /// The classes that its samples are most often taken for, with how many; at most three.
    pub confused_with: Vec<(usize, u32)>,
}

/// A report of every class, `[K]`, for a head on a set. Which samples are right is decided by the
/// scorer that training uses, so that recall is the accuracy of the class reported elsewhere.
///
/// # Panics
///
/// If shapes do not agree, or a row does not exist.
pub fn class_reports(head: &Head, set: &EvaluationSet<'_>) -> Vec<ClassReport> {
    let k = head.n_classes();
    let rows: Vec<usize> =
        set.rows.map_or_else(|| (0..set.labels.len()).collect(), <[usize]>::to_vec);
    let right = hits_of(head, set);
    let samples = samples_per_class(rows.iter().map(|&row| set.labels[row]), k);
    let mut hits = vec![0_u32; k];
    let mut confusions: Vec<Vec<(usize, u32)>> = vec![Vec::new(); k];
    for block in rows.chunks(BLOCK) {
        let mirror = set.mirror.map(|mirror| mirror.select(Axis(0), block));
        let mirror = mirror.as_ref().map(|mirror| mirror.view());
        let logits = mean_logits(head, set.features.select(Axis(0), block).view(), mirror);
        for (z, &row) in logits.axis_iter(Axis(0)).zip(block) {
            let label = set.labels[row] as usize;
            if right[row] {
                hits[label] += 1;
                continue;
            }
            let others = (0..k).filter(|&class| class != label);
            let taken = others.reduce(|best, class| if z[class] > z[best] { class } else { best });
            let Some(taken) = taken else { continue };
            match confusions[label].iter_mut().find(|(class, _)| *class == taken) {
                Some((_, n)) => *n += 1,
                None => confusions[label].push((taken, 1)),
            }
        }
    }
    let mut predicted = hits.clone();
    for (class, n) in confusions.iter().flatten() {
        predicted[*class] += n;
    }
    let report = |class: usize| {
        let (n, m, hit) = (samples[class], predicted[class], hits[class]);
        let share = |hits: u32, of: u32| (of > 0).then(|| 100.0 * f64::from(hits) / f64::from(of));
        let mut confused_with = confusions[class].clone();
        confused_with.sort_by_key(|&(class, n)| (std::cmp::Reverse(n), class));
        confused_with.truncate(3);
        ClassReport {
            class,
            samples: n,
            predicted: m,
            hits: hit,
            precision_percent: share(hit, m),
            recall_percent: share(hit, n),
            f1_percent: share(2 * hit, n + m),
            confused_with,
        }
    };
    (0..k).map(report).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array1, Array2, array};

    #[test]
    fn precision_recall_and_confusions() {
        let head = Head::linear(Array2::eye(3), Array1::zeros(3));
        let features =
            array![[1.0_f32, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.0], [0.0, 1.0, 0.5]];
        let labels = [0, 0, 1, 2];
        let set = EvaluationSet {
            features: features.view(),
            mirror: None,
            labels: &labels,
            rows: None,
            groups: None,
        };
        let reports = class_reports(&head, &set);
        let of = |k: usize| {
            let ClassReport { precision_percent, recall_percent, f1_percent, .. } = reports[k];
            (precision_percent, recall_percent, f1_percent.map(f64::round))
        };
        assert_eq!(of(0), (Some(100.0), Some(50.0), Some(67.0)));
        assert_eq!(of(1), (Some(100.0 / 3.0), Some(100.0), Some(50.0)));
        assert_eq!(of(2), (None, Some(0.0), Some(0.0)));
        assert_eq!(reports[2].confused_with, [(1, 1)]);
    }
}
