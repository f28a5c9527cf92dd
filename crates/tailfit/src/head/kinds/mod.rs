//! Kinds of heads, one file each: what sets it apart from a linear layer during training.
//!
//! A kind consists of a variant of [`HeadKind`], a line in `kinds!`, and a file with its `RULES`
//! and its `Training`.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Head, Start};
use crate::error::{Error, Result};
use crate::kernels::{Packed, Panels, Steps, Unit, Weights, column_sums, descend, vectorised};
use crate::numbers::Real;
use crate::rng::Rng;

/// How logits are computed from features and weights during training.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum HeadKind {
    /// z = W f + b. Trains W and b.
    #[default]
    Linear,
    /// zₖ = scale · cos(wₖ, f), no bias. Trains W.
    /// Source: the normalised linear layer of Cao et al., NeurIPS 2019.
    Cosine {
        /// s = 1/τ, above 0. It bounds the logits; below about log K the head underfits.
        scale: f64,
    },
    /// z = W f/‖f‖ + b: a linear layer on features of norm 1, whose own lengths stay as they are. Trains
    /// W and b.
    Normalised,
    /// Learnable weight scaling (LWS): zₖ = cₖ (wₖ·f + bₖ), with W and b frozen.
    /// Trains c, `[K]`, starting at 1. Weight decay pulls c towards 0, not towards 1.
    /// Source: Kang et al., ICLR 2020, section 4.3; as in their code, c also scales the
    /// bias.
    Scaled,
    /// A linear layer with learnable scales: zₖ = cₖ (wₖ·f + bₖ). Trains c as for
    /// [`HeadKind::Scaled`], and W and b along.
    /// Source: Zhong et al., CVPR 2021, section 3.3 (the second stage of MiSLAS).
    ScaledLinear {
        /// Learning rate of W and b, as a multiple of that of c; at least 0.
        rate: f64,
    },
    /// Margin calibration (MARC): zₖ = ωₖ (wₖ·f + bₖ) + βₖ ‖wₖ‖, with W and b frozen.
    /// Trains ω and β, `[K]` each, starting at 1 and 0. Weight decay pulls ω towards 0, not towards 1.
    /// Source: Wang et al., ACML 2023, eq. 6.
    Margin,
    /// A gate on the logits (DisAlign): zₖ + σ(v·f + u) (αₖ zₖ + βₖ), with z = W f + b frozen.
    /// Trains α and β, `[K]` each, v, `[D]`, and u, starting at 1, 0, 0.1 and 0. Weight decay pulls all
    /// towards 0, where the gate does nothing. The finished head is not linear: see [`Gate`](super::Gate).
    /// Source: Zhang et al., CVPR 2021, eq. 5 and 6. Starts are those of the authors' code, but for u,
    /// which it draws from ±1/√D.
    Gated,
}

/// Turns the list of kinds into functions that look up each kind's rules and training.
macro_rules! kinds {
    ($($module:ident: $variant:pat,)*) => {
        $(mod $module;)*

        impl HeadKind {
            /// What is known about the kind before training.
            pub(crate) fn rules(self) -> Rules {
                match self { $($variant => $module::RULES,)* }
            }

            /// Training state for heads of one kind side by side.
            pub(crate) fn training<R: Real>(
                kinds: &[Self],
                layout: Layout,
            ) -> Box<dyn Kind<R>> {
                match kinds[0] {
                    $($variant => Box::new($module::Training::<R>::new(kinds, layout)),)*
                }
            }
        }
    };
}

kinds! {
    cosine: HeadKind::Cosine { .. },
    gated: HeadKind::Gated,
    linear: HeadKind::Linear,
    margin: HeadKind::Margin,
    normalised: HeadKind::Normalised,
    scaled: HeadKind::Scaled,
    scaled_linear: HeadKind::ScaledLinear { .. },
}

/// How heads stand side by side: class k of head h is column h·K + k of the weights' panels.
#[derive(Clone, Copy)]
pub(crate) struct Layout {
    /// K.
    pub n_classes: usize,
    /// D, without padding.
    pub dim: usize,
    /// Those of the weights.
    pub panels: Panels,
    /// What multiplies bf16, if batches are packed so.
    pub unit: Option<Unit>,
}

/// What is known about a kind before training.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// Name in recipes.
    pub name: &'static str,
    /// Whether features are divided by their L2 norm.
    pub normalises_features: bool,
    /// Whether the finished head has a gate, so that views are scored one by one.
    pub has_gate: bool,
    /// The starts it allows, as values and in words.
    pub starts: (&'static [Start], &'static str),
    /// Draws a random start into a head of zeros.
    pub random: fn(&mut Rng, &mut Head),
    /// Checks the kind's parameters.
    pub check: fn(HeadKind) -> Result<()>,
}

