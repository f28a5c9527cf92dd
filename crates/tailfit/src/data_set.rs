//! A data set ready for re-training: features, labels, counts and the stage-1 head.

use std::borrow::Cow;
use std::collections::HashMap;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::class_counts::ClassCounts;
use crate::data::embedded;
use crate::error::{Error, Result};
use crate::features::{Features, HeadFile, Matrix, check_pair};
use crate::metrics::samples_per_class;
use crate::precision::Precision;
use crate::recipe::{Recipe, Start};
use crate::select::Samples;
use crate::shots::ShotThresholds;
use crate::train::{Problem, Run, ScoredSet, Trial, View, folds, train};

/// Training, test and optional validation features with the head of stage 1.
#[derive(Clone, Debug)]
pub struct DataSet {
    /// Name for people and files.
    pub name: String,
    /// Training features.
    pub train: Features,
    /// Test features.
    pub test: Features,
    /// Validation features the backbone has not been trained on.
    pub validation: Option<Features>,
    /// The stage-1 head.
    pub stage_1: Option<HeadFile>,
    /// Where the stage-1 head came from, for people.
    pub stage_1_origin: String,
    /// Training samples per class.
    pub counts: ClassCounts,
    /// Where shots end.
    pub thresholds: ShotThresholds,
}

/// What a record says of its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataRecord {
    /// Name for people and files.
    pub name: String,
    /// Where the training features came from.
    pub provenance: String,
    /// N.
    pub n_train: usize,
    /// K.
    pub n_classes: usize,
    /// D.
    pub dim: usize,
    /// Test samples.
    pub n_test: usize,
    /// Whether every class has the same number of test samples.
    pub test_is_balanced: bool,
    /// max n / min n.
    pub imbalance_ratio: f64,
    /// Where shots end.
    pub thresholds: ShotThresholds,
    /// Many-, medium- and few-shot classes.
    pub shot_sizes: [usize; 3],
    /// Augmented training views used, 0 for plain features.
    pub n_views: usize,
    /// Whether test logits are averaged over plain and mirrored images.
    pub mirror: bool,
    /// Where the stage-1 head came from.
    pub stage_1: String,
    /// SHA-256 of the training features and labels.
    pub train_sha256: String,
    /// SHA-256 of the test features and labels.
    pub test_sha256: String,
    /// SHA-256 of the validation features and labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_sha256: Option<String>,
}

impl DataSet {
    /// The data set that comes with the program.
    ///
    /// # Errors
    ///
    /// Only if the program was built from damaged files.
    pub fn embedded(thresholds: ShotThresholds) -> Result<Self> {
        let (train, test, head) = embedded::load()?;
        Self::new(embedded::NAME, train, test, None, Some(head), thresholds)
    }

    /// Checks that the parts fit each other, and brings test and validation features to memory;
    /// training features may stay in their file.
    ///
    /// # Errors
    ///
    /// If a class has no training samples, labels are out of range, or D or K differ
    /// between the parts.
    pub fn new(
        name: &str,
        train: Features,
        test: Features,
        validation: Option<Features>,
        stage_1: Option<HeadFile>,
        thresholds: ShotThresholds,
    ) -> Result<Self> {
        let seen = train.labels.iter().max().map_or(0, |&max| max as usize + 1);
        let named = train.class_names.as_ref().map(Vec::len);
        let n_classes =
            stage_1.as_ref().map(|file| file.head.n_classes()).or(named).unwrap_or(seen);
        let counts = ClassCounts::from_labels(&train.labels, n_classes)?;
        if let Some(file) = &stage_1
            && file.head.dim() != train.dim()
        {
            return Err(Error::data(
                "stage-1 head",
                format!("{} features, as in the training set", train.dim()),
                format!("weight of shape [{}, {}]", file.head.n_classes(), file.head.dim()),
                "give the head of the backbone that made the features",
            ));
        }
        if let Some(names) = named.filter(|&names| names != n_classes) {
            return Err(Error::data("class names", format!("{n_classes} names"), names, ""));
        }
        check_pair(&train, &test, n_classes, "test set")?;
        if let Some(validation) = &validation {
            check_pair(&train, validation, n_classes, "validation set")?;
        }
        let test = test.into_memory()?;
        let validation = validation.map(Features::into_memory).transpose()?;
        let stage_1_origin = if stage_1.is_some() { "given" } else { "none" }.to_owned();
        let name = name.to_owned();
        Ok(Self { name, train, test, validation, stage_1, stage_1_origin, counts, thresholds })
    }

