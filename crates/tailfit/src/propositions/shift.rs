//! Proposition 2: one vector added to every weight row changes no prediction, but the rows' norms.

use crate::class_counts::ClassCounts;
use crate::head::Head;
use crate::metrics::{EvaluationSet, coefficient_of_variation, evaluate};
use crate::rng::{Purpose, Rng};
use crate::shots::ShotThresholds;

/// What a common shift does to each reading.
#[derive(Clone, Debug, PartialEq)]
pub struct Shifted {
    /// Norm of the vector added, in mean norms of the rows.
    pub size: f64,
    /// Accuracy over samples, in percent.
    pub overall_percent: f64,
    /// Mean of the rows' norms.
    pub mean_norm: f64,
    /// Coefficients of variation over the classes: of the norms, of the norms of the rows minus
    /// their mean, of Logits Magnitude by column on logits as they are and on centred ones, and by row.
    pub variation: [Option<f64>; 5],
}

/// Adds a random vector of each size to every row of a head that does not normalise features, and scores it.
pub fn common_shift(
    head: &Head,
    set: &EvaluationSet<'_>,
    counts: &ClassCounts,
    thresholds: ShotThresholds,
    sizes: &[f64],
) -> Vec<Shifted> {
    let mut rng = Rng::new(0, Purpose::Start, 0);
    let direction: Vec<f64> = (0..head.dim()).map(|_| rng.normal()).collect();
    let length = direction.iter().map(|v| v * v).sum::<f64>().sqrt();
    let norms = head.weight_norms();
    let mean_norm = norms.iter().sum::<f64>() / norms.len() as f64;
    let of = |&size: &f64| {
        let mut shifted = head.clone();
        for mut row in shifted.weight.rows_mut() {
            row.iter_mut().zip(&direction).for_each(|(w, d)| *w += size * mean_norm / length * d);
        }
        let evaluation = evaluate(&shifted, set, counts, thresholds);
        let variation = |values: &[Option<f64>]| {
            let all: Vec<f64> = values.iter().flatten().copied().collect();
            coefficient_of_variation(&all)
        };
        let magnitude = &evaluation.logits_magnitude;
        let norms = shifted.weight_norms();
        Shifted {
            size,
            overall_percent: evaluation.accuracy.overall_percent,
            mean_norm: norms.iter().sum::<f64>() / norms.len() as f64,
            variation: [
                coefficient_of_variation(&norms),
                coefficient_of_variation(&shifted.centred_weight_norms()),
                variation(&magnitude.raw.a),
                variation(&magnitude.centred.a),
                variation(&magnitude.raw.b),
            ],
        }
    };
    sizes.iter().map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::DataSet;

    #[test]
    fn predictions_and_centred_readings_stay_and_others_do_not() {
        let data = DataSet::embedded(ShotThresholds::default()).unwrap();
        let head = &data.stage_1.as_ref().unwrap().head;
        let set = EvaluationSet::of(&data.test).unwrap();
        let rows: Vec<usize> = (0..data.test.len()).step_by(20).collect();
        let set = EvaluationSet { rows: Some(&rows), ..set };
        let [before, after] = common_shift(head, &set, &data.counts, data.thresholds, &[0.0, 10.0])
            .try_into()
            .unwrap();
        assert_eq!(before.overall_percent, after.overall_percent);
        assert!(after.mean_norm > 5.0 * before.mean_norm);
        let change =
            |at: usize| (after.variation[at].unwrap() - before.variation[at].unwrap()).abs();
        assert!(change(0) > 0.01 && change(2) > 0.01, "norms and raw columns change");
        for at in [1, 3, 4] {
            assert!(change(at) < 1e-4, "reading {at} must not change: {}", change(at));
        }
    }
}