impl HeadKind {
    /// Checks the kind's parameters and that it allows `start`.
    ///
    /// # Errors
    ///
    /// If either is invalid; the message names the key and its allowed values.
    pub(crate) fn check(self, start: Start) -> Result<()> {
        let Rules { starts: (starts, expected), check, .. } = self.rules();
        check(self)?;
        if starts.contains(&start) {
            return Ok(());
        }
        let found = serde_json::to_value(start).unwrap_or_default();
        let found = format!("`{}`", found.as_str().unwrap_or_default());
        Err(Error::usage("start", expected, found, ""))
    }
}

/// What a kind does between the two products of a step, for heads of that kind side by side:
/// class k of head h is column h·K + k of matrices with C columns.
pub(crate) trait Kind<R: Real>: Send + Sync {
    /// Takes the kind's own parameters from the start; what is left of `head` is then written into
    /// the columns.
    fn start(&mut self, _head: &mut Head) {}

    /// Called before the logits of a batch, to compute what depends only on the weights.
    fn prepare(&mut self, _weights: &Weights<R>) {}

    /// Turns x W + bias, `[n, C]`, of the batch's samples from the given one on into logits. `kept`,
    /// `[n, C]`, has room for what [`Kind::step`] needs later.
    fn forward(&self, _batch: (&Packed<R>, usize), _z: &mut [R], _kept: &mut [R]) {}

    /// Updates the parameters, given the gradient of the logits.
    fn step(&mut self, gradient: Gradient<'_, R>, trained: &mut Trained<R>);

    /// Folds the kind's own parameters into `head`, which holds the weight and bias of head h as
    /// read from the columns.
    fn fold(&self, _h: usize, _head: &mut Head) {}
}

/// The input of a step.
pub(crate) struct Gradient<'a, R> {
    /// Gradient with respect to the logits, `[B, C]`.
    pub z: &'a mut [R],
    /// What [`Kind::forward`] kept, `[B, C]`.
    pub kept: &'a mut [R],
    /// The samples of the batch.
    pub batch: &'a Packed<R>,
    /// Whether to spread the step over threads.
    pub split: bool,
}

impl<R: Real> Gradient<'_, R> {
    /// Steps weights `[D, C]` along the gradient.
    fn step_weights(&self, weights: &mut Weights<R>, steps: &Steps<'_, R>) {
        weights.descend(self.z, weights.panels.columns, self.batch, steps, self.split);
    }

    /// Steps a bias `[C]` along the gradient.
    fn step_bias(&self, bias: &mut Params<R>, steps: &Steps<'_, R>) {
        let mut sums = vec![R::ZERO; bias.value.len()];
        column_sums(&mut sums, self.z, None);
        bias.descend(&sums, steps);
    }
}

/// The parameters that all kinds have, with the hyper-parameters of their steps.
pub(crate) struct Trained<R> {
    /// Weights, `[D, C]`.
    pub weights: Weights<R>,
    /// Bias, `[C]`.
    pub bias: Params<R>,
    /// Hyper-parameters of a step.
    pub rates: Rates<R>,
}

/// Hyper-parameters of a step, one per column.
pub(crate) struct Rates<R> {
    pub lr: Vec<R>,
    pub momentum: Vec<R>,
    /// Weight decay of the weights; that of the bias is `bias_decay`.
    pub decay: Vec<R>,
    pub bias_decay: Vec<R>,
    pub nesterov: bool,
}

impl<R: Real> Rates<R> {
    /// Steps at these rates with weight decays `decay`, `[C]`. A kind whose own parameters need
    /// other rates keeps its own.
    fn steps<'a>(&'a self, decay: &'a [R]) -> Steps<'a, R> {
        let Self { lr, momentum, nesterov, .. } = self;
        Steps { lr, decay, momentum, nesterov: *nesterov }
    }
}

/// A row of parameters with their velocity, `[C]`.
pub(crate) struct Params<R> {
    pub value: Vec<R>,
    velocity: Vec<R>,
}

impl<R: Real> Params<R> {
    pub(crate) fn new(value: R, n: usize) -> Self {
        Self { value: vec![value; n], velocity: vec![R::ZERO; n] }
    }

    fn descend(&mut self, grad: &[R], steps: &Steps<'_, R>) {
        vectorised(
            #[inline(always)]
            || descend(&mut self.value, &mut self.velocity, grad, steps),
        );
    }
}

/// Fills with numbers uniform in ±`bound`.
fn draw(values: &mut Array2<f64>, bound: f64, rng: &mut Rng) {
    values.mapv_inplace(|_| bound * (2.0 * rng.uniform() - 1.0));
}