    /// Trains a stage-1 head where none was given: cross-entropy from a random start, the
    /// paper's schedule, weight decay 5e-4, seed 0. Of four learning rates the one with the
    /// smallest training loss at the end is taken; no other set is looked at. Always in f32, so
    /// that it is the same head on every machine.
    ///
    /// # Errors
    ///
    /// If every learning rate diverges.
    pub fn train_stage_1(&mut self) -> Result<()> {
        let recipe = Recipe { start: Start::Random, weight_decay: 5e-4, ..Recipe::PLAIN };
        let trial =
            |lr| Trial { recipe: Recipe { lr, ..recipe.clone() }, seed: 0, stop_after: None };
        let trials = [1e-3, 1e-2, 0.1, 1.0].map(trial);
        let run = Run { progress: &|_| {}, score_every_epoch: false, precision: Precision::F32 };
        let problem = Problem { scored: vec![], ..self.problem(false)? };
        let outcomes = train(&problem, &trials, &run)?;
        let loss = |i: usize| outcomes[i].train_loss.last().copied().unwrap_or(f64::NAN);
        let best = (0..trials.len()).filter(|&i| loss(i).is_finite());
        let best = best.min_by(|&a, &b| loss(a).total_cmp(&loss(b))).ok_or_else(|| {
            let remedy = "scale them, such as to unit variance, or give a head (--head)";
            Error::data(
                "training features",
                "a head that can be trained on them",
                "divergence",
                remedy,
            )
        })?;
        self.stage_1_origin = format!(
            "trained here, none was given: cross-entropy from a random start, {} epochs, learning rate {} (smallest \
             training loss of four), weight decay 5e-4, seed 0",
            recipe.epochs, trials[best].recipe.lr
        );
        let head = outcomes[best].head.clone();
        self.stage_1 = Some(HeadFile { head, key: "fc".to_owned(), metadata: HashMap::new() });
        Ok(())
    }

    /// The features as the engine takes them; scored sets are the test set and the
    /// validation set, in that order.
    ///
    /// # Errors
    ///
    /// If test or validation features are not in memory, where [`DataSet::new`] brings them.
    pub fn problem(&self, halves: bool) -> Result<Problem<'_, f32>> {
        let views = match &self.train.views[..] {
            [] => std::slice::from_ref(&self.train.plain),
            views => views,
        };
        let mut sets = vec![scored(&self.test, halves)?];
        if let Some(validation) = &self.validation {
            sets.push(scored(validation, false)?);
        }
        Ok(Problem {
            views: views.iter().map(view).collect(),
            dim: self.train.dim(),
            labels: &self.train.labels,
            counts: &self.counts,
            stage_1: self.stage_1.as_ref().map(|file| &file.head),
            scored: sets,
        })
    }

    /// Samples per class of the scored sets, halved as `seed` halves them.
    pub fn samples(&self, seed: u64) -> Vec<Samples> {
        let k = self.counts.n_classes();
        let of = |labels: &[u32]| {
            let halves = folds(labels, seed);
            let half = |number: u8| {
                let members = labels.iter().zip(&halves).filter(move |(_, h)| **h == number);
                samples_per_class(members.map(|(label, _)| *label), k)
            };
            let all = samples_per_class(labels.iter().copied(), k);
            Samples { all, by_half: [half(0), half(1)] }
        };
        std::iter::once(&self.test).chain(&self.validation).map(|set| of(&set.labels)).collect()
    }

    /// What a record says of this data set.
    ///
    /// # Errors
    ///
    /// If features left in their file cannot be read any more.
    pub fn record(&self) -> Result<DataRecord> {
        let per_class =
            samples_per_class(self.test.labels.iter().copied(), self.counts.n_classes());
        Ok(DataRecord {
            name: self.name.clone(),
            provenance: self.train.provenance.clone(),
            n_train: self.train.len(),
            n_classes: self.counts.n_classes(),
            dim: self.train.dim(),
            n_test: self.test.len(),
            test_is_balanced: per_class.iter().all(|&n| n == per_class[0]),
            imbalance_ratio: self.counts.imbalance_ratio(),
            thresholds: self.thresholds,
            shot_sizes: self.thresholds.sizes(&self.counts),
            n_views: self.train.views.len(),
            mirror: self.test.mirror.is_some(),
            stage_1: self.stage_1_origin.clone(),
            train_sha256: self.train.sha256()?,
            test_sha256: self.test.sha256()?,
            validation_sha256: self.validation.as_ref().map(Features::sha256).transpose()?,
        })
    }
}

fn view(matrix: &Matrix) -> View<'_, f32> {
    match matrix {
        Matrix::Memory(array) => View::Memory(flat(array.view())),
        Matrix::File(file) => View::File(file),
    }
}

fn scored(features: &Features, halves: bool) -> Result<ScoredSet<'_, f32>> {
    let mirror = features.mirror.as_ref().map(Matrix::in_memory).transpose()?;
    Ok(ScoredSet {
        features: flat(features.plain.in_memory()?),
        mirror: mirror.map(flat),
        labels: &features.labels,
        halves,
    })
}

fn flat(array: ArrayView2<'_, f32>) -> Cow<'_, [f32]> {
    array.to_slice().map_or_else(|| Cow::Owned(array.iter().copied().collect()), Cow::Borrowed)
}
