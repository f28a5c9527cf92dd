//! Summarises the records of each method in one row: mean and standard deviation over seeds.

use std::collections::BTreeMap;

use crate::compare::{RunRecord, Selection};

/// Mean, sample standard deviation and maximum of one number per seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// Mean over seeds.
    pub mean: f64,
    /// Standard deviation (n − 1) over seeds; absent for one seed.
    pub sd: Option<f64>,
    /// Maximum over seeds.
    pub max: f64,
}

impl Spread {
    /// The spread of `values`; `None` if there are none.
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

/// One row of a comparison: the records of one method.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// Name of the method.
    pub method: &'a str,
    by_seed: BTreeMap<u64, Vec<&'a RunRecord>>,
    first: &'a RunRecord,
}

impl<'a> Summary<'a> {
    fn records(&self) -> impl Iterator<Item = &'a RunRecord> {
        self.by_seed.values().flatten().copied()
    }

    /// Number of seeds.
    pub fn n_seeds(&self) -> usize {
        self.by_seed.len()
    }

    /// Number of trials selected from, per seed.
    pub fn n_trials(&self) -> usize {
        self.first.selection.n_trials
    }

    /// How trials and epochs were chosen.
    pub fn selection(&self) -> Selection {
        self.first.selection.rule
    }

    /// Number of epochs in the schedule.
    pub fn epochs(&self) -> usize {
        self.first.recipe.sgd.epochs
    }

    /// Whether any record's scored samples took part in its selection.
    pub fn optimistic(&self) -> bool {
        self.records().any(|record| record.selection.optimistic)
    }

    /// The spread over seeds of one number per record. Records of the same seed (the two halves of
    /// cross-fitting) are averaged first. `None` if no record has the number.
    pub fn spread(&self, value: impl Fn(&RunRecord) -> Option<f64>) -> Option<Spread> {
        let of_seed = |records: &Vec<&RunRecord>| {
            let values: Vec<f64> = records.iter().filter_map(|record| value(record)).collect();
            Spread::of(&values).map(|spread| spread.mean)
        };
        Spread::of(&self.by_seed.values().filter_map(of_seed).collect::<Vec<f64>>())
    }

    /// The mean of [`Summary::spread`]; NaN if there is none.
    pub fn mean(&self, value: impl Fn(&RunRecord) -> Option<f64>) -> f64 {
        self.spread(value).map_or(f64::NAN, |spread| spread.mean)
    }
}

/// One row per method, in order of first appearance.
pub fn summarise(records: &[RunRecord]) -> Vec<Summary<'_>> {
    let mut rows: Vec<Summary<'_>> = Vec::new();
    for record in records {
        let at = rows.iter().position(|row| row.method == record.method);
        let at = at.unwrap_or_else(|| {
            let by_seed = BTreeMap::new();
            rows.push(Summary { method: &record.method, by_seed, first: record });
            rows.len() - 1
        });
        rows[at].by_seed.entry(record.seed).or_default().push(record);
    }
    rows
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
