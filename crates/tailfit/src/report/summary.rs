//! Summarises the records of each method in one row: mean and standard deviation over seeds.

use super::difference::{Difference, Standing, compare};
use crate::compare::{Effort, RunRecord, Selection};
use crate::error::{Error, Result};

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

/// One row of a comparison: the records of one method, one per seed.
#[derive(Clone, Debug)]
pub struct Summary<'a> {
    /// Name of the method.
    pub method: &'a str,
    first: &'a RunRecord,
    pub(super) records: Vec<&'a RunRecord>,
    /// How far the row is from the best; `None` for the best itself, and where records do not say.
    pub difference: Option<Difference>,
    /// How sure its place is; `None` where records do not say.
    pub standing: Option<Standing>,
}

impl Summary<'_> {
    /// Number of seeds.
    pub fn n_seeds(&self) -> usize {
        self.records.len()
    }

    /// How much was spent on the trials.
    pub fn effort(&self) -> Effort {
        self.first.selection.effort
    }

    /// Number of trials selected from, per seed.
    pub fn n_trials(&self) -> usize {
        self.first.selection.n_trials
    }

    /// The most trials beyond the grid's edges for any seed.
    pub fn n_beyond(&self) -> usize {
        self.records.iter().map(|record| record.selection.n_beyond).max().unwrap_or(0)
    }

    /// The most epochs that heads were trained for in a seed's search, if records say.
    pub fn head_epochs(&self) -> Option<usize> {
        self.records.iter().filter_map(|record| record.selection.head_epochs).max()
    }

    /// How trials and epochs were chosen.
    pub fn selection(&self) -> Selection {
        self.first.selection.rule
    }

    /// Number of epochs in the schedule, the most where it was chosen; 0 where nothing is trained, or a
    /// solver has no epochs.
    pub fn epochs(&self) -> usize {
        let recipes = self.records.iter().flat_map(|record| &record.heads).map(|head| &head.recipe);
        let trained = recipes.filter(|recipe| recipe.has_course());
        trained.map(|recipe| recipe.sgd.epochs).max().unwrap_or(0)
    }

    /// Whether any record's scored samples took part in its selection.
    pub fn optimistic(&self) -> bool {
        self.records.iter().any(|record| record.selection.optimistic)
    }

    /// The spread over seeds of one number per record. `None` if no record has the number.
    pub fn spread(&self, value: impl Fn(&RunRecord) -> Option<f64>) -> Option<Spread> {
        let values: Vec<f64> = self.records.iter().filter_map(|record| value(record)).collect();
        Spread::of(&values)
    }

    /// Macro accuracy in percent, the mean over seeds.
    pub(super) fn macro_mean(&self) -> f64 {
        self.mean(|record| Some(record.evaluation.accuracy.macro_percent))
    }

    /// The mean of [`Summary::spread`]; NaN if there is none.
    pub fn mean(&self, value: impl Fn(&RunRecord) -> Option<f64>) -> f64 {
        self.spread(value).map_or(f64::NAN, |spread| spread.mean)
    }
}

/// One row per method, in order of first appearance.
///
/// # Errors
///
/// If records that do not belong together go by one name: of other data, another selection,
/// precision or search, or twice of one seed.
pub fn summarise(records: &[RunRecord]) -> Result<Vec<Summary<'_>>> {
    let mut rows: Vec<Summary<'_>> = Vec::new();
    for record in records {
        let Some(row) = rows.iter_mut().find(|row| row.method == record.method) else {
            let (method, records) = (&record.method[..], vec![record]);
            rows.push(Summary { method, first: record, records, difference: None, standing: None });
            continue;
        };
        belong_together(row, record)?;
        row.records.push(record);
    }
    compare(&mut rows);
    Ok(rows)
}

/// Whether a record can stand in a row.
fn belong_together(row: &Summary<'_>, record: &RunRecord) -> Result<()> {
    let first = row.first;
    let of = |record: &RunRecord| (record.selection.n_trials, record.selection.effort);
    let (what, remedy) = if row.records.iter().any(|known| known.seed == record.seed) {
        ("two of one seed", "give each configuration a name of its own")
    } else if !first.data.is_same(&record.data) {
        ("some of other data", "make one table for each data set")
    } else if first.selection.rule != record.selection.rule {
        ("some of another selection", "make one table for each selection")
    } else if first.precision != record.precision || of(first) != of(record) {
        ("some of another precision or search", "give each configuration a name of its own")
    } else {
        return Ok(());
    };
    let place = format!("records of `{}`, seed {}", row.method, record.seed);
    Err(Error::data(place, "one per seed, all made in the same way", what, remedy))
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
