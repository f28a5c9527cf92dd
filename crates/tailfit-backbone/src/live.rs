//! The official second stage: the head is trained on images, not on features that were taken once.

use serde::{Deserialize, Serialize};
use tailfit::class_weights::ClassWeights;
use tailfit::error::{Error, Result};
use tailfit::head::HeadKind;
use tailfit::losses::Objective;
use tailfit::metrics::Accuracy;
use tailfit::recipe::{Recipe, Start};
use tailfit::solver::Solver;

use crate::augment::{Look, Preparation};
use crate::batches::batches;
use crate::data::{ImageData, Part};
use crate::layers::{NormMode, Pass};
use crate::network::Network;
use crate::score::score;
use crate::seam::host_loss;
use crate::sgd::Sgd;

/// Re-training a network's head in place. As LOS and LTWB do it, images are augmented and batch
/// normalisation is in train mode: its running statistics drift although no weight of the
/// backbone changes.
pub struct Live<'a> {
    /// How; of a recipe only what one head trained by SGD needs.
    pub recipe: &'a Recipe,
    /// Decides order and augmentation.
    pub seed: u64,
    /// On what.
    pub data: &'a ImageData,
    /// Whose head.
    pub network: &'a Network,
    /// [`NormMode::Train`] is official; [`NormMode::Evaluate`] freezes the features.
    pub norm: NormMode,
    /// How images are made ready; the backbone's own way is official.
    pub preparation: Preparation,
    /// Whether convolutions are taken in bf16.
    pub half: bool,
    /// Told of every batch.
    pub report: &'a dyn Fn(),
}

/// What an epoch came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveEpoch {
    /// Epochs done; 0 is the start.
    pub epoch: usize,
    /// Mean loss over its images, measured before each step; none at the start.
    pub train_loss: Option<f64>,
    /// Accuracy on the test images.
    pub accuracy: Accuracy,
    /// The same with logits averaged over plain and mirrored images.
    pub mirrored_accuracy: Accuracy,
}

impl Live<'_> {
    /// Batches of all epochs.
    pub fn batches(&self) -> usize {
        self.data.len(Part::Train).div_ceil(self.recipe.batch_size) * self.recipe.epochs
    }

    /// Trains the head and scores it after every epoch.
    ///
    /// # Errors
    ///
    /// If the recipe asks for more than SGD on a linear head from stage 1, an image cannot be read,
    /// or training diverges.
    pub fn train(&self) -> Result<Vec<LiveEpoch>> {
        self.check()?;
        let (recipe, data) = (self.recipe, self.data);
        let key = format!("{}.", self.network.architecture().head_key());
        let head = self.network.parameters().trained().filter(|p| p.name.starts_with(&key));
        let decayed = |p: &crate::Parameter| {
            let decays = recipe.decay_bias || p.tensor.dim() > 1;
            (p.tensor.shallow_clone(), if decays { recipe.weight_decay } else { 0.0 })
        };
        let mut sgd = Sgd::new(head.map(decayed), recipe.momentum, recipe.nesterov);
        let mut epochs = vec![self.scored(0, None)?];
        for epoch in 0..recipe.epochs {
            let lr = recipe.lr * recipe.schedule.factor(epoch, recipe.epochs);
            let deferred = epoch < recipe.defer_weights_to_epoch;
            let weights = if deferred { ClassWeights::Uniform } else { recipe.class_weights };
            let objective = Objective::<f32>::new(recipe.loss, weights, recipe.mean, &data.counts);
            let order = data.order(recipe.sampler, self.seed, epoch, recipe.epochs);
            let seed = self.seed;
            let look = move |place| Look::Augmented { seed, epoch, place };
            let images = (data.part(Part::Train).0, self.preparation);
            let pass = Pass { norm: self.norm, half: self.half };
            let train_loss = std::thread::scope(|scope| -> Result<f64> {
                let (mut sum, mut seen) = (0.0, 0);
                for batch in batches(scope, images, (order, 0), recipe.batch_size, look)? {
                    let batch = batch?;
                    if batch.labels.len() < 2 {
                        // As in stage 1: one image has no statistics.
                        continue;
                    }
                    let images = batch.images(self.network.parameters().device());
                    let features = tch::no_grad(|| self.network.features(&images, pass));
                    let logits = self.network.logits(&features);
                    let loss = host_loss(&objective, &logits, &batch.labels);
                    sgd.step(&loss, lr);
                    sum += loss.double_value(&[]) * batch.labels.len() as f64;
                    seen += batch.labels.len();
                    (self.report)();
                }
                Ok(sum / seen as f64)
            })?;
            if !train_loss.is_finite() {
                let remedy = "training diverges; lower the learning rate";
                return Err(Error::data(
                    format!("epoch {epoch}"),
                    "a finite loss",
                    train_loss,
                    remedy,
                ));
            }
            epochs.push(self.scored(epoch + 1, Some(train_loss))?);
        }
        Ok(epochs)
    }

    fn scored(&self, epoch: usize, train_loss: Option<f64>) -> Result<LiveEpoch> {
        let images = (self.data, Part::Test);
        let [accuracy, mirrored_accuracy] =
            score(self.network, images, self.preparation, self.half)?;
        Ok(LiveEpoch { epoch, train_loss, accuracy, mirrored_accuracy })
    }

    fn check(&self) -> Result<()> {
        let recipe = self.recipe;
        recipe.check()?;
        let asks = [
            ("solver", recipe.solver != Solver::Sgd),
            ("head", recipe.head != HeadKind::Linear || !self.network.head_is_linear()),
            ("start", recipe.start != Start::Stage1),
            ("constraint", recipe.constraint.is_some()),
            ("normalise", recipe.normalise.is_some()),
            ("adjustment", recipe.adjustment.is_some()),
        ];
        match asks.iter().find(|(_, asked)| *asked) {
            None => Ok(()),
            Some((key, _)) => Err(Error::usage(
                format!("recipe.{key}"),
                "SGD on a linear head from stage 1, which is all that live training does",
                "something else",
                "train on extracted features instead, without --live",
            )),
        }
    }
}
