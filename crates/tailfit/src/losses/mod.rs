//! Losses on logits, one file each: formula, limits, source, code, a check by eye.
//!
//! A loss is written once, for one sample, with its gradient in closed form. The engine calls
//! it for many heads at once. Training runs in `f32`; the golden files check the same code in
//! `f64`.

mod balanced_softmax;
mod batch_loss;
mod bce_on_softmax;
mod class_weights;
mod cross_entropy;
mod dot_regression;
mod draw;
mod focal;
mod focal_detached;
mod gaussian_cloud;
mod label_aware_smoothing;
mod label_over_smoothing;
mod lade;
mod ldam;
mod objective;
mod samples;
mod seesaw;
mod sigmoid_cross_entropy;
mod sigmoid_focal;
mod smoothing_to_gap;
mod softmax;
mod softmax_equalisation;
mod vector_scaling;

use serde::{Deserialize, Serialize};

pub(crate) use self::batch_loss::BatchLoss;
pub use self::class_weights::{ClassWeights, Mean};
pub(crate) use self::draw::Draw;
pub use self::label_aware_smoothing::SmoothingShape;
pub use self::objective::Objective;
pub(crate) use self::samples::{HeadLogits, Samples};
#[cfg(test)]
pub(crate) use self::softmax_equalisation::row as softmax_equalisation_row;
use crate::class_counts::ClassCounts;
use crate::error::{Error, Result};
use crate::kernels::PerClass;
use crate::numbers::Real;

/// A loss: what one sample costs, and the gradient with respect to its logits.
pub(crate) trait Loss {
    /// The constants of the softmax family for these class counts. Losses that implement
    /// [`Loss::row`] themselves need not use them.
    fn per_class(&self, counts: &ClassCounts) -> PerClass<f64> {
        PerClass::neutral(counts.n_classes())
    }

    /// Whether [`Loss::row`] is the default (the softmax family), for which there is a faster
    /// kernel. Losses that implement it themselves set `false`; a test compares the two.
    const SOFTMAX_FAMILY: bool = true;

    /// The loss of one sample with label `y`. Replaces its logits `z`, `[K]`, by `factor` times
    /// the gradient with respect to them.
    ///
    /// The default is the softmax family. Implementations must be `#[inline(always)]`, so that
    /// they are compiled once per instruction set.
    #[inline(always)]
    fn row<R: Real>(
        &self,
        constants: &PerClass<R>,
        z: &mut [R],
        y: usize,
        factor: R,
        _draw: Draw,
    ) -> R {
        softmax::row(constants, z, y, factor)
    }

    /// Whether there is a term of whole batches, [`Loss::batch_term`], beside those of samples.
    const OF_BATCHES: bool = false;

    /// The value of that term for a batch. `logit` gives the logits of a sample and class, and `add`
    /// takes the gradient with respect to them.
    fn batch_term<R: Real>(
        &self,
        _constants: &PerClass<R>,
        _samples: Samples<'_>,
        _logit: impl Fn(usize, usize) -> R,
        _add: impl FnMut(usize, usize, R),
    ) -> f64 {
        0.0
    }

    /// The paper and equation that define the loss.
    fn source(&self) -> &'static str;

    /// The formula, in one readable line.
    fn formula(&self) -> &'static str;

    /// Whether adding one number to all logits of a sample changes its loss.
    fn sees_common_shift(&self) -> bool {
        false
    }

    /// Why no solver can minimise the loss, if it is not a sum of functions of single samples whose
    /// gradients the steps are.
    fn has_no_minimum(&self) -> Option<&'static str> {
        None
    }

    /// Checks the ranges of the hyper-parameters.
    ///
    /// # Errors
    ///
    /// If one is out of range; the message names the hyper-parameter and its range.
    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Turns the list of losses into one serialisable enum, `{ name = "…", … }` in TOML.
