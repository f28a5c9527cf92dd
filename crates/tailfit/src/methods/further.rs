//! Losses, heads and weights of the field beyond the comparison of Sun et al.

use super::catalogue::{COST, DECAYS, EFFECTIVE, PLAIN, RATES, SGD, TAUS, UNTRAINED, method};
use super::optima::{CLASS_MEANS, CONVERGED, PATH};
use super::{Method, Values};
use crate::head::HeadKind;
use crate::losses::{
    AnyLoss, BalancedSoftmax, ClassWeights, DotRegression, FocalDetached, GaussianCloud,
    LabelAwareSmoothing, LabelOverSmoothing, Lade, Ldam, Mean, Seesaw, SmoothingToGap,
    SoftmaxEqualisation, VectorScaling,
};
use crate::recipe::{AdjustmentForm, Conditioning, Cost, LogitAdjustment, Recipe, Sampler, Sgd};

/// Four fifths into training, where deferred weights set in: epoch 160 of 200 in Cao et al.'s code.
const DEFERRED: usize = 16;
const GENERALISED: ClassWeights = ClassWeights::Power { rho: 1.2 };
const GAMMAS: Values = ("loss.gamma", &[0.05, 0.1, 0.2, 0.3]);

fn with_loss(loss: AnyLoss) -> Recipe {
    Recipe { cost: Cost { loss, ..COST }, ..PLAIN }
}

