//! What kind of a method it is, and what it goes by.

use super::Method;
use crate::head::{HeadKind, Start};
use crate::losses::{AnyLoss, ClassWeights, CrossEntropy};
use crate::recipe::{Recipe, RidgeBias, Sampler, Solver};

const AS_GIVEN: &str = "heads as they are given";
const CLASS_MEANS: &str = "class means";
const FORMULAS: &str = "formulas on the given head";
const MINIMA: &str = "minima by a solver";
const OTHER_HEADS: &str = "heads of other kinds";
const WEIGHTED: &str = "weighted samples";
const SAMPLING: &str = "sampling";
const LOSSES: &str = "losses and bounds";

/// The groups of methods, in the order of lists.
pub const GROUPS: [&str; 8] =
    [AS_GIVEN, CLASS_MEANS, FORMULAS, MINIMA, OTHER_HEADS, WEIGHTED, SAMPLING, LOSSES];

impl Method {
    /// The group of [`GROUPS`] that it belongs to, as its recipe says.
    pub fn group(&self) -> &'static str {
        let Recipe { cost, head, start, solver, sampler, sgd, .. } = &self.recipe;
        let changed = self.recipe.normalise.is_some() || self.recipe.adjustment.is_some();
        let cross_entropy = cost.loss == AnyLoss::CrossEntropy(CrossEntropy {});
        let own_loss = !cross_entropy && !matches!(cost.loss, AnyLoss::BalancedSoftmax(_));
        if *solver != Solver::Sgd {
            MINIMA
        } else if sgd.epochs == 0 && *start == Start::ClassMeans {
            CLASS_MEANS
        } else if sgd.epochs == 0 {
            if changed { FORMULAS } else { AS_GIVEN }
        } else if *head != HeadKind::Linear && cross_entropy {
            OTHER_HEADS
        } else if cost.class_weights != ClassWeights::Uniform {
            WEIGHTED
        } else if *sampler != Sampler::InstanceBalanced && !own_loss {
            SAMPLING
        } else {
            LOSSES
        }
    }

    /// What it goes by beside features and labels: the stage-1 head, class vectors, and the class
    /// counts, which are the training set's prior.
    pub fn uses(&self) -> Vec<&'static str> {
        let any = |uses: fn(&Recipe) -> bool| self.recipe.of_heads().any(uses);
        [
            ("the stage-1 head", any(|recipe| recipe.start == Start::Stage1)),
            ("class vectors", any(|r| r.start == Start::ClassVectors || r.zero_shot.is_some())),
            ("class counts", any(Recipe::uses_counts)),
        ]
        .into_iter()
        .filter_map(|(what, used)| used.then_some(what))
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
            ("stage-1", AS_GIVEN, "the stage-1 head"),
            ("lda", CLASS_MEANS, ""),
            ("tau-norm", FORMULAS, "the stage-1 head"),
            ("logit-adjustment", FORMULAS, "the stage-1 head, class counts"),
            ("balanced-softmax-converged", MINIMA, "class counts"),
            ("cross-entropy-converged", MINIMA, ""),
            ("los", LOSSES, "the stage-1 head"),
            ("cosine", OTHER_HEADS, "the stage-1 head"),
            ("effective-area", WEIGHTED, "the stage-1 head"),
            ("crt", SAMPLING, "class counts"),
            ("zero-shot", AS_GIVEN, "class vectors"),
            ("gaussian-cloud", LOSSES, "the stage-1 head, class counts"),
            ("balanced-meta-softmax", SAMPLING, "the stage-1 head, class counts"),
            ("lda+with-stage-1", CLASS_MEANS, "the stage-1 head"),
        ] {
            let method = find(name).unwrap();
            assert_eq!((method.group(), &method.uses().join(", ")[..]), (group, uses), "{name}");
        }
    }
}
