//! How far a method is from the best one, where it stands among all, and whether the test set can tell.

use super::resamples::{ClassMeans, Hits};
use super::{Summary, class_mean};
use crate::compare::RunRecord;

/// The class mean of a method minus that of the best, in points, with the interval that holds 95 %
/// of the differences over bootstrap resamples of test samples and seeds, paired.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The difference as measured, at most 0.
    pub points: f64,
    /// 2.5 % of the resamples, so moved that their mean is the difference as measured, are below.
    pub low: f64,
    /// 2.5 % of them are above; below 0, the method is measurably worse.
    pub high: f64,
}

/// How sure the place of a method among the others is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// The 95 % interval of its class mean over test samples and seeds, in percent. Where samples come in
    /// groups, over bootstrap resamples of these.
    pub class_mean: (f64, f64),
    /// The best and the worst rank: one more than the methods that are measurably better, and all but those
    /// that are measurably worse, with 95 % confidence in all of these at once.
    pub ranks: (usize, usize),
}

/// Fills in each row's [`Difference`] to the best, of which the best itself has none, and its
/// [`Standing`]; neither where records do not say which samples were right, or not of the same samples and
/// seeds.
pub(super) fn compare(rows: &mut [Summary<'_>]) {
    let Some((best, hits)) = hits_of_all(rows) else { return };
    let right = &rows[best].records[0].evaluation.right;
    let samples = right.samples().to_vec();
    let groups = right.groups().unwrap_or_default();
    let means = ClassMeans::of(&hits, &samples, &groups);
    let compared = means.compared();
    let count = |row: usize, what: i8| compared[row].iter().filter(|&&other| other == what).count();
    let (all, top) = (rows.len(), rows[best].macro_mean());
    for (row, summary) in rows.iter_mut().enumerate() {
        summary.difference = (row != best).then(|| {
            let (low, high) = means.interval(|means| means[row] - means[best]);
            Difference { points: summary.macro_mean() - top, low, high }
        });
        let class_mean = if groups.is_empty() {
            class_mean::interval(&hits[row], &samples)
        } else {
            let (low, high) = means.interval(|means| means[row]);
            (low.max(0.0), high.min(100.0))
        };
        let ranks = (count(row, 1) + 1, all - count(row, -1));
        summary.standing = Some(Standing { class_mean, ranks });
    }
}

/// The best row, and the hits of all, if all are of the same samples and seeds.
fn hits_of_all(rows: &[Summary<'_>]) -> Option<(usize, Vec<Hits>)> {
    let means: Vec<f64> = rows.iter().map(Summary::macro_mean).collect();
    let best = (0..rows.len()).max_by(|&a, &b| means[a].total_cmp(&means[b]).then(b.cmp(&a)))?;
    let first = rows[best].records[0];
    first.evaluation.right.groups()?;
    let seeds = |row: &Summary<'_>| -> Vec<u64> {
        by_seed(row).into_iter().map(|record| record.seed).collect()
    };
    if rows.iter().any(|row| seeds(row) != seeds(&rows[best])) {
        return None;
    }
    Some((best, rows.iter().map(|row| hits_of(row, first)).collect::<Option<_>>()?))
}

/// A row's hits, if they are on the test set of `first`.
fn hits_of(row: &Summary<'_>, first: &RunRecord) -> Option<Hits> {
    let of = |record: &RunRecord| {
        let right = &record.evaluation.right;
        let same = right.samples() == first.evaluation.right.samples()
            && record.data.test_sha256 == first.data.test_sha256;
        let each = same.then(|| right.each())??;
        Some(each.into_iter().map(u8::from).collect())
    };
    by_seed(row).into_iter().map(of).collect()
}

/// A row's records, in the order of their seeds.
fn by_seed<'a>(row: &Summary<'a>) -> Vec<&'a RunRecord> {
    let mut records = row.records.clone();
    records.sort_by_key(|record| record.seed);
    records
}