#[allow(clippy::too_many_lines, reason = "a catalogue is read from top to bottom")]
pub(super) fn all() -> Vec<Method> {
    vec![
        method(
            "cross-entropy-converged",
            "the control: cross-entropy to the optimum over weight decay",
            CONVERGED,
            &[PATH],
        )
        .with_conditioning(),
        method(
            "los-converged",
            "the control: label over-smoothing (delta 0.98) to the optimum, which no number of epochs changes",
            Recipe {
                cost: Cost {
                    loss: AnyLoss::LabelOverSmoothing(LabelOverSmoothing { delta: 0.98 }),
                    ..COST
                },
                ..CONVERGED
            },
            &[PATH],
        )
        .with_conditioning(),
        method(
            "los-auto",
            "label over-smoothing with strength and epoch chosen together: the target gap log(1 + K (1 - delta) / delta), \
             which means the same for any K, in place of Sun et al.'s fixed delta",
            Recipe {
                sgd: Sgd { lr: 5e-4, ..SGD },
                ..with_loss(AnyLoss::SmoothingToGap(SmoothingToGap { target_gap: 1.0 }))
            },
            &[
                ("lr", &[1e-4, 5e-4, 1e-3, 5e-3]),
                ("loss.target_gap", &[0.1, 0.5, 1.0, 2.0, 4.0]),
            ],
        ),
        method(
            "nearest-class-mean-centred",
            "nearest-class-mean-cosine once the mean of all samples is subtracted; the head keeps that mean",
            Recipe {
                head: HeadKind::Cosine { scale: 16.0 },
                features: Conditioning::Centred,
                ..CLASS_MEANS
            },
            &[],
        ),
        method(
            "nearest-class-mean-l2n",
            "the class whose mean of features of norm 1 is nearest, lengths of means included: l2n in the code of Kang et \
             al., ICLR 2020",
            Recipe { head: HeadKind::Normalised, ..CLASS_MEANS },
            &[],
        ),
        method(
            "nearest-class-mean-cl2n",
            "the same once the mean of all samples is subtracted, which the head keeps: their cl2n, the default there",
            Recipe {
                head: HeadKind::Normalised,
                features: Conditioning::Centred,
                ..CLASS_MEANS
            },
            &[],
        ),
        method(
            "logit-adjusted",
            "the loss of Menon et al., ICLR 2021: balanced softmax with a searched strength tau",
            with_loss(AnyLoss::BalancedSoftmax(BalancedSoftmax { tau: 1.0 })),
            &[RATES, ("loss.tau", &[0.5, 1.0, 1.5, 2.0])],
        ),
        method(
            "vector-scaling",
            "VS: Kini et al., NeurIPS 2021; tau 1, gamma searched",
            with_loss(AnyLoss::VectorScaling(VectorScaling { gamma: 0.2, tau: 1.0 })),
            &[RATES, GAMMAS],
        ),
        method(
            "class-dependent-temperatures",
            "CDT: Ye et al., 2020, arXiv:2001.01385: VS without the prior",
            with_loss(AnyLoss::VectorScaling(VectorScaling { gamma: 0.2, tau: 0.0 })),
            &[RATES, GAMMAS],
        ),
        method(
            "multiplicative-adjustment",
            "post-hoc: Hasegawa & Sato, ICLR 2024 (EWB-FDR): logits divided by pi^tau",
            Recipe {
                adjustment: Some(LogitAdjustment { tau: 0.5, form: AdjustmentForm::Multiplicative }),
                ..UNTRAINED
            },
            &[("adjustment.tau", TAUS)],
        ),
        method(
            "ldam-drw",
            "Cao et al., NeurIPS 2019: ldam-normalised with class-balanced weights in the last fifth of training",
            Recipe {
                cost: Cost {
                    loss: AnyLoss::Ldam(Ldam { max_margin: 0.5, scale: 30.0 }),
                    class_weights: EFFECTIVE,
                    mean: Mean::ByWeight,
                    defer_weights_to_epoch: DEFERRED,
                },
                head: HeadKind::Cosine { scale: 30.0 },
                sgd: Sgd { lr: 0.05, weight_decay: 5e-4, ..SGD },
                ..PLAIN
            },
            &[RATES, DECAYS],
        ),
        method(
            "class-balanced-drw",
            "cross-entropy with class-balanced weights in the last fifth of training: CE-DRW of Cao et al., NeurIPS 2019",
            Recipe {
                cost: Cost {
                    class_weights: EFFECTIVE,
                    mean: Mean::ByWeight,
                    defer_weights_to_epoch: DEFERRED,
                    ..COST
                },
                ..PLAIN
            },
            &[RATES, DECAYS],
        ),
        method(
            "generalised-re-weighting",
            "GRW: Zhang et al., CVPR 2021, eq. 9: weights 1 / pi^rho",
            Recipe {
                cost: Cost { class_weights: GENERALISED, mean: Mean::ByWeight, ..COST },
                ..PLAIN
            },
            &[RATES, ("class_weights.power.rho", &[0.5, 0.8, 1.0, 1.2])],
        ),
        method(
            "effective-area",
            "AREA: Chen et al., ICCV 2023: weights from how correlated a class's features are, in the last fifth of training",
            Recipe {
                cost: Cost {
                    class_weights: ClassWeights::EffectiveArea,
                    mean: Mean::ByWeight,
                    defer_weights_to_epoch: DEFERRED,
                    ..COST
                },
                ..PLAIN
            },
            &[RATES, DECAYS],
        ),
        method(
            "focal-detached",
            "focal loss as in the code of LADE and GCL, its factor held constant in the gradient",
            with_loss(AnyLoss::FocalDetached(FocalDetached { gamma: 1.0 })),
            &[RATES, ("loss.gamma", &[0.5, 1.0, 2.0, 5.0])],
        ),
        method(
            "seesaw",
            "Wang et al., CVPR 2021; q = 2 as theirs, p searched",
            with_loss(AnyLoss::Seesaw(Seesaw { p: 0.8, q: 2.0 })),
            &[RATES, ("loss.p", &[0.2, 0.4, 0.8, 1.2])],
        ),
        method(
            "softmax-equalisation",
            "SEQL: Tan et al., CVPR 2020; gamma 0.9, the frequency below which a class is rare searched",
            with_loss(AnyLoss::SoftmaxEqualisation(SoftmaxEqualisation {
                gamma: 0.9,
                threshold: 5e-3,
            })),
            &[RATES, ("loss.threshold", &[2e-3, 5e-3, 1e-2, 5e-2])],
        ),
        method(
            "lade",
            "Hong et al., CVPR 2021: balanced softmax with a regulariser on each class's logits over a batch",
            with_loss(AnyLoss::Lade(Lade { alpha: 0.1, lambda: 0.01 })),
            &[RATES, ("loss.alpha", &[5e-3, 5e-2, 0.1, 0.5])],
        ),
        method(
            "label-aware-smoothing",
            "MiSLAS, second stage: Zhong et al., CVPR 2021; learnable scales at lr, weights at a fifth of it, class-aware sampling",
            Recipe {
                cost: Cost {
                    loss: AnyLoss::LabelAwareSmoothing(LabelAwareSmoothing::default()),
                    ..COST
                },
                head: HeadKind::ScaledLinear { rate: 0.2 },
                sampler: Sampler::ClassAware { per_visit: 4 },
                sgd: Sgd { lr: 0.05, weight_decay: 2e-4, ..SGD },
                ..PLAIN
            },
            &[RATES, ("loss.head", &[0.1, 0.2, 0.3, 0.4])],
        ),
        method(
            "balanced-meta-softmax",
            "BALMS, second stage: Ren et al., NeurIPS 2020: balanced softmax on samples that a meta-learned sampler draws; N random numbers for each of them",
            // The authors take 2,000 steps; these are 440 of 10,847 samples.
            Recipe {
                sampler: Sampler::Learned,
                sgd: Sgd { batch_size: 512, lr: 0.1, weight_decay: 5e-4, ..SGD },
                ..with_loss(AnyLoss::BalancedSoftmax(BalancedSoftmax { tau: 1.0 }))
            },
            &[],
        ),
        method(
            "margin-calibration",
            "MARC: Wang et al., ACML 2023: a scale of each logit and a multiple of each weight norm, with weights 1 / pi^1.2",
            Recipe {
                cost: Cost { class_weights: GENERALISED, mean: Mean::ByWeight, ..COST },
                head: HeadKind::Margin,
                sgd: Sgd { lr: 0.05, weight_decay: 5e-4, ..SGD },
                ..PLAIN
            },
            &[RATES, DECAYS],
        ),
        method(
            "disalign",
            "Zhang et al., CVPR 2021: a gate, open for some samples more than for others, on scaled and shifted logits, with \
             weights 1 / pi^1.2; the head is no linear layer",
            Recipe {
                cost: Cost { class_weights: GENERALISED, mean: Mean::ByWeight, ..COST },
                head: HeadKind::Gated,
                sgd: Sgd { lr: 0.1, weight_decay: 5e-4, ..SGD },
                ..PLAIN
            },
            &[("lr", &[3e-3, 1e-2, 3e-2, 0.1, 0.3]), DECAYS],
        ),
        method(
            "gaussian-cloud",
            "GCL, second stage: Li et al., CVPR 2022; cosine head, noise that lowers rare logits most, balanced sampling, no mixup",
            Recipe {
                cost: Cost { loss: AnyLoss::GaussianCloud(GaussianCloud::default()), ..COST },
                head: HeadKind::Cosine { scale: 20.0 },
                sampler: Sampler::ClassBalanced,
                sgd: Sgd { lr: 0.05, weight_decay: 2e-4, ..SGD },
                ..PLAIN
            },
            &[RATES, ("loss.noise", &[0.1, 0.25, 0.5, 1.0])],
        ),
        method(
            "dot-regression",
            "Yang et al., NeurIPS 2022: a linear map before a fixed simplex (ETF), folded into one linear head",
            // The loss does not see the size of the logits, and the larger they are, the less a step turns them.
            Recipe {
                sgd: Sgd { lr: 10.0, ..SGD },
                ..with_loss(AnyLoss::DotRegression(DotRegression {}))
            },
            &[("lr", &[0.1, 1.0, 10.0, 100.0, 1000.0]), DECAYS],
        ),
    ]
}
