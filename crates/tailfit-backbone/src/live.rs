//! The official second stage: the head is trained on images, not on features extracted once.

use serde::{Deserialize, Serialize};
use tailfit::error::{Error, Result};
use tailfit::head::{HeadKind, Start};
use tailfit::losses::ClassWeights;
use tailfit::metrics::Accuracy;
use tailfit::recipe::{Conditioning, Recipe, Sampler, Solver};

use crate::augment::Preparation;
use crate::data::{ImageData, Subset};
use crate::heads::HeadLayer;
use crate::layers::{NormMode, Pass};
use crate::network::Network;
use crate::optimiser::Optimiser;
use crate::passes::{Done, TrainingPass};
use crate::score::score;
use crate::streams::streams;
use crate::systems::Plain;

/// Re-trains a network's head in place. As in LOS and LTWB, images are augmented and batch
/// normalisation is in train mode, so its running statistics drift although no weight of the
/// backbone changes.
pub struct Live<'a> {
    /// The recipe to train with; only what a single head trained by SGD needs is supported.
    pub recipe: &'a Recipe,
    /// Determines order and augmentation.
    pub seed: u64,
    /// The images to train on and to score.
    pub data: &'a ImageData,
    /// The network whose head is re-trained.
    pub network: &'a Network,
    /// Batch normalisation: [`NormMode::Train`] is the official way; [`NormMode::Evaluate`] freezes
    /// the features.
    pub norm: NormMode,
    /// How images are prepared; officially, as for the backbone.
    pub preparation: Preparation,
    /// Whether convolutions run in bf16.
    pub bf16: bool,
    /// Called after every batch.
    pub report: &'a dyn Fn(),
}

/// The results of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveEpoch {
    /// Number of epochs done; 0 is the start.
    pub epoch: usize,
    /// Mean loss over the epoch's images, measured before each step; none at the start.
    pub train_loss: Option<f64>,
    /// Accuracy on the test images.
    pub accuracy: Accuracy,
    /// The same with logits averaged over plain and mirrored images.
    pub mirrored_accuracy: Accuracy,
}

impl Live<'_> {
    /// Number of batches in all epochs.
    pub fn batches(&self) -> usize {
        self.data.len(Subset::Train).div_ceil(self.recipe.sgd.batch_size) * self.recipe.sgd.epochs
    }

    /// Trains the head and scores it after every epoch.
    ///
    /// # Errors
    ///
    /// If the recipe asks for anything but SGD on a linear head from stage 1, an image cannot be
    /// read, or training diverges.
    pub fn train(&self) -> Result<Vec<LiveEpoch>> {
        self.check()?;
        let (recipe, data) = (self.recipe, self.data);
        let key = format!("{}.", self.network.architecture().head_key());
        let head = self.network.parameters().trained().filter(|p| p.name.starts_with(&key));
        let decayed = |p: &crate::Parameter| {
            let decays = recipe.decay_bias || p.tensor.dim() > 1;
            (p.tensor.shallow_clone(), if decays { recipe.sgd.weight_decay } else { 0.0 })
        };
        let mut optimiser =
            Optimiser::new(head.map(decayed), recipe.sgd.momentum, recipe.sgd.nesterov);
        let own = (self.preparation, recipe.sampler);
        let mut epochs = vec![self.scored(0, None)?];
        for epoch in 0..recipe.sgd.epochs {
            let pass = TrainingPass {
                network: self.network,
                system: &Plain,
                pass: Pass { norm: self.norm, bf16: self.bf16 },
                trains_features: false,
                images: data.subset(Subset::Train).0,
                streams: streams(data, own, &[], (self.seed, epoch, recipe.sgd.epochs)),
                from: 0,
                batch_size: recipe.sgd.batch_size,
                objective: &recipe.cost.objective(epoch, &data.counts),
                lr: recipe.sgd.lr_of(epoch),
                seed: self.seed,
                epoch,
                epochs: recipe.sgd.epochs,
            };
            let (mut sum, mut seen) = (0.0, 0);
            pass.run(&mut optimiser, &mut |Done { loss, images }| {
                sum += loss * images as f64;
                seen += images;
                (self.report)();
                true
            })?;
            epochs.push(self.scored(epoch + 1, Some(sum / seen as f64))?);
        }
        Ok(epochs)
    }

    fn scored(&self, epoch: usize, train_loss: Option<f64>) -> Result<LiveEpoch> {
        let images = (self.data, Subset::Test);
        let [accuracy, mirrored_accuracy] =
            score(self.network, &Plain, images, self.preparation, self.bf16)?;
        Ok(LiveEpoch { epoch, train_loss, accuracy, mirrored_accuracy })
    }

    fn check(&self) -> Result<()> {
        let recipe = self.recipe;
        recipe.check()?;
        if recipe.sgd.batch_size < 2 {
            let remedy = "batch normalisation has no statistics of a single image";
            let place = "recipe.batch_size";
            return Err(Error::usage(place, "at least 2", recipe.sgd.batch_size, remedy));
        }
        let asks = [
            ("solver", recipe.solver != Solver::Sgd),
            (
                "head",
                recipe.head != HeadKind::Linear || self.network.head_layer() != HeadLayer::Linear,
            ),
            ("start", recipe.start != Start::Stage1),
            ("features", recipe.features != Conditioning::AsIs),
            ("zero_shot", recipe.zero_shot.is_some()),
            ("runs", recipe.runs > 1),
            ("ensemble", recipe.ensemble.is_some()),
            ("constraint", recipe.constraint.is_some()),
            ("normalise", recipe.normalise.is_some()),
            ("adjustment", recipe.adjustment.is_some()),
            ("sampler", recipe.sampler == Sampler::Learned),
            ("class_weights", recipe.cost.class_weights == ClassWeights::EffectiveArea),
        ];
        match asks.iter().find(|(_, asked)| *asked) {
            None => Ok(()),
            Some((key, _)) => Err(Error::usage(
                format!("recipe.{key}"),
                "SGD on a linear head from stage 1, which is all that live training supports",
                "something else",
                "train on extracted features instead",
            )),
        }
    }
}
