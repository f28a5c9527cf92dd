//! How far a method is from the best one, and whether the test set can tell.

use rayon::prelude::*;

use super::Summary;
use crate::compare::RunRecord;
use crate::rng::{Purpose, Rng};

/// Resamples, as many as fit into the work: products of samples, rows and seeds.
const RESAMPLES: usize = 1000;
const WORK: usize = 10_000_000_000;

/// The class mean of a method minus that of the best, in points, with the interval that holds 95 %
/// of the differences over bootstrap resamples of test samples and seeds, paired.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Difference {
    /// The difference as measured, at most 0.
    pub points: f64,
    /// 2.5 % of the resamples are below.
    pub low: f64,
    /// 2.5 % of the resamples are above; below 0, the method is measurably worse.
    pub high: f64,
}

/// The hits of a row: for each seed, 1 for each sample that is right.
type Hits = Vec<Vec<u8>>;

/// The difference of each row to the best: `None` for the best itself, and where records do not say
/// which samples were right, or not of the same samples and seeds.
pub(super) fn to_best(rows: &[Summary<'_>]) -> Vec<Option<Difference>> {
    let means: Vec<f64> = rows.iter().map(Summary::macro_mean).collect();
    let Some(best) = (0..rows.len()).max_by(|&a, &b| means[a].total_cmp(&means[b]).then(b.cmp(&a)))
    else {
        return vec![];
    };
    let none = || vec![None; rows.len()];
    let first = rows[best].records[0];
    let samples = first.evaluation.right.samples();
    let Some(groups) = first.evaluation.right.groups() else { return none() };
    let seeds = |row: &Summary<'_>| -> Vec<u64> {
        by_seed(row).into_iter().map(|record| record.seed).collect()
    };
    if rows.iter().any(|row| seeds(row) != seeds(&rows[best])) {
        return none();
    }
    let hits: Option<Vec<Hits>> = rows.iter().map(|row| hits_of(row, first)).collect();
    let Some(hits) = hits else { return none() };
    let (n_seeds, n) = (hits[0].len(), hits[0][0].len());
    let resamples = (WORK / (n * n_seeds * rows.len()).max(1)).clamp(50, RESAMPLES);
    let drawn: Vec<Vec<f64>> = (0..resamples)
        .into_par_iter()
        .map(|number| {
            let mut rng = Rng::new(number as u64, Purpose::Bootstrap, 0);
            let seeds: Vec<usize> = (0..n_seeds).map(|_| rng.below(n_seeds)).collect();
            let times = drawn_times(&groups, n, &mut rng);
            let weights = resampled(samples, times);
            let mean = |of: &Hits| -> f64 {
                seeds.iter().map(|&seed| dot(&of[seed], &weights)).sum::<f64>() / n_seeds as f64
            };
            let means: Vec<f64> = hits.iter().map(mean).collect();
            means.iter().map(|mean| 100.0 * (mean - means[best])).collect()
        })
        .collect();
    let of = |row: usize| {
        let mut each: Vec<f64> = drawn.iter().map(|differences| differences[row]).collect();
        each.sort_by(f64::total_cmp);
        let at = |share: f64| each[((resamples - 1) as f64 * share).round() as usize];
        Difference { points: means[row] - means[best], low: at(0.025), high: at(0.975) }
    };
    (0..rows.len()).map(|row| (row != best).then(|| of(row))).collect()
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

/// How often each of `n` samples is drawn, with replacement: by itself, or with its group, of which as
/// many are drawn as there are.
fn drawn_times(groups: &[u32], n: usize, rng: &mut Rng) -> Vec<f32> {
    let n_groups = groups.iter().max().map(|&group| group as usize + 1);
    let units = n_groups.unwrap_or(n);
    let mut times = vec![0_f32; units];
    for _ in 0..units {
        times[rng.below(units)] += 1.0;
    }
    if groups.is_empty() {
        times
    } else {
        groups.iter().map(|&group| times[group as usize]).collect()
    }
}

/// What each sample of a resample counts in the mean over the classes that it has, given how often it
/// was drawn.
fn resampled(samples: &[u32], mut times: Vec<f32>) -> Vec<f32> {
    let mut rest = &mut times[..];
    let mut present = 0.0_f32;
    for &of_class in samples {
        let (class, others) = rest.split_at_mut(of_class as usize);
        let total: f32 = class.iter().sum();
        if total > 0.0 {
            present += 1.0;
            for times in class {
                *times /= total;
            }
        }
        rest = others;
    }
    for times in &mut times {
        *times /= present.max(1.0);
    }
    times
}

/// Σ of the weights of the samples that are right.
fn dot(a: &[u8], b: &[f32]) -> f64 {
    let parts = a.chunks(1024).zip(b.chunks(1024));
    parts
        .map(|(a, b)| f64::from(a.iter().zip(b).map(|(&a, b)| f32::from(a) * b).sum::<f32>()))
        .sum()
}
