//! Where training starts.

use serde::{Deserialize, Serialize};

use super::{Head, HeadKind};
use crate::rng::{Purpose, Rng};

/// The weights at which training starts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// The stage-1 head: a warm start.
    #[default]
    #[serde(rename = "stage-1")]
    Stage1,
    /// The class means as the recipe's `features` show them: wₖ = μₖ, bₖ = −½ ‖μₖ‖², which picks
    /// the nearest of them. On whitened features this is linear discriminant analysis with equal
    /// priors; in a cosine head, the nearest mean by cosine; in a normalised one, the nearest of the means of
    /// features of norm 1.
    ClassMeans,
    /// One given vector of norm 1 for each class, as from a text encoder, and bias 0: a zero-shot head.
    ClassVectors,
    /// All zeros.
    Zero,
    /// PyTorch's initialisation of a linear layer, uniform in ±1/√D for weight and bias; for a
    /// cosine head, rows of norm 1 in random directions.
    Random,
}

impl Start {
    /// The head `[K, D]` at which training of a kind starts, unless it starts from what the data has for
    /// each class.
    ///
    /// # Panics
    ///
    /// If training starts from the stage-1 head and there is none, or from class means or vectors.
    pub(crate) fn head(
        self,
        kind: HeadKind,
        stage_1: Option<&Head>,
        seed: u64,
        (n_classes, dim): (usize, usize),
    ) -> Head {
        let mut head = match self {
            Self::Stage1 => stage_1.expect("training checks for a stage-1 head").clone(),
            Self::ClassMeans | Self::ClassVectors => unreachable!("they come from the data"),
            Self::Zero | Self::Random => Head::zeros(n_classes, dim),
        };
        if self == Self::Random {
            (kind.rules().random)(&mut Rng::new(seed, Purpose::Start, 0), &mut head);
        }
        head
    }
}
