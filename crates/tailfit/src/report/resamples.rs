//! Class means over bootstrap resamples of test samples and seeds.

use rayon::prelude::*;

use crate::rng::{Purpose, Rng};

/// Resamples, as many as fit into the work: products of samples, rows and seeds.
const RESAMPLES: usize = 1000;
const WORK: usize = 10_000_000_000;

/// Samples of other classes that a class is resampled with.
const FROM_OTHERS: usize = 4;

/// The hits of a row: for each seed, 1 for each sample that is right.
pub(super) type Hits = Vec<Vec<u8>>;

/// The class mean of every row in percent, as measured and in each resample.
///
/// Each class is resampled by itself, as many samples as it has: of its own, but for a share of
/// 4 / (n + 4) that come from a class at random. Without these, the only sample of a class would have no
/// uncertainty at all; they are as many as Agresti and Coull (The American Statistician, 1998) add to a
/// proportion. Where samples come in groups, groups are resampled instead, from all classes together.
pub(super) struct ClassMeans {
    measured: Vec<f64>,
    drawn: Vec<Vec<f64>>,
}

impl ClassMeans {
    /// Those of rows with these hits, of test samples sorted by class; `groups` is empty if there are none.
    pub(super) fn of(hits: &[Hits], samples: &[u32], groups: &[u32]) -> Self {
        let (n_seeds, n) = (hits[0].len(), hits[0][0].len());
        let means = |seeds: &[usize], weights: &[f32]| -> Vec<f64> {
            let sum = |of: &Hits| seeds.iter().map(|&seed| dot(&of[seed], weights)).sum::<f64>();
            hits.iter().map(|of| 100.0 * sum(of) / n_seeds as f64).collect()
        };
        let every: Vec<usize> = (0..n_seeds).collect();
        let measured = means(&every, &resampled(samples, vec![1.0; n]));
        let resamples = (WORK / (n * n_seeds * hits.len()).max(1)).clamp(50, RESAMPLES);
        let draw = |number: usize| {
            let mut rng = Rng::new(number as u64, Purpose::Bootstrap, 0);
            let seeds: Vec<usize> = (0..n_seeds).map(|_| rng.below(n_seeds)).collect();
            let weights = if groups.is_empty() {
                drawn_by_class(samples, &mut rng)
            } else {
                resampled(samples, drawn_groups(groups, &mut rng))
            };
            means(&seeds, &weights)
        };
        Self { measured, drawn: (0..resamples).into_par_iter().map(draw).collect() }
    }

    /// The interval that holds 95 % of a value's resamples, moved so that their mean is the value as
    /// measured.
    pub(super) fn interval(&self, value: impl Fn(&[f64]) -> f64) -> (f64, f64) {
        let mut each: Vec<f64> = self.drawn.iter().map(|means| value(means)).collect();
        let mean = each.iter().sum::<f64>() / each.len() as f64;
        let off = value(&self.measured) - mean;
        let last = each.len() - 1;
        let mut at = |share: f64| {
            let place = (last as f64 * share).round() as usize;
            *each.select_nth_unstable_by(place, f64::total_cmp).1 + off
        };
        (at(0.025), at(0.975))
    }
}

/// What each sample counts in the mean over classes of a resample, each class drawn by itself.
fn drawn_by_class(samples: &[u32], rng: &mut Rng) -> Vec<f32> {
    let mut start = 0;
    let mut classes: Vec<(usize, usize)> = vec![];
    for &n in samples.iter().filter(|&&n| n > 0) {
        classes.push((start, n as usize));
        start += n as usize;
    }
    let mut weights = vec![0.0; start];
    for &(first, n) in &classes {
        let share = 1.0 / (n * classes.len()) as f32;
        for _ in 0..n {
            let own = rng.below(n + FROM_OTHERS) < n;
            let (first, n) = if own { (first, n) } else { classes[rng.below(classes.len())] };
            weights[first + rng.below(n)] += share;
        }
    }
    weights
}

/// How often each sample is drawn with its group, of which as many are drawn as there are.
fn drawn_groups(groups: &[u32], rng: &mut Rng) -> Vec<f32> {
    let n_groups = groups.iter().max().map_or(0, |&group| group as usize + 1);
    let mut times = vec![0_f32; n_groups];
    for _ in 0..n_groups {
        times[rng.below(n_groups)] += 1.0;
    }
    groups.iter().map(|&group| times[group as usize]).collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Over many test sets, the interval of a difference, and that of a class mean, holds the true difference about as often as it says, also where most
    /// classes have a single sample. (There, intervals by resamples of all classes together held it in 82 % of
    /// 400 such sets, and those by resamples of each class by itself in none.)
    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        for (rare, least) in [(1_u32, 0.90), (3, 0.90), (40, 0.92)] {
            let samples = [[80; 5].as_slice(), &[rare; 25]].concat();
            // Accuracy of the two rows on common classes and on rare ones.
            let accuracies = [[0.9, 0.2], [0.85, 0.5]];
            let truth = 100.0 * (5.0 * 0.05 - 25.0 * 0.3) / 30.0;
            let rare_mean = 100.0 * (5.0 * 0.9 + 25.0 * 0.2) / 30.0;
            let (sets, mut held, mut held_mean) = (200, 0, 0);
            let mut rng = Rng::new(7, Purpose::Start, u64::from(rare));
            for _ in 0..sets {
                let mut hits: [Hits; 2] = [vec![vec![]], vec![vec![]]];
                for (k, &n) in samples.iter().enumerate() {
                    for _ in 0..n {
                        // What is hard for one row is harder for the other too.
                        let both = rng.uniform();
                        let draws = [both, if rng.uniform() < 0.6 { both } else { rng.uniform() }];
                        for ((row, draw), of) in hits.iter_mut().zip(draws).zip(accuracies) {
                            row[0].push(u8::from(draw < of[usize::from(k >= 5)]));
                        }
                    }
                }
                let means = ClassMeans::of(&hits, &samples, &[]);
                let within = |(low, high): (f64, f64), truth| low <= truth && truth <= high;
                held += usize::from(within(means.interval(|means| means[0] - means[1]), truth));
                held_mean += usize::from(within(means.interval(|means| means[0]), rare_mean));
            }
            for held in [held, held_mean] {
                let share = held as f64 / f64::from(sets);
                assert!((least..=0.99).contains(&share), "{rare} samples of a rare class: {share}");
            }
        }
    }
}
