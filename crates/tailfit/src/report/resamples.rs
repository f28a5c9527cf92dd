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

    /// For each row, which others are better (1) or worse (-1) than it, with 95 % confidence that none of them is
    /// misjudged: those from which it differs by more standard deviations than any of its differences does from
    /// its mean in 95 % of the resamples (Mogstad, Romano, Shaikh and Wilhelm, REStud 2024).
    pub(super) fn compared(&self) -> Vec<Vec<i8>> {
        let rows = self.measured.len();
        let of = |row: usize| -> Vec<i8> {
            let apart = |means: &[f64]| -> Vec<f64> {
                means.iter().map(|mean| mean - means[row]).collect()
            };
            let drawn: Vec<Vec<f64>> = self.drawn.iter().map(|means| apart(means)).collect();
            let n = drawn.len() as f64;
            let mean = |at: usize| drawn.iter().map(|each| each[at]).sum::<f64>() / n;
            let means: Vec<f64> = (0..rows).map(mean).collect();
            let variance = |at: usize| {
                drawn.iter().map(|each| (each[at] - means[at]).powi(2)).sum::<f64>() / n
            };
            let deviations: Vec<f64> = (0..rows).map(|at| variance(at).sqrt()).collect();
            let largest = |each: &Vec<f64>| {
                let off = |at: usize| (each[at] - means[at]).abs() / deviations[at];
                (0..rows).filter(|&at| deviations[at] > 0.0).map(off).fold(0.0, f64::max)
            };
            let mut largest: Vec<f64> = drawn.iter().map(largest).collect();
            let place = ((largest.len() - 1) as f64 * 0.95).round() as usize;
            let most = *largest.select_nth_unstable_by(place, f64::total_cmp).1;
            let judge = |(measured, deviation): (f64, f64)| match measured / deviation {
                many if deviation > 0.0 && many > most => 1,
                many if deviation > 0.0 && many < -most => -1,
                _ => 0,
            };
            apart(&self.measured).into_iter().zip(deviations).map(judge).collect()
        };
        (0..rows).into_par_iter().map(of).collect()
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

    /// Over many test sets, the interval holds the true difference about as often as it says, also where most
    /// classes have a single sample. (There, intervals by resamples of all classes together held it in 82 % of
    /// 400 such sets, and those by resamples of each class by itself in none.)
    #[test]
    fn the_interval_holds_the_truth_as_often_as_it_says() {
        for (rare, least) in [(1_u32, 0.90), (3, 0.90), (40, 0.92)] {
            let samples = [[80; 5].as_slice(), &[rare; 25]].concat();
            // Accuracy of the two rows on common classes and on rare ones.
            let accuracies = [[0.9, 0.2], [0.85, 0.5]];
            let truth = 100.0 * (5.0 * 0.05 - 25.0 * 0.3) / 30.0;
            let (sets, mut held) = (200, 0);
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
                let (low, high) = means.interval(|means| means[0] - means[1]);
                held += usize::from(low <= truth && truth <= high);
            }
            let share = held as f64 / f64::from(sets);
            assert!((least..=0.99).contains(&share), "{rare} samples of a rare class: {share}");
        }
    }
    /// Of many rows that are equally good, hardly any is judged better than another.
    #[test]
    fn equal_rows_are_rarely_told_apart() {
        let (rows, sets) = (30, 40);
        let mut rng = Rng::new(5, Purpose::Start, 0);
        let mut misjudged = 0;
        for _ in 0..sets {
            let samples = [20; 10];
            let mut hits: Vec<Hits> = vec![vec![vec![]]; rows];
            for _ in 0..200 {
                let both = rng.uniform();
                for of in &mut hits {
                    let draw = if rng.uniform() < 0.5 { both } else { rng.uniform() };
                    of[0].push(u8::from(draw < 0.6));
                }
            }
            let compared = ClassMeans::of(&hits, &samples, &[]).compared();
            misjudged += compared.iter().filter(|row| row.iter().any(|&other| other != 0)).count();
        }
        // Pair by pair, most rows would have some.
        let share = misjudged as f64 / f64::from(sets * rows as i32);
        assert!(share < 0.1, "{share} of equal rows have one that is judged better or worse");
    }
}
