//! The field at a glance: every method is a recipe, its source, and what is searched.

use super::{Method, Values, further, number, optima};
use crate::head::{HeadKind, Start};
use crate::losses::{
    AnyLoss, BalancedSoftmax, BceOnSoftmax, ClassWeights, Focal, LabelOverSmoothing, Ldam,
    SigmoidCrossEntropy, SigmoidFocal,
};
use crate::recipe::{
    AdjustmentForm, BiasRule, Cost, Every, LogitAdjustment, MaxNorm, Recipe, Sampler, Schedule,
    Sgd, TauNorm,
};

pub(super) fn method(name: &str, source: &str, recipe: Recipe, search: &[Values]) -> Method {
    let search = search
        .iter()
        .map(|&(path, values)| (path.into(), values.iter().map(|&v| number(v)).collect()));
    let mut method = Method::new(name, source, recipe, search);
    method.search.iter_mut().for_each(|axis| axis.open = true);
    method
}

pub(super) const PLAIN: Recipe = Recipe::PLAIN;
pub(super) const COST: Cost = PLAIN.cost;
pub(super) const SGD: Sgd = PLAIN.sgd;
pub(super) const UNTRAINED: Recipe = Recipe { sgd: Sgd { epochs: 0, ..SGD }, ..PLAIN };
pub(super) const RATES: Values = ("lr", &[1e-3, 1e-2, 5e-2, 0.2, 1.0]);
const SMALL_RATES: Values = ("lr", &[1e-4, 5e-4, 1e-3, 5e-3, 1e-2]);
pub(super) const DECAYS: Values = ("weight_decay", &[0.0, 1e-4, 5e-4, 5e-3]);
const BETAS: Values = ("class_weights.effective-number.beta", &[0.9, 0.99, 0.999, 0.9999]);
const THRESHOLDS: Values = ("constraint.threshold", &[0.0, 0.1, 0.3, 0.6]);
pub(super) const TAUS: &[f64] = &[
    0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8, 1.9,
    2.0,
];
pub(super) const EFFECTIVE: ClassWeights = ClassWeights::EffectiveNumber { beta: 0.9999 };
const BCE_ON_SOFTMAX: AnyLoss = AnyLoss::BceOnSoftmax(BceOnSoftmax {});

fn tau_norm(tau: f64, bias: BiasRule) -> Recipe {
    Recipe { normalise: Some(TauNorm { tau, bias }), ..UNTRAINED }
}

fn max_norm(every: Every) -> Recipe {
    let constraint = MaxNorm { threshold: 0.1, radius: None, every };
    Recipe { constraint: Some(constraint), ..PLAIN }
}

