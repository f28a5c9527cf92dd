//! Kinds of heads, each one file: what distinguishes it from a linear layer while it is trained.
//!
//! A kind is a variant of [`HeadKind`], a line of `kinds!` and a file with its `RULES` and its
//! `Training`.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::{Head, Start};
use crate::error::{Error, Result};
use crate::kernels::{Packed, Steps, Weights, column_sums, descend, vectorised};
use crate::numbers::Real;
use crate::rng::Rng;

/// How logits come from features and weights while the head is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum HeadKind {
    /// z = W f + b. Trains W and b.
    #[default]
    Linear,
    /// zₖ = scale · cos(wₖ, f), no bias. Trains W.
    /// Source: the normalised linear layer of Cao et al., NeurIPS 2019.
    Cosine {
        /// s = 1/τ, above 0. It bounds the logits: below about log K it underfits.
        scale: f64,
    },
    /// Learnable weight scaling (LWS): zₖ = cₖ (wₖ·f + bₖ), with W and b frozen.
    /// Trains c, `[K]`, from 1. Weight decay pulls c towards 0, not towards 1.
    /// Source: Kang et al., ICLR 2020, section 4.3; like their code, c scales the
    /// bias too.
    Scaled,
}

/// Turns the list of kinds into what is known of each and how each is trained.
macro_rules! kinds {
    ($($module:ident: $variant:pat,)*) => {
        $(mod $module;)*

        impl HeadKind {
            /// What holds of the kind before it is trained.
            pub(crate) fn rules(self) -> Rules {
                match self { $($variant => $module::RULES,)* }
            }

            /// Training of heads of one kind side by side, `columns` of them together.
            pub(crate) fn training<R: Real>(
                kinds: &[Self],
                n_classes: usize,
                columns: usize,
            ) -> Box<dyn Kind<R>> {
                match kinds[0] {
                    $($variant => Box::new($module::Training::<R>::new(kinds, n_classes, columns)),)*
                }
            }
        }
    };
}

kinds! {
    cosine: HeadKind::Cosine { .. },
    linear: HeadKind::Linear,
    scaled: HeadKind::Scaled,
}

/// What holds of a kind before it is trained.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    /// Its name in recipes.
    pub name: &'static str,
    /// Whether it sees features divided by their L2 norm.
    pub normalises_features: bool,
    /// Where it may start, and in words.
    pub starts: (&'static [Start], &'static str),
    /// Draws its random start into a head of zeros.
    pub random: fn(&mut Rng, &mut Head),
    /// Checks its numbers.
    pub check: fn(HeadKind) -> Result<()>,
}

impl HeadKind {
    /// Checks its numbers, and whether it can start there.
    ///
    /// # Errors
    ///
    /// Names the key and what it may be.
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

/// Heads of one kind side by side, in columns h·K + k of matrices of C columns: what the kind
/// does between the two products of a step.
pub(crate) trait Kind<R: Real>: Send + Sync {
    /// Takes from the start what is the kind's own: `head` is then written into the columns.
    fn start(&mut self, _head: &mut Head) {}

    /// Before the logits of a batch: what follows from the weights alone.
    fn prepare(&mut self, _weights: &Weights<R>) {}

    /// From x W + bias, `[B, C]`, to logits. `kept`, `[B, C]`, has room for what [`Kind::step`]
    /// wants of them later.
    fn forward(&self, _z: &mut [R], _kept: &mut [R]) {}

    /// From the gradient of the logits to new parameters.
    fn step(&mut self, gradient: Gradient<'_, R>, trained: &mut Trained<R>);

    /// Folds what is the kind's own into the weight and bias of head h, as they stand in the
    /// columns.
    fn fold(&self, _h: usize, _head: &mut Head) {}
}

/// What a step goes by.
pub(crate) struct Gradient<'a, R> {
    /// Gradient with respect to the logits, `[B, C]`.
    pub z: &'a mut [R],
    /// What [`Kind::forward`] kept, `[B, C]`.
    pub kept: &'a [R],
    /// The samples.
    pub batch: &'a Packed<R>,
    /// Whether the step is spread over threads.
    pub split: bool,
}

impl<R: Real> Gradient<'_, R> {
    /// Steps weights `[D, C]` along it.
    fn step_weights(&self, weights: &mut Weights<R>, steps: &Steps<'_, R>) {
        weights.descend(self.z, weights.panels.columns, self.batch, steps, self.split);
    }

    /// Steps a bias `[C]` along it.
    fn step_bias(&self, bias: &mut Params<R>, steps: &Steps<'_, R>) {
        let mut sums = vec![R::ZERO; bias.value.len()];
        column_sums(&mut sums, self.z, None);
        bias.descend(&sums, steps);
    }
}

/// Parameters that all kinds have, and how they are stepped.
pub(crate) struct Trained<R> {
    /// Weights, `[D, C]`.
    pub weights: Weights<R>,
    /// Bias, `[C]`.
    pub bias: Params<R>,
    /// How far a step goes.
    pub rates: Rates<R>,
}

/// Hyper-parameters of a step, one per column.
pub(crate) struct Rates<R> {
    pub lr: Vec<R>,
    pub momentum: Vec<R>,
    /// Weight decay of the weights, and of the bias.
    pub decay: Vec<R>,
    pub bias_decay: Vec<R>,
    pub nesterov: bool,
}

impl<R: Real> Rates<R> {
    /// Steps of these learning rates with weight decays `[C]`; a kind whose own parameters go by
    /// other rates has some of its own.
    fn steps<'a>(&'a self, decay: &'a [R]) -> Steps<'a, R> {
        let Self { lr, momentum, nesterov, .. } = self;
        Steps { lr, decay, momentum, nesterov: *nesterov }
    }
}

/// A row of parameters with their momentum, `[C]`.
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

/// Numbers uniform in ±`bound`.
fn draw(values: &mut Array2<f64>, bound: f64, rng: &mut Rng) {
    values.mapv_inplace(|_| bound * (2.0 * rng.uniform() - 1.0));
}
