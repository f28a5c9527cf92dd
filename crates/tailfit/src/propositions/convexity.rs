//! Proposition 1: the loss is convex in the bias.

use faer::{Mat, Side};

use crate::class_counts::ClassCounts;
use crate::losses::{AnyLoss, BatchLoss, Draw, LabelOverSmoothing};
use crate::rng::{Purpose, Rng};

/// Classes and random points of the check.
const K: usize = 10;
const POINTS: usize = 200;

/// The Hessian of a loss with respect to the bias, over random logits and labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Curvature {
    /// Name of the loss.
    pub loss: String,
    /// Its smallest eigenvalue, divided by the largest in size; the smallest of all points.
    pub smallest: f64,
    /// Largest difference between the matrix and its transpose, divided by the largest eigenvalue:
    /// where it is not 0, the step is the gradient of no function.
    pub asymmetry: f64,
    /// Largest of the entries of H 1, divided by the largest eigenvalue: 0 where adding a constant to
    /// all biases changes nothing, so that the minimum is a line and not a point.
    pub along_constant: f64,
}

impl Curvature {
    /// Whether it is positive semi-definite, to the accuracy of the differences.
    pub fn is_convex(&self) -> bool {
        self.smallest > -1e-6 && self.is_of_a_function()
    }

    /// Whether it is symmetric, to the same accuracy.
    pub fn is_of_a_function(&self) -> bool {
        self.asymmetry < 1e-6
    }
}

/// The curvature of every loss with its defaults, and of label over-smoothing with a smooth factor of 0.98
/// and of 0.2. With respect to the bias it is that with respect to the logits: ∂²L / ∂bᵢ∂bⱼ = ∂²L / ∂zᵢ∂zⱼ,
/// for cross-entropy with any labels diag(s) − s sᵀ (Eq. 3). Taken here from differences of gradients, in f64.
///
/// # Panics
///
/// Never.
pub fn convexity() -> Vec<Curvature> {
    let counts =
        ClassCounts::new((1..=K).map(|i| 500 / (i * i)).collect()).expect("at least 1 each");
    let with = |delta: f64| AnyLoss::LabelOverSmoothing(LabelOverSmoothing { delta });
    let mut losses: Vec<(String, AnyLoss)> =
        AnyLoss::all().into_iter().map(|loss| (loss.name(), loss)).collect();
    losses.push(("label-over-smoothing, delta 0.2".to_owned(), with(0.2)));
    losses.push(("label-over-smoothing, delta 0.98".to_owned(), with(0.98)));
    losses.into_iter().map(|(name, loss)| of(name, loss, &counts)).collect()
}

fn of(name: String, loss: AnyLoss, counts: &ClassCounts) -> Curvature {
    let objective: BatchLoss<f64> = BatchLoss::plain(loss, counts);
    let mut worst =
        Curvature { loss: name, smallest: f64::MAX, asymmetry: 0.0, along_constant: 0.0 };
    for point in 0..POINTS {
        let mut rng = Rng::new(0, Purpose::Start, point as u64);
        let logits: Vec<f64> = (0..K).map(|_| 3.0 * rng.normal()).collect();
        let label = [rng.below(K) as u32];
        let hessian = hessian(&objective, &logits, label);
        let half = Mat::from_fn(K, K, |i, j| f64::midpoint(hessian[(i, j)], hessian[(j, i)]));
        let Ok(values) = half.self_adjoint_eigenvalues(Side::Lower) else { continue };
        let size = values.iter().fold(0.0_f64, |size, v| size.max(v.abs())).max(1e-9);
        let low = values.iter().copied().fold(f64::MAX, f64::min);
        worst.smallest = worst.smallest.min(low / size);
        for i in 0..K {
            let row: f64 = (0..K).map(|j| hessian[(i, j)]).sum();
            worst.along_constant = worst.along_constant.max(row.abs() / size);
            for j in 0..i {
                let gap = (hessian[(i, j)] - hessian[(j, i)]).abs() / size;
                worst.asymmetry = worst.asymmetry.max(gap);
            }
        }
    }
    worst
}

fn hessian(objective: &BatchLoss<f64>, logits: &[f64], label: [u32; 1]) -> Mat<f64> {
    const STEP: f64 = 1e-4;
    let gradient = |j: usize, step: f64| {
        let mut z = logits.to_vec();
        z[j] += step;
        objective.value_and_grad(&mut z, &label, Draw::default());
        z
    };
    let mut hessian = Mat::zeros(K, K);
    for j in 0..K {
        // Fourth order, so that rounding and truncation both stay below 1e-9.
        let at = [2.0, 1.0, -1.0, -2.0].map(|times| gradient(j, times * STEP));
        for i in 0..K {
            let [a, b, c, d] = [0, 1, 2, 3].map(|which: usize| at[which][i]);
            hessian[(i, j)] = (8.0 * (b - c) - (a - d)) / (12.0 * STEP);
        }
    }
    hessian
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Convex with hard and with soft labels and with offsets, as the proposition says; not convex with
    /// a factor that depends on the prediction, which it does not say.
    #[test]
    fn which_losses_are_convex_in_the_bias() {
        let all = convexity();
        let find = |name: &str| all.iter().find(|of| of.loss == name).unwrap();
        for name in
            ["cross-entropy", "label-over-smoothing, delta 0.98", "balanced-softmax", "ldam"]
        {
            let of = find(name);
            assert!(of.is_convex() && of.along_constant < 1e-6, "{of:?}");
            assert!(of.smallest.abs() < 1e-6, "a constant costs nothing: {of:?}");
        }
        assert!(!find("focal").is_convex() && find("focal").is_of_a_function());
        assert!(find("focal-detached").is_convex(), "the step is the slope of another function");
        assert!(
            !find("bce-on-softmax").is_convex(),
            "likely the loss of the paper's class-balanced row"
        );
        assert!(!find("seesaw").is_of_a_function());
        assert!(find("sigmoid-cross-entropy").smallest > 0.0, "strictly, without a free constant");
    }
}