/// Every method. Each method that searches at all has a grid of 20 points, so that all have
/// the same budget; a comparison tries them on features as they are and standardised, where that makes a
/// difference (see [`Method::with_conditioning`]).
#[allow(clippy::too_many_lines, reason = "a catalogue is read from top to bottom")]
pub(super) fn all() -> Vec<Method> {
    let stage_1 = method(
        "stage-1",
        "the given head as it is: Vanilla FC of Sun et al., ICLR 2025, Table 1",
        UNTRAINED,
        &[],
    );
    let mut all = vec![stage_1];
    all.extend(optima::all());
    all.extend([
        method(
            "cross-entropy",
            "the given head trained on with the loss it had (column CE of Sun et al., Table 4)",
            PLAIN,
            &[RATES, DECAYS],
        ),
        method(
            "cosine",
            "Vanilla Cosine of Sun et al., Table 1 (its temperature is not given; searched)",
            Recipe {
                head: HeadKind::Cosine { scale: 16.0 },
                sgd: Sgd { lr: 0.05, ..SGD },
                ..PLAIN
            },
            &[RATES, ("head.cosine.scale", &[8.0, 16.0, 30.0, 50.0])],
        ),
        method(
            "lws",
            "learnable weight scaling: Kang et al., ICLR 2020, arXiv:1910.09217; class-aware sampling as theirs",
            Recipe {
                head: HeadKind::Scaled,
                sampler: Sampler::ClassAware { per_visit: 4 },
                sgd: Sgd { lr: 0.2, weight_decay: 5e-4, epochs: 10, ..SGD },
                ..PLAIN
            },
            &[("lr", &[1e-3, 5e-3, 2e-2, 0.1, 0.2]), DECAYS],
        ),
        method(
            "ldam",
            "Cao et al., NeurIPS 2019, in the linear form of Sun et al., Table 1 (margins in raw logits; C not given, searched)",
            Recipe {
                cost: Cost { loss: AnyLoss::Ldam(Ldam { max_margin: 2.0, scale: 1.0 }), ..COST },
                sgd: Sgd { lr: 0.05, ..SGD },
                ..PLAIN
            },
            &[RATES, ("loss.max_margin", &[0.5, 1.0, 2.0, 4.0])],
        ),
        method(
            "ldam-normalised",
            "Cao et al., NeurIPS 2019, with their cosine head: s = 30, largest margin 0.5",
            Recipe {
                cost: Cost { loss: AnyLoss::Ldam(Ldam { max_margin: 0.5, scale: 30.0 }), ..COST },
                head: HeadKind::Cosine { scale: 30.0 },
                sgd: Sgd { lr: 0.05, weight_decay: 5e-4, ..SGD },
                ..PLAIN
            },
            &[RATES, DECAYS],
        ),
        method(
            "balanced-softmax",
            "Ren et al., NeurIPS 2020",
            Recipe {
                cost: Cost { loss: AnyLoss::BalancedSoftmax(BalancedSoftmax { tau: 1.0 }), ..COST },
                sgd: Sgd { lr: 0.05, weight_decay: 5e-4, ..SGD },
                ..PLAIN
            },
            &[RATES, DECAYS],
        ),
        method(
            "class-balanced-sampling",
            "Shen et al., ECCV 2016, from the stage-1 head (Sun et al.'s row Re-Sampling repeats Vanilla FC digit for digit)",
            Recipe { sampler: Sampler::ClassBalanced, ..PLAIN },
            &[RATES, DECAYS],
        ),
        method(
            "square-root-sampling",
            "Kang et al., ICLR 2020, eq. 2 with q = 1/2, from the stage-1 head",
            Recipe { sampler: Sampler::SquareRoot, ..PLAIN },
            &[RATES, DECAYS],
        ),
        method(
            "progressive-sampling",
            "Kang et al., ICLR 2020, eq. 3, from the stage-1 head",
            Recipe { sampler: Sampler::Progressive, ..PLAIN },
            &[RATES, DECAYS],
        ),
        method(
            "crt",
            "classifier re-training: Kang et al., ICLR 2020; fresh head, class-aware sampling, cosine to 0, learning rate 0.2",
            Recipe {
                sampler: Sampler::ClassAware { per_visit: 4 },
                start: Start::Random,
                sgd: Sgd { lr: 0.2, weight_decay: 5e-4, schedule: Schedule::CosineBefore, ..SGD },
                ..PLAIN
            },
            &[RATES, DECAYS],
        ),
        method(
            "focal",
            "Lin et al., ICCV 2017, on softmax (gamma not given by Sun et al.; searched)",
            Recipe { cost: Cost { loss: AnyLoss::Focal(Focal { gamma: 1.0 }), ..COST }, ..PLAIN },
            &[RATES, ("loss.gamma", &[0.5, 1.0, 2.0, 5.0])],
        ),
        method(
            "class-balanced-softmax",
            "Cui et al., CVPR 2019, softmax variant; divided by the number of samples as theirs",
            Recipe { cost: Cost { class_weights: EFFECTIVE, ..COST }, ..PLAIN },
            &[RATES, BETAS],
        ),
        method(
            "class-balanced-sigmoid",
            "Cui et al., CVPR 2019, sigmoid variant, from the stage-1 head",
            Recipe {
                cost: Cost {
                    loss: AnyLoss::SigmoidCrossEntropy(SigmoidCrossEntropy {}),
                    class_weights: EFFECTIVE,
                    ..COST
                },
                ..PLAIN
            },
            &[RATES, BETAS],
        ),
        method(
            "class-balanced-focal",
            "Cui et al., CVPR 2019, focal variant (on sigmoids, gamma 1), from the stage-1 head",
            Recipe {
                cost: Cost {
                    loss: AnyLoss::SigmoidFocal(SigmoidFocal { gamma: 1.0 }),
                    class_weights: EFFECTIVE,
                    ..COST
                },
                ..PLAIN
            },
            &[RATES, BETAS],
        ),
        method(
            "class-balanced-bce",
            "binary cross-entropy on softmax with class-balanced weights: the loss of Alshammari et al.'s code, likely CB of Sun et al.'s Table 1",
            Recipe {
                cost: Cost { loss: BCE_ON_SOFTMAX, class_weights: EFFECTIVE, ..COST },
                sgd: Sgd { lr: 0.1, ..SGD },
                ..PLAIN
            },
            &[("lr", &[1e-2, 0.1, 0.5, 2.0, 10.0]), BETAS],
        ),
        method(
            "ltwb",
            "Alshammari et al., CVPR 2022, second stage: class-balanced-bce, weight decay 0.1, MaxNorm after each epoch, 10 epochs",
            Recipe {
                cost: Cost { loss: BCE_ON_SOFTMAX, class_weights: EFFECTIVE, ..COST },
                constraint: Some(MaxNorm { threshold: 0.1, radius: None, every: Every::Epoch }),
                sgd: Sgd { weight_decay: 0.1, epochs: 10, schedule: Schedule::CosineBefore, ..SGD },
                ..PLAIN
            },
            &[("lr", &[1e-3, 1e-2, 0.1, 0.5, 2.0]), ("weight_decay", &[0.0, 1e-3, 1e-2, 0.1])],
        ),
        method(
            "max-norm-step",
            "MaxNorm of Alshammari et al., CVPR 2022, with cross-entropy, projected after each step as in their text",
            max_norm(Every::Step),
            &[RATES, THRESHOLDS],
        ),
        method(
            "max-norm-epoch",
            "the same projected after each epoch, as in their code",
            max_norm(Every::Epoch),
            &[RATES, THRESHOLDS],
        ),
        method(
            "l2-norm",
            "rows of the stage-1 head divided by their norms, bias dropped: tau-norm at 1",
            tau_norm(1.0, BiasRule::Drop),
            &[],
        ),
        method(
            "tau-norm",
            "Kang et al., ICLR 2020; bias dropped as in their code",
            tau_norm(1.0, BiasRule::Drop),
            &[("normalise.tau", TAUS)],
        ),
        method(
            "tau-norm-keep-bias",
            "the same with the bias as it is, as in Alshammari et al.'s code",
            tau_norm(1.9, BiasRule::Keep),
            &[("normalise.tau", TAUS)],
        ),
        method(
            "tau-norm-rescale-bias",
            "the same with the bias divided like its row",
            tau_norm(1.0, BiasRule::Rescale),
            &[("normalise.tau", TAUS)],
        ),
        method(
            "logit-adjustment",
            "post-hoc: Menon et al., ICLR 2021",
            Recipe {
                adjustment: Some(LogitAdjustment { tau: 1.0, form: AdjustmentForm::Additive }),
                ..UNTRAINED
            },
            &[("adjustment.tau", TAUS)],
        ),
        method(
            "label-smoothing",
            "Szegedy et al., CVPR 2016: the usual small smoothing",
            Recipe {
                cost: Cost {
                    loss: AnyLoss::LabelOverSmoothing(LabelOverSmoothing { delta: 0.1 }),
                    ..COST
                },
                ..PLAIN
            },
            &[RATES, ("loss.delta", &[0.05, 0.1, 0.2, 0.3])],
        ),
        method(
            "los",
            "label over-smoothing: Sun et al., ICLR 2025; delta 0.98, learning rate 5e-4, weight decay 0 as in their code",
            Recipe {
                cost: Cost {
                    loss: AnyLoss::LabelOverSmoothing(LabelOverSmoothing { delta: 0.98 }),
                    ..COST
                },
                sgd: Sgd { lr: 5e-4, ..SGD },
                ..PLAIN
            },
            &[SMALL_RATES, ("loss.delta", &[0.9, 0.95, 0.98, 0.99])],
        ),
    ]);
    all.extend(further::all());
    all
}
