//! How a head sees the features while it trains.

use serde::{Deserialize, Serialize};

/// The features a head is trained on: as they are, or about their mean and in other units, with
/// [`Statistics`] of the training samples. Start, constraint and normalisation
/// of the weights are those on these features; the finished head is folded back onto the features
/// as they are, and stays one linear layer.
///
/// ```text
/// x′ = T (x − μ);   W x + b = W′ x′ + b′  with  W = W′ T,  b = b′ − W μ
/// ```
///
/// Frozen networks give features with an offset and a few large directions, on which gradient
/// descent and weight decay serve the small directions badly: there this choice is worth more than
/// the choice of the loss. Cosine heads, whose features have norm 1, train on features as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Conditioning {
    /// As they are: T = I, μ = 0.
    #[default]
    AsIs,
    /// About their mean μ: T = I.
    Centred,
    /// About their mean and each divided by its standard deviation, as scikit-learn's
    /// `StandardScaler` does; a feature that is constant is only centred.
    Standardised,
    /// Tᵀ T = S⁻¹ with S = (1 − s) C + s tr(C) / D I, where C is the covariance within the classes
    /// and s the shrinkage; T is in C's eigenbasis. With class means as its start, a head on these
    /// features is linear discriminant analysis. At most 16,384 features.
    Whitened {
        /// s, 0 < s ≤ 1.
        shrinkage: f64,
    },
}

/// What counts in the mean, deviations and covariance of a [`Conditioning`], with w the weight of a
/// sample (1 if none are given). An option of this project, from no paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Statistics {
    /// Every sample by its w, so that frequent classes decide.
    #[default]
    Samples,
    /// Every class alike: a sample counts w / Σ w over its class. The covariance within the classes is
    /// then the mean of theirs, to which a class of one sample contributes nothing but its share 1 / K:
    /// it is smaller, and its shrinkage matters more, the more such classes there are.
    ClassBalanced,
}
