//! Where training starts.

use ndarray::{Array1, Array2};

use crate::head::{Head, HeadKind, normalise_rows};
use crate::recipe::{Recipe, Start};
use crate::rng::{Purpose, Rng};

/// The head at which `recipe` starts.
///
/// # Panics
///
/// If it starts from stage 1 and there is no stage-1 head.
pub(super) fn head(
    recipe: &Recipe,
    stage_1: Option<&Head>,
    seed: u64,
    n_classes: usize,
    dim: usize,
) -> Head {
    let zeros = || Head {
        weight: Array2::zeros((n_classes, dim)),
        bias: Array1::zeros(n_classes),
        normalise_features: false,
    };
    match recipe.start {
        Start::Stage1 => stage_1.expect("checked before training: a stage-1 head").clone(),
        Start::Zero => zeros(),
        Start::Random => {
            let mut rng = Rng::new(seed, Purpose::Start, 0);
            let mut head = zeros();
            let mut draw = |bound: f64| bound * (2.0 * rng.uniform() - 1.0);
            if let HeadKind::Cosine { .. } = recipe.head {
                head.weight.mapv_inplace(|_| draw(1.0));
                normalise_rows(&mut head.weight);
            } else {
                let bound = 1.0 / (dim as f64).sqrt();
                head.weight.mapv_inplace(|_| draw(bound));
                head.bias.mapv_inplace(|_| draw(bound));
            }
            head
        }
    }
}