macro_rules! losses {
    ($($module:ident :: $name:ident),* $(,)?) => {
        $(pub use self::$module::$name;)*

        /// Any loss of the registry.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "name", rename_all = "kebab-case")]
        pub enum AnyLoss {
            $(#[doc = concat!("See [`", stringify!($name), "`].")] $name($name),)*
        }

        impl AnyLoss {
            /// Every loss, with its default hyper-parameters.
            pub fn all() -> Vec<Self> {
                vec![$(Self::$name($name::default()),)*]
            }

            fn each<V: LossVisitor>(&self, visitor: V) -> V::Output {
                match self { $(Self::$name(loss) => visitor.visit(loss),)* }
            }
        }
    };
}

losses! {
    balanced_softmax::BalancedSoftmax,
    bce_on_softmax::BceOnSoftmax,
    cross_entropy::CrossEntropy,
    dot_regression::DotRegression,
    focal::Focal,
    focal_detached::FocalDetached,
    gaussian_cloud::GaussianCloud,
    label_aware_smoothing::LabelAwareSmoothing,
    label_over_smoothing::LabelOverSmoothing,
    lade::Lade,
    ldam::Ldam,
    seesaw::Seesaw,
    sigmoid_cross_entropy::SigmoidCrossEntropy,
    sigmoid_focal::SigmoidFocal,
    smoothing_to_gap::SmoothingToGap,
    softmax_equalisation::SoftmaxEqualisation,
    vector_scaling::VectorScaling,
}

/// An operation on a loss of whatever type.
pub(crate) trait LossVisitor {
    type Output;
    fn visit<L: Loss>(self, loss: &L) -> Self::Output;
}

/// A loss's description of itself.
struct About {
    source: &'static str,
    formula: &'static str,
    sees_common_shift: bool,
    has_no_minimum: Option<&'static str>,
    of_batches: bool,
    uses_counts: bool,
    check: Result<()>,
}

struct Describe;

impl LossVisitor for Describe {
    type Output = About;

    fn visit<L: Loss>(self, loss: &L) -> About {
        About {
            source: loss.source(),
            formula: loss.formula(),
            sees_common_shift: loss.sees_common_shift(),
            has_no_minimum: loss.has_no_minimum(),
            of_batches: L::OF_BATCHES,
            uses_counts: uses_counts(loss),
            check: loss.check(),
        }
    }
}

/// Losses see class counts through their constants alone.
fn uses_counts(loss: &impl Loss) -> bool {
    let constants = |counts: [usize; 2]| {
        ClassCounts::new(counts.to_vec()).map(|counts| loss.per_class(&counts)).ok()
    };
    constants([1, 1000]) != constants([1000, 1])
}

/// Whether solvers minimise it: a bias is divided by the scale, which must not vanish, and no label with a
/// margin is smoothed.
pub(crate) fn is_solvable(constants: &PerClass<f64>) -> bool {
    let PerClass { scale, margin, smoothing, .. } = constants;
    scale.iter().all(|&scale| scale >= SMALLEST_SCALE)
        && margin.iter().all(|&margin| margin >= 0.0)
        && margin.iter().zip(smoothing).all(|(&margin, &smoothing)| margin * smoothing == 0.0)
}

/// Smallest scale of a logit whose square solvers divide by.
const SMALLEST_SCALE: f64 = 1e-30;

impl AnyLoss {
    /// The name it has in configurations, such as `label-over-smoothing`.
    pub fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value["name"].as_str().unwrap_or_default().to_owned()
    }

    /// The paper and equation that define the loss.
    pub fn source(&self) -> &'static str {
        self.each(Describe).source
    }

    /// The formula, in one readable line.
    pub fn formula(&self) -> &'static str {
        self.each(Describe).formula
    }

    /// Whether adding one number to all logits of a sample changes its loss.
    pub fn sees_common_shift(&self) -> bool {
        self.each(Describe).sees_common_shift
    }

    /// Why no solver can minimise it, if it is not a sum of functions of single samples whose gradients
    /// its steps are.
    pub fn has_no_minimum(&self) -> Option<&'static str> {
        self.each(Describe).has_no_minimum
    }

    /// Whether it has a term of whole batches.
    pub(crate) fn is_of_batches(&self) -> bool {
        self.each(Describe).of_batches
    }

    /// Whether solvers can minimise it at an imbalance ratio of 1000; where scales vanish at other counts,
    /// they refuse it then.
    pub(crate) fn is_solvable(&self) -> bool {
        let family = ClassCounts::new(vec![1, 1000]).ok().and_then(|counts| self.family(&counts));
        self.has_no_minimum().is_none() && family.as_ref().is_some_and(is_solvable)
    }

    /// Whether it depends on the class counts.
    pub fn uses_counts(&self) -> bool {
        self.each(Describe).uses_counts
    }

    /// Checks the ranges of the hyper-parameters.
    ///
    /// # Errors
    ///
    /// If one is out of range; the message names the hyper-parameter and its range.
    pub fn check(&self) -> Result<()> {
        self.each(Describe).check
    }
}

/// Returns an error naming `key` unless `value` is in `range`.
fn in_range(
    key: &str,
    value: f64,
    range: impl std::ops::RangeBounds<f64>,
    text: &str,
) -> Result<()> {
    if range.contains(&value) { Ok(()) } else { Err(Error::usage(key, text, value, "")) }
}
