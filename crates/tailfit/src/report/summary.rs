//! Records of one method become one row: mean and standard deviation over seeds.

use crate::metrics::Accuracy;
use crate::record::RunRecord;
use crate::select::Selection;

/// Mean, sample standard deviation and largest of one number per seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Mean over seeds.
    pub mean: f64,
    /// Standard deviation (n − 1) over seeds; absent for one seed.
    pub sd: Option<f64>,
    /// The best seed's.
    pub max: f64,
}

impl Spread {
    /// Of the values there are; `None` of none.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        let sd = (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt());
        Some(Self { mean, sd, max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max) })
    }
}

/// One row of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Name of the method.
    pub method: String,
    /// Number of seeds.
    pub n_seeds: usize,
    /// Trials selected from, per seed.
    pub n_trials: usize,
    /// The rule.
    pub rule: Selection,
    /// Whether scored samples took part in the choice.
    pub optimistic: bool,
    /// Accuracy over all samples, percent.
    pub overall: Spread,
    /// Mean accuracy over classes, percent.
    pub macro_mean: Spread,
    /// Many-, medium- and few-shot classes, percent.
    pub shots: [Option<Spread>; 3],
    /// Negative log-likelihood.
    pub nll: Spread,
    /// Expected calibration error, percent.
    pub ece: Spread,
    /// Coefficient of variation of Logits Magnitude.
    pub loma_cv: Option<Spread>,
    /// Epochs trained where selection stopped, and epochs of the schedule.
    pub epoch: (Spread, usize),
    /// Macro accuracy of the same hyper-parameters after the last epoch, percent.
    pub last_epoch: Spread,
    /// Macro accuracy that choosing on the test set would have claimed, percent.
    pub best_on_test: Spread,
}

impl Summary {
    /// `best_on_test` less the mean over classes: what selecting on the test set adds.
    pub fn optimism(&self) -> f64 {
        self.best_on_test.mean - self.macro_mean.mean
    }
}

/// One row per method, in the order of first appearance. Records of one seed (the two
/// halves of cross-fitting) are averaged first.
pub fn summarise(records: &[RunRecord]) -> Vec<Summary> {
    let mut methods: Vec<&str> = Vec::new();
    for record in records {
        if !methods.contains(&record.method.as_str()) {
            methods.push(&record.method);
        }
    }
    let rows = methods.into_iter().filter_map(|method| {
        let of_method: Vec<&RunRecord> = records.iter().filter(|r| r.method == method).collect();
        summary(method, &of_method)
    });
    rows.collect()
}

fn summary(method: &str, records: &[&RunRecord]) -> Option<Summary> {
    let first = records.first()?;
    let mut seeds: Vec<u64> = records.iter().map(|r| r.seed).collect();
    seeds.sort_unstable();
    seeds.dedup();
    // One value per seed: the mean over the seed's records that have it.
    let optional = |value: &dyn Fn(&RunRecord) -> Option<f64>| {
        let of_seed = |seed: &u64| {
            let values: Vec<f64> =
                records.iter().filter(|r| r.seed == *seed).filter_map(|r| value(r)).collect();
            Spread::of(&values).map(|spread| spread.mean)
        };
        Spread::of(&seeds.iter().filter_map(of_seed).collect::<Vec<f64>>())
    };
    let each = |value: &dyn Fn(&RunRecord) -> f64| optional(&|r| Some(value(r)));
    let accuracy =
        |value: &dyn Fn(&Accuracy) -> Option<f64>| optional(&|r| value(&r.evaluation.accuracy));
    Some(Summary {
        method: method.to_owned(),
        n_seeds: seeds.len(),
        n_trials: first.selection.n_trials,
        rule: first.selection.rule,
        optimistic: records.iter().any(|r| r.selection.optimistic),
        overall: accuracy(&|a| Some(a.overall_percent))?,
        macro_mean: accuracy(&|a| Some(a.macro_percent))?,
        shots: [
            accuracy(&|a| a.many_percent),
            accuracy(&|a| a.medium_percent),
            accuracy(&|a| a.few_percent),
        ],
        nll: each(&|r| r.evaluation.calibration.nll)?,
        ece: each(&|r| r.evaluation.calibration.ece_percent)?,
        loma_cv: optional(&|r| r.evaluation.loma_cv),
        epoch: (each(&|r| r.epoch as f64)?, first.recipe.epochs),
        last_epoch: each(&|r| r.epochs.last().map_or(f64::NAN, |a| a.macro_percent))?,
        best_on_test: each(&|r| r.best_on_test.accuracy.macro_percent)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_by_eye() {
        let spread = Spread::of(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!((spread.mean, spread.sd, spread.max), (2.0, Some(1.0), 3.0));
        assert_eq!(Spread::of(&[4.0]).unwrap().sd, None, "one seed has no deviation, not one of 0");
        assert_eq!(Spread::of(&[]), None);
    }
}
