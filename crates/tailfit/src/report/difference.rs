//! How far a method is from the best one, where it stands among all, and whether the test set can tell.

use super::Summary;
use super::resamples::{ClassMeans, Hits};
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
    /// The 95 % interval of its class mean over bootstrap resamples of test samples and seeds, in percent.
    pub class_mean: (f64, f64),
    /// The best and the worst rank that pairs leave open: one more than the methods that are measurably
    /// better, and all but those that are measurably worse. Each pair is judged by its own 95 % interval, so
    /// that of many pairs a few are misjudged.
    pub ranks: (usize, usize),
}

/// Fills in each row's [`Difference`] to the best, of which the best itself has none, and its
/// [`Standing`]; neither where records do not say which samples were right, or not of the same samples and
/// seeds.
pub(super) fn compare(rows: &mut [Summary<'_>]) {
    let Some((best, means)) = class_means(rows) else { return };
    // Each pair once, so that where one is worse the other is better.
    let mut better = vec![0; rows.len()];
    let mut worse = vec![0; rows.len()];
    for a in 0..rows.len() {
        for b in 0..a {
            let (low, high) = means.interval(|means| means[a] - means[b]);
            if low > 0.0 {
                (better[b], worse[a]) = (better[b] + 1, worse[a] + 1);
            } else if high < 0.0 {
                (better[a], worse[b]) = (better[a] + 1, worse[b] + 1);
            }
        }
    }
    let (all, top) = (rows.len(), rows[best].macro_mean());
    for (row, summary) in rows.iter_mut().enumerate() {
        summary.difference = (row != best).then(|| {
            let (low, high) = means.interval(|means| means[row] - means[best]);
            Difference { points: summary.macro_mean() - top, low, high }
        });
        let class_mean = means.interval(|means| means[row]);
        let ranks = (better[row] + 1, all - worse[row]);
        summary.standing = Some(Standing { class_mean, ranks });
    }
}

/// The best row, and the class means of all.
fn class_means(rows: &[Summary<'_>]) -> Option<(usize, ClassMeans)> {
    let means: Vec<f64> = rows.iter().map(Summary::macro_mean).collect();
    let best =
        (0..rows.len()).max_by(|&a, &b| means[a].total_cmp(&means[b]).then(b.cmp(&a)))?;
    let first = rows[best].records[0];
    let groups = first.evaluation.right.groups()?;
    let seeds = |row: &Summary<'_>| -> Vec<u64> {
        by_seed(row).into_iter().map(|record| record.seed).collect()
    };
    if rows.iter().any(|row| seeds(row) != seeds(&rows[best])) {
        return None;
    }
    let hits: Vec<Hits> = rows.iter().map(|row| hits_of(row, first)).collect::<Option<_>>()?;
    Some((best, ClassMeans::of(&hits, first.evaluation.right.samples(), &groups)))
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
