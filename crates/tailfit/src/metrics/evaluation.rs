//! Everything reported about a head on one set.

use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};

use super::accuracy::{per_class_percent, samples_per_class};
use super::confusion::{Confusion, Pairs, add, most};
use super::hits::hits_of;
use super::{
    Accuracy, Calibration, CalibrationBins, LogitStatistics, LogitsMagnitude, Right,
    coefficient_of_variation,
};
use crate::class_counts::ClassCounts;
use crate::error::Result;
use crate::features::{Features, Matrix};
use crate::groups::Groups;
use crate::head::Head;
use crate::probabilities::mean_logits;
use crate::shots::{Shot, ShotThresholds};

/// A labelled set of features.
#[derive(Clone, Copy, Debug)]
pub struct EvaluationSet<'a> {
    /// `[N, D]`.
    pub features: ArrayView2<'a, f32>,
    /// Features of the mirrored images, `[N, D]`; logits are averaged over both.
    pub mirror: Option<ArrayView2<'a, f32>>,
    /// Class of each sample, `[N]`.
    pub labels: &'a [u32],
    /// Samples to score; all if `None`. Must not be empty.
    pub rows: Option<&'a [usize]>,
    /// Which samples belong together, if any do.
    pub groups: Option<&'a Groups>,
}

impl<'a> EvaluationSet<'a> {
    /// All samples of features in memory.
    ///
    /// # Errors
    ///
    /// If the features are left in their file; see [`Features::into_memory`].
    pub fn of(features: &'a Features) -> Result<Self> {
        Ok(Self {
            features: features.plain.in_memory()?,
            mirror: features.mirror.as_ref().map(Matrix::in_memory).transpose()?,
            labels: &features.labels,
            rows: None,
            groups: features.groups.as_ref(),
        })
    }
}

/// Scores of one head on one set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluation {
    /// Number of samples scored.
    pub n_samples: usize,
    /// Accuracy over samples, classes and shots.
    pub accuracy: Accuracy,
    /// NLL and ECE.
    pub calibration: Calibration,
    /// Accuracy of each class in percent, `[K]`.
    pub per_class_percent: Vec<Option<f64>>,
    /// Which samples are right; records of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Right::is_unknown")]
    pub right: Right,
    /// The pairs of classes mixed up most, at most 20; records of earlier versions do not say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confused: Vec<Confusion>,
    /// All readings of Logits Magnitude and Regularised Standard Deviation. A record may omit
    /// them; a replay recomputes them.
    #[serde(default)]
    pub logits_magnitude: LogitsMagnitude,
    /// Coefficient of variation of the primary `LoMa` (A on centred logits).
    pub loma_cv: Option<f64>,
    /// Mean primary `LoMa` of the few-shot classes divided by that of the many-shot classes.
    pub loma_few_over_many: Option<f64>,
    /// ‖wₖ‖₂ without bias, `[K]`; absent for a cosine head, where it is meaningless, for a gated one, of
    /// which it says little, and where two heads scored.
    pub weight_norms: Option<Vec<f64>>,
    /// ‖wₖ − mean w‖₂, `[K]`; likewise absent.
    pub centred_weight_norms: Option<Vec<f64>>,
}

/// Rows whose logits are held at a time.
const BLOCK: usize = 512;

/// Scores `head` on `set`. Hits are taken in single precision by the scorer that training uses, so
/// the two never disagree; logits, calibration and Logits Magnitude are in f64.
///
/// ```
/// use tailfit::features::DataSet;
/// use tailfit::metrics::{EvaluationSet, evaluate};
///
/// let data = DataSet::embedded(Default::default())?;
/// let head = &data.stage_1.as_ref().unwrap().head;
/// let evaluation =
///     evaluate(head, &EvaluationSet::of(&data.test)?, &data.counts, data.thresholds);
/// assert_eq!(format!("{:.2}", evaluation.accuracy.overall_percent), "40.35");
/// # Ok::<(), tailfit::error::Error>(())
/// ```
///
/// # Panics
///
/// If shapes do not agree or the set is empty.
pub fn evaluate(
    head: &Head,
    set: &EvaluationSet<'_>,
    counts: &ClassCounts,
    thresholds: ShotThresholds,
) -> Evaluation {
    let every: Vec<usize>;
    let rows = if let Some(rows) = set.rows {
        rows
    } else {
        every = (0..set.labels.len()).collect();
        &every
    };
    evaluate_each(&[head], &|_| 0, rows, set, (counts, thresholds))
}

