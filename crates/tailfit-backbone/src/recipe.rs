//! All of stage 1 as plain data.

use serde::{Deserialize, Serialize};
use tailfit::Precision;
use tailfit::error::{Error, Result};
use tailfit::recipe::{Cost, Sampler, Schedule, Sgd, overlay_toml};

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
    /// Loss, class weights, mean, deferral.
    #[serde(flatten)]
    pub cost: Cost,
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
    /// Epochs, batches, learning rate, momentum, weight decay.
    #[serde(flatten)]
    pub sgd: Sgd,
    /// Whether weight decay applies to batch normalisation and biases too, as in PyTorch by
    /// default.
    pub decay_norm_and_bias: bool,
    /// Numbers of the convolutions; weights, batch normalisation and head are f32 in any case.
    pub precision: Precision,
    /// The held-out images are scored every so many epochs, and after the last.
    pub score_every: usize,
}

/// Keys that a recipe is written without where they have nothing to say.
const OPTIONAL: [&str; 2] = ["init", "image_size"];

impl Default for BackboneRecipe {
    fn default() -> Self {
        Self {
            network: Architecture::Resnet32,
            init: None,
            head: HeadLayer::Linear,
            cost: Cost::PLAIN,
            sampler: Sampler::InstanceBalanced,
            augmentation: Augmentation::Weak,
            image_size: None,
            image_mean: [0.4914, 0.4822, 0.4465],
            image_std: [0.2023, 0.1994, 0.2010],
            sgd: Sgd {
                epochs: 200,
                batch_size: 128,
                lr: 0.1,
                schedule: Schedule::Cosine,
                momentum: 0.9,
                nesterov: false,
                weight_decay: 5e-4,
            },
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
        let recipe = overlay_toml(&Self::default(), text, &OPTIONAL, place)?;
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
        self.cost.check()?;
        self.sgd.check()?;
        self.sampler.check()?;
        positive("lr", self.sgd.lr)?;
        positive("epochs", self.sgd.epochs as f64)?;
        positive("score_every", self.score_every as f64)?;
        if let HeadLayer::Cosine { scale } = self.head {
            positive("head.cosine.scale", scale)?;
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
        if self.sgd.batch_size < 2 {
            let expected = "at least 2, which batch statistics need";
            return Err(Error::usage("batch_size", expected, self.sgd.batch_size, ""));
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
}
