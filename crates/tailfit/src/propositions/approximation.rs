//! Appendix C: the step from Eq. 8 to Eq. 9.

use rayon::prelude::*;

use crate::rng::{Purpose, Rng};

/// Blocks of draws, each with its own random numbers.
const BLOCKS: usize = 64;
const DRAWS: usize = 500;

/// `E[s′]` beside what it is approximated by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Approximation {
    /// Number of classes.
    pub classes: usize,
    /// How far the mean logit of class i is above the others.
    pub margin: f64,
    /// Standard deviation of the perturbations Δ.
    pub sigma: f64,
    /// `E[1 / Σⱼ e^(Δⱼ − Δᵢ) e^(zⱼ − zᵢ)]`, by Monte Carlo.
    pub exact: f64,
    /// `E[1 / Σⱼ e^(zⱼ − zᵢ)]` / `E[e^(Δⱼ − Δᵢ)]`, the right side of Eq. 9 (and of Eq. 18).
    pub paper: f64,
    /// The same, but with the factor only where j ≠ i: for j = i it is exactly 1.
    pub without_own: f64,
}

/// Both sides of Eq. 9 for independent normal Δ of deviation `sigma` and normal logits of deviation 2, the mean of
/// class i's above the others' by `margin`. For these, `E[e^(Δⱼ − Δᵢ)]` = e^(sigma²). Without a margin all classes
/// are alike: `E[s′]` = `E[s]` = 1 / K whatever the perturbation, and the right side is off by e^(−sigma²) exactly.
pub fn approximation(classes: usize, margin: f64, sigma: f64) -> Approximation {
    let factor = (sigma * sigma).exp();
    let block = |block: usize| {
        let mut rng = Rng::new(block as u64, Purpose::Loss, classes as u64);
        let mut sums = [0.0; 3];
        for _ in 0..DRAWS {
            let (own, own_shift) = (margin + 2.0 * rng.normal(), sigma * rng.normal());
            let (mut plain, mut shifted) = (0.0, 0.0);
            for _ in 1..classes {
                let (z, shift) = (2.0 * rng.normal(), sigma * rng.normal());
                plain += (z - own).exp();
                shifted += (z + shift - own - own_shift).exp();
            }
            let each = [
                1.0 / (1.0 + shifted),
                1.0 / (factor * (1.0 + plain)),
                1.0 / (1.0 + factor * plain),
            ];
            sums.iter_mut().zip(each).for_each(|(sum, value)| *sum += value);
        }
        sums
    };
    let blocks: Vec<[f64; 3]> = (0..BLOCKS).into_par_iter().map(block).collect();
    let mean =
        |at: usize| blocks.iter().map(|sums| sums[at]).sum::<f64>() / (BLOCKS * DRAWS) as f64;
    Approximation { classes, margin, sigma, exact: mean(0), paper: mean(1), without_own: mean(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Exact without perturbation; without a margin, off by a factor that is known; with a large one, where the
    /// probability is nearly 1, off by that factor although nothing happens to the probability.
    #[test]
    fn what_it_is_off_by() {
        let ratio = |margin: f64, sigma: f64| {
            let of = approximation(10, margin, sigma);
            of.paper / of.exact
        };
        assert!((ratio(3.0, 0.0) - 1.0).abs() < 1e-12);
        assert!((ratio(0.0, 0.5) / (-0.25_f64).exp() - 1.0).abs() < 0.02);
        let sure = approximation(10, 25.0, 0.5);
        assert!(sure.exact > 0.999 && sure.without_own > 0.999);
        assert!((sure.paper / sure.exact / (-0.25_f64).exp() - 1.0).abs() < 1e-3);
    }
}