/// As [`evaluate`] on the whole set, with two heads, each of which scores the half of its number.
///
/// # Panics
///
/// As [`evaluate`].
pub(crate) fn evaluate_halves(
    heads: [&Head; 2],
    halves: &[u8],
    set: &EvaluationSet<'_>,
    counts: &ClassCounts,
    thresholds: ShotThresholds,
) -> Evaluation {
    let rows: Vec<usize> = (0..set.labels.len()).collect();
    evaluate_each(&heads, &|row| usize::from(halves[row]), &rows, set, (counts, thresholds))
}

/// Scores each of `rows` by the head that `head_of` it.
fn evaluate_each(
    heads: &[&Head],
    head_of: &dyn Fn(usize) -> usize,
    rows: &[usize],
    set: &EvaluationSet<'_>,
    (counts, thresholds): (&ClassCounts, ShotThresholds),
) -> Evaluation {
    let n_classes = heads[0].n_classes();
    let samples = samples_per_class(rows.iter().map(|&row| set.labels[row]), n_classes);
    let right: Vec<Vec<bool>> = heads.iter().map(|head| hits_of(head, set)).collect();
    let logits_of = |head: &&Head, block: &[usize]| {
        let mirror = set.mirror.map(|mirror| mirror.select(Axis(0), block));
        let plain = set.features.select(Axis(0), block);
        mean_logits(head, plain.view(), mirror.as_ref().map(|mirror| mirror.view()))
    };
    let mut hits = vec![0; n_classes];
    let mut bins = CalibrationBins::default();
    let mut pairs = Pairs::new();
    let mut statistics: Option<[LogitStatistics; 2]> = None;
    let mut centred = vec![0.0; n_classes];
    for block in rows.chunks(BLOCK) {
        let logits: Vec<Array2<f64>> = heads.iter().map(|head| logits_of(head, block)).collect();
        for (i, &row) in block.iter().enumerate() {
            let z = logits[head_of(row)].row(i);
            let z = z.as_slice().unwrap_or_default();
            let label = set.labels[row] as usize;
            let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let log_sum = top + z.iter().map(|v| (v - top).exp()).sum::<f64>().ln();
            let is_hit = right[head_of(row)][row];
            hits[label] += u32::from(is_hit);
            if !is_hit {
                add(&mut pairs, label as u32, z);
            }
            bins.add(z[label], top, log_sum, is_hit);

            let mean = z.iter().sum::<f64>() / n_classes as f64;
            for (centred, value) in centred.iter_mut().zip(z) {
                *centred = value - mean;
            }
            let [raw, about_mean] = statistics.get_or_insert_with(|| {
                [z, &centred].map(|first| LogitStatistics::new(&samples, first))
            });
            raw.add(z, label);
            about_mean.add(&centred, label);
        }
    }
    let [raw, centred] = statistics.expect("at least one sample").map(|s| s.readings());
    let primary = &centred.a;
    let present: Vec<f64> = primary.iter().flatten().copied().collect();
    let of_shot = |shot| thresholds.mean(counts, shot, primary);
    let few_over_many = of_shot(Shot::Few).zip(of_shot(Shot::Many)).map(|(few, many)| few / many);
    // Norms are those of one head; two that are the same are one.
    let one = heads.iter().all(|head| *head == heads[0]) && heads[0].is_linear();
    Evaluation {
        n_samples: rows.len(),
        accuracy: Accuracy::new(&hits, &samples, counts, thresholds),
        calibration: bins.calibration(),
        per_class_percent: per_class_percent(&hits, &samples),
        right: Right::new(
            &samples,
            rows.iter().map(|&row| {
                let group = set.groups.map(|groups| groups.each()[row]);
                (set.labels[row], right[head_of(row)][row], group)
            }),
        ),
        confused: most(pairs),
        loma_cv: coefficient_of_variation(&present),
        loma_few_over_many: few_over_many,
        logits_magnitude: LogitsMagnitude { raw, centred },
        weight_norms: one.then(|| heads[0].weight_norms()),
        centred_weight_norms: one.then(|| heads[0].centred_weight_norms()),
    }
}
