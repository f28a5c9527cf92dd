//! How far off a class mean is, since another test set and other seeds would give another.

use super::resamples::Hits;

/// Right and wrong samples, half of each, that stand for what all classes have not shown: as many as
/// Agresti and Coull (The American Statistician, 1998) add to a proportion.
const PRIOR: f64 = 4.0;

/// The 95 % interval of a row's class mean, in percent: 1.96 standard errors,
///
/// ```text
/// √(Σₖ vₖ / nₖ / K² + variance over seeds / seeds)
/// ```
///
/// over the K classes with samples. vₖ is the variance, over the class's nₖ samples, of the share of seeds
/// that are right; 4 further samples are taken into it, right as often as those of all classes are, which
/// itself is moved towards a half by as many classes: a class of one sample, and a row without an error,
/// are not certain.
pub(super) fn interval(hits: &Hits, samples: &[u32]) -> (f64, f64) {
    let n_seeds = hits.len() as f64;
    let mut by_seed = vec![0.0; hits.len()];
    // Number of samples, mean and variance of each class.
    let mut classes: Vec<[f64; 3]> = vec![];
    let mut start = 0;
    for &of_class in samples.iter().filter(|&&n| n > 0) {
        let (rows, n) = (start..start + of_class as usize, f64::from(of_class));
        start = rows.end;
        for (sum, of_seed) in by_seed.iter_mut().zip(hits) {
            *sum += of_seed[rows.clone()].iter().map(|&hit| f64::from(hit)).sum::<f64>() / n;
        }
        let right =
            |row: usize| hits.iter().map(|hits| f64::from(hits[row])).sum::<f64>() / n_seeds;
        let mean = rows.clone().map(right).sum::<f64>() / n;
        let variance = rows.map(|row| (right(row) - mean).powi(2)).sum::<f64>() / n;
        classes.push([n, mean, variance]);
    }
    let k = classes.len() as f64;
    let sum: f64 = classes.iter().map(|[_, mean, _]| mean).sum();
    let of_all = (sum + PRIOR / 2.0) / (k + PRIOR);
    let variance = |&[n, mean, variance]: &[f64; 3]| {
        let own = n / (n + PRIOR);
        let mixed = own * variance + (1.0 - own) * of_all * (1.0 - of_all);
        (mixed + own * (1.0 - own) * (mean - of_all).powi(2)) / n
    };
    let of_samples = classes.iter().map(variance).sum::<f64>() / (k * k);
    let mean = sum / k;
    let squares: f64 = by_seed.iter().map(|sum| (sum / k - mean).powi(2)).sum();
    let of_seeds = squares / (n_seeds - 1.0).max(1.0) / n_seeds;
    let half = 1.96 * (of_samples + of_seeds).sqrt();
    (100.0 * (mean - half).max(0.0), 100.0 * (mean + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::{Purpose, Rng};

    /// Over many test sets, it holds the true class mean about as often as it says: of classes with many
    /// samples, and of mostly single ones.
    #[test]
    fn it_holds_the_truth_as_often_as_it_says() {
        for (rare, seeds, at_most) in
            [(1_u32, 1, 0.995), (3, 1, 0.99), (40, 1, 0.98), (40, 5, 0.99)]
        {
            let samples = [[80; 5].as_slice(), &[rare; 25]].concat();
            let truth = 100.0 * (5.0 * 0.9 + 25.0 * 0.2) / 30.0;
            let mut rng = Rng::new(3, Purpose::Start, u64::from(rare));
            let (sets, mut held) = (400, 0);
            for _ in 0..sets {
                let mut hits: Hits = vec![vec![]; seeds];
                for (class, &n) in samples.iter().enumerate() {
                    let share = if class < 5 { 0.9 } else { 0.2 };
                    for _ in 0..n {
                        // Seeds agree on most samples.
                        let both = rng.uniform();
                        for hits in &mut hits {
                            let draw = if rng.uniform() < 0.8 { both } else { rng.uniform() };
                            hits.push(u8::from(draw < share));
                        }
                    }
                }
                let (low, high) = interval(&hits, &samples);
                held += usize::from(low <= truth && truth <= high);
            }
            let share = held as f64 / f64::from(sets);
            assert!(
                (0.93..=at_most).contains(&share),
                "{rare} samples of a rare class, {seeds} seeds: {share}"
            );
        }
    }

    #[test]
    fn few_samples_are_never_certain() {
        let (low, high) = interval(&vec![vec![1, 1]], &[1, 1]);
        assert!(low < 60.0 && high == 100.0, "{low} {high}");
        let (low, high) = interval(&vec![vec![0; 25]], &[25, 0]);
        assert!(low == 0.0 && high > 5.0, "{low} {high}");
        // Seeds that disagree are less sure than seeds that agree.
        let width = |hits: &Hits| interval(hits, &[4]).1 - interval(hits, &[4]).0;
        assert!(
            width(&vec![vec![1, 1, 0, 0], vec![1, 1, 1, 1]]) > width(&vec![vec![1, 1, 1, 0]; 2])
        );
    }
}
