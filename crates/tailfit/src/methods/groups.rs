//! What kind of a method it is, and what it goes by.

use super::Method;
use crate::head::{HeadKind, Start};
use crate::losses::{AnyLoss, ClassWeights, CrossEntropy};
use crate::recipe::{Recipe, RidgeBias, Sampler, Solver};

/// The groups of methods, in the order of lists.
pub const GROUPS: [&str; 8] = [
    "heads as they are given",
    "class means",
    "formulas on the given head",
    "minima by a solver",
    "heads of other kinds",
    "weighted samples",
    "sampling",
    "losses and bounds",
];

impl Method {
    /// The group of [`GROUPS`] that it belongs to, as its recipe says.
    pub fn group(&self) -> &'static str {
        let Recipe { cost, head, start, solver, sampler, sgd, .. } = &self.recipe;
        let changed = self.recipe.normalise.is_some() || self.recipe.adjustment.is_some();
        let cross_entropy = cost.loss == AnyLoss::CrossEntropy(CrossEntropy {});
        GROUPS[if *solver != Solver::Sgd {
            3
        } else if sgd.epochs == 0 && *start == Start::ClassMeans {
            1
        } else if sgd.epochs == 0 {
            if changed { 2 } else { 0 }
        } else if *head != HeadKind::Linear && cross_entropy {
            4
        } else if cost.class_weights != ClassWeights::Uniform {
            5
        } else if *sampler != Sampler::InstanceBalanced {
            6
        } else {
            7
        }]
    }

    /// What it goes by beside features and labels: the stage-1 head, class vectors, and the class
    /// counts, which are the training set's prior.
    pub fn uses(&self) -> Vec<&'static str> {
        let recipe = &self.recipe;
        let ensemble = recipe.ensemble.as_ref();
        let with = ensemble.map(|ensemble| Self { recipe: (*ensemble.with).clone(), ..self.clone() });
        let of_other = with.as_ref().map(Self::uses).unwrap_or_default();
        let vectors = recipe.start == Start::ClassVectors || recipe.zero_shot.is_some();
        [
            ("the stage-1 head", recipe.start == Start::Stage1),
            ("class vectors", vectors),
            ("class counts", recipe.uses_counts()),
        ]
        .into_iter()
        .filter(|(what, used)| *used || of_other.contains(what))
        .map(|(what, _)| what)
        .collect()
    }
}

impl Recipe {
    /// Whether it gives another head where classes are differently frequent, beside what the samples
    /// themselves do.
    fn uses_counts(&self) -> bool {
        let weights = self.cost.class_weights;
        self.cost.loss.uses_counts()
            || !matches!(weights, ClassWeights::Uniform | ClassWeights::EffectiveArea)
            || self.sampler != Sampler::InstanceBalanced
            || self.adjustment.is_some()
            || self.solver == Solver::Ridge && self.ridge_bias == RidgeBias::Balanced
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::methods::{all, find};

    #[test]
    fn every_group_has_methods_and_what_they_use_is_known() {
        for group in GROUPS {
            assert!(all().iter().any(|method| method.group() == group), "{group}");
        }
        for (name, group, uses) in [
            ("stage-1", 0, "the stage-1 head"),
            ("lda", 1, ""),
            ("tau-norm", 2, "the stage-1 head"),
            ("logit-adjustment", 2, "the stage-1 head, class counts"),
            ("balanced-softmax-converged", 3, "class counts"),
            ("cross-entropy-converged", 3, ""),
            ("los", 7, "the stage-1 head"),
            ("cosine", 4, "the stage-1 head"),
            ("effective-area", 5, "the stage-1 head"),
            ("crt", 6, "class counts"),
            ("zero-shot", 0, "class vectors"),
            ("lda+with-stage-1", 1, "the stage-1 head"),
        ] {
            let method = find(name).unwrap();
            assert_eq!((method.group(), &method.uses().join(", ")[..]), (GROUPS[group], uses), "{name}");
        }
    }
}
