//! Which trial and which epoch are chosen, and what they are scored on.

use serde::{Deserialize, Serialize};

use super::choice::{Choice, Criterion, choice};
use crate::metrics::TestPart;

/// How the epoch and the hyper-parameters are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Selection {
    /// The method's default hyper-parameters and the last epoch; needs no held-out data.
    Last,
    /// The best on a validation set; scored on the whole test set.
    Validation,
    /// The best in five-fold cross-validation on the training features, which the backbone must not
    /// have been trained on; then trained on all of them, and scored on the whole test set.
    CrossValidated,
    /// The best on one half of the test set, scored on the other half, and vice versa; the halves
    /// are stratified and depend on the seed.
    CrossFitted,
    /// The best on the very test set it is scored on. Optimistic, and starred in every table;
    /// meant only for comparison with papers that did the same.
    BestOnTest,
}

/// The definition of a selection rule.
#[derive(Clone, Copy, Debug)]
pub struct Rule {
    /// Name in commands and records.
    pub name: &'static str,
    /// What it does, in a few words, for help texts.
    pub help: &'static str,
    /// What it does, for table captions.
    pub caption: &'static str,
    /// Whether held-out samples are the folds of the training set.
    pub folds: bool,
    /// The choices made for each seed.
    pub choices: &'static [Choice],
    /// How the head to use is chosen: on everything held out.
    pub head: Choice,
}

use Criterion::{Test, Validation};
use TestPart::{All, HalfA, HalfB};

impl Selection {
    /// Every rule.
    pub const ALL: [Self; 5] =
        [Self::Last, Self::Validation, Self::CrossValidated, Self::CrossFitted, Self::BestOnTest];

    /// The rule's definition.
    pub fn rule(self) -> Rule {
        match self {
            Self::Last => Rule {
                name: "last",
                help: "The default hyper-parameters and the last epoch",
                caption: "default hyper-parameters, last epoch",
                folds: false,
                choices: const { &[choice(Criterion::Default, All)] },
                head: choice(Criterion::Default, All),
            },
            Self::Validation => Rule {
                name: "validation",
                help: "The best on the validation set",
                caption: "epoch and hyper-parameters chosen on the validation set",
                folds: false,
                choices: const { &[choice(Validation, All)] },
                head: choice(Validation, All),
            },
            Self::CrossValidated => Rule {
                name: "cross-validated",
                help: "The best in five folds of the training set, for backbones that have not seen it",
                caption: "epoch and hyper-parameters cross-validated on the training set (five folds)",
                folds: true,
                choices: const { &[choice(Validation, All)] },
                head: choice(Validation, All),
            },
            Self::CrossFitted => Rule {
                name: "cross-fitted",
                help: "The best on one half of the test set, scored on the other",
                caption: "epoch and hyper-parameters cross-fitted (chosen on one half of the test set, scored on the \
                          other)",
                folds: false,
                choices: const { &[choice(Test(HalfA), HalfB), choice(Test(HalfB), HalfA)] },
                head: choice(Test(All), All),
            },
            Self::BestOnTest => Rule {
                name: "best-on-test",
                help: "The best on the test set itself: optimistic, starred",
                caption: "epoch and hyper-parameters chosen on the test set*",
                folds: false,
                choices: const { &[choice(Test(All), All)] },
                head: choice(Test(All), All),
            },
        }
    }
}

impl Rule {
    /// Whether the rule chooses among trials and epochs at all.
    pub fn searches(&self) -> bool {
        self.choices.iter().any(|choice| choice.by != Criterion::Default)
    }

    /// Whether the rule needs a validation set.
    pub fn wants_validation(&self) -> bool {
        !self.folds && self.choices.iter().any(|choice| choice.by == Validation)
    }

    /// Whether all its scores are on samples that took part in the choice.
    pub fn is_optimistic(&self) -> bool {
        self.choices.iter().all(|choice| choice.is_optimistic())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_is_optimistic_where_its_samples_took_part_in_the_choice() {
        let optimistic = |s: Selection| (s.rule().is_optimistic(), s.rule().head.is_optimistic());
        for (selection, wanted) in [
            (Selection::Last, (false, false)),
            (Selection::Validation, (false, false)),
            (Selection::CrossValidated, (false, false)),
            (Selection::CrossFitted, (false, true)),
            (Selection::BestOnTest, (true, true)),
        ] {
            assert_eq!(optimistic(selection), wanted, "{selection:?}");
        }
        let chosen_on = |part, scored_on| choice(Test(part), scored_on).is_optimistic();
        assert!(chosen_on(All, HalfB) && chosen_on(HalfA, All) && chosen_on(HalfA, HalfA));
        assert!(!chosen_on(HalfA, HalfB));
        for selection in Selection::ALL {
            let name = serde_json::to_value(selection).unwrap();
            assert_eq!(name, selection.rule().name);
        }
    }
}
