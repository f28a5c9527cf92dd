//! All of stage 1 as plain data.

use serde::{Deserialize, Serialize};
use tailfit::class_counts::ClassCounts;
use tailfit::class_weights::{ClassWeights, Mean};
use tailfit::error::{Error, Result, nearest_in_message};
use tailfit::losses::{AnyLoss, CrossEntropy, Objective};
use tailfit::precision::Precision;
use tailfit::sampler::Sampler;
use tailfit::schedule::Schedule;

use crate::augment::{Augmentation, Preparation};
use crate::layers::HeadLayer;
use crate::network::{Architecture, Build, Network};
use crate::parameters::Init;

/// How a backbone is trained. The default is cross-entropy on a ResNet-32: 200 epochs, batch 128,
/// learning rate 0.1 with a cosine, weight decay 5e-4 on everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackboneRecipe {
    /// The network.
    pub network: Architecture,
    /// How its weights begin; its authors' way if not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// The last layer.
    pub head: HeadLayer,
    /// What a sample costs.
    pub loss: AnyLoss,
    /// Weights of the classes in the loss.
    pub class_weights: ClassWeights,
    /// What a weighted batch is divided by.
    pub mean: Mean,
    /// Epoch (from 0) from which the class weights apply (deferred re-weighting, DRW).
    pub defer_weights_to_epoch: usize,
    /// Which images an epoch sees.
    pub sampler: Sampler,
    /// What is done to the images.
    pub augmentation: Augmentation,
    /// Side that images are brought to; needed for images in files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Mean of each channel, of values 0 to 1; CIFAR's (LDAM-DRW, LTWB, LOS) if not said.
    pub image_mean: [f32; 3],
    /// Standard deviation of each channel.
    pub image_std: [f32; 3],
    /// Number of epochs.
    pub epochs: usize,
    /// Images of a batch, B; the last batch of an epoch may be smaller.
    pub batch_size: usize,
    /// Base learning rate.
    pub lr: f64,
    /// Learning rate over the epochs.
    pub schedule: Schedule,
    /// SGD momentum, PyTorch's form: v = momentum v + g, θ = θ − lr v.
    pub momentum: f64,
    /// Nesterov's form of it.
    pub nesterov: bool,
    /// Coupled L2: adds `weight_decay` θ to the gradient.
    pub weight_decay: f64,
    /// Whether weight decay applies to batch normalisation and biases too, as in PyTorch by
    /// default.
    pub decay_norm_and_bias: bool,
    /// Numbers of the convolutions; weights, batch normalisation and head are f32 in any case.
    pub precision: Precision,
    /// The held-out images are scored every so many epochs, and after the last.
    pub score_every: usize,
}

impl Default for BackboneRecipe {
    fn default() -> Self {
        Self {
            network: Architecture::Resnet32,
            init: None,
            head: HeadLayer::Linear,
            loss: AnyLoss::CrossEntropy(CrossEntropy {}),
            class_weights: ClassWeights::Uniform,
            mean: Mean::ByBatch,
            defer_weights_to_epoch: 0,
            sampler: Sampler::InstanceBalanced,
            augmentation: Augmentation::Weak,
            image_size: None,
            image_mean: [0.4914, 0.4822, 0.4465],
            image_std: [0.2023, 0.1994, 0.2010],
            epochs: 200,
            batch_size: 128,
            lr: 0.1,
            schedule: Schedule::Cosine,
            momentum: 0.9,
            nesterov: false,
            weight_decay: 5e-4,
            decay_norm_and_bias: true,
            precision: Precision::F32,
            score_every: 10,
        }
    }
}

impl BackboneRecipe {
    /// Reads a recipe in TOML.
    ///
    /// # Errors
    ///
    /// Unknown keys and names, and values out of range.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        let recipe: Self = toml::from_str(text).map_err(|error| {
            let message = error.to_string();
            let hint = nearest_in_message(&message);
            Error::usage(place, "a backbone's recipe", message.trim(), hint)
        })?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Whether every value is in range.
    ///
    /// # Errors
    ///
    /// Names the first key that is not.
    pub fn check(&self) -> Result<()> {
        let positive = |key: &str, value: f64| {
            if value > 0.0 && value.is_finite() {
                return Ok(());
            }
            Err(Error::usage(key, "a number above 0", value, ""))
        };
        self.loss.check()?;
        self.class_weights.check()?;
        self.schedule.check()?;
        self.sampler.check()?;
        positive("lr", self.lr)?;
        positive("epochs", self.epochs as f64)?;
        positive("score_every", self.score_every as f64)?;
        if let HeadLayer::Cosine { scale } = self.head {
            positive("head.cosine.scale", scale)?;
        }
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::usage("momentum", "0 <= momentum < 1", self.momentum, ""));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(Error::usage("weight_decay", "at least 0", self.weight_decay, ""));
        }
        positive("image_size", self.image_size.unwrap_or(1) as f64)?;
        for (mean, std) in self.image_mean.into_iter().zip(self.image_std) {
            let expected = "numbers for values 0 to 1, not 0 to 255";
            if !(0.0..=1.0).contains(&mean) {
                return Err(Error::usage("image_mean", expected, mean, ""));
            }
            if !(std > 0.0 && std <= 1.0) {
                return Err(Error::usage("image_std", expected, std, ""));
            }
        }
        if self.batch_size < 2 {
            let expected = "at least 2, which batch statistics need";
            return Err(Error::usage("batch_size", expected, self.batch_size, ""));
        }
        Ok(())
    }

    /// How its images are made ready.
    pub fn preparation(&self) -> Preparation {
        Preparation {
            augmentation: self.augmentation,
            side: self.image_size,
            mean: self.image_mean,
            std: self.image_std,
        }
    }

    /// The network before training.
    pub fn network(&self, n_classes: usize, seed: u64, device: tch::Device) -> Network {
        Network::new(Build {
            architecture: self.network,
            init: self.init.unwrap_or(self.network.default_init()),
            head: self.head,
            n_classes,
            seed,
            kind: tch::Kind::Float,
            device,
        })
    }

    /// The objective of `epoch`.
    pub(crate) fn objective(&self, epoch: usize, counts: &ClassCounts) -> Objective<f32> {
        let weights = if epoch < self.defer_weights_to_epoch {
            ClassWeights::Uniform
        } else {
            self.class_weights
        };
        Objective::new(self.loss, weights, self.mean, counts)
    }
}
