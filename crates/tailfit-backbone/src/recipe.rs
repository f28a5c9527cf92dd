//! Everything about stage 1, as plain data.

use serde::{Deserialize, Serialize};
use tailfit::Precision;
use tailfit::error::{Error, Result};
use tailfit::recipe::{Cost, Sampler, Schedule, Sgd, overlay_toml};

use crate::architecture::Architecture;
use crate::augment::{Augmentation, Preparation};
use crate::heads::HeadLayer;
use crate::network::{Build, Network};
use crate::parameters::Init;
use crate::systems::{AnySystem, Plain, System};

/// How a backbone is trained. The default is cross-entropy on a ResNet-32: 200 epochs, batch size
/// 128, learning rate 0.1 with a cosine schedule, weight decay 5e-4 on everything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackboneRecipe {
    /// The network's architecture.
    pub network: Architecture,
    /// How its weights are initialised; by default, as its authors do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
    /// The type of the last layer.
    pub head: HeadLayer,
    /// What is done otherwise than plain training, such as `{ name = "bbn" }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system: Option<AnySystem>,
    /// Loss, class weights, mean and deferral.
    #[serde(flatten)]
    pub cost: Cost,
    /// Which images each epoch sees.
    pub sampler: Sampler,
    /// Augmentation of the training images.
    pub augmentation: Augmentation,
    /// Side length that images are resized to; required for images in files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Mean of each channel, for values from 0 to 1; by default CIFAR's (LDAM-DRW, LTWB, LOS).
    pub image_mean: [f32; 3],
    /// Standard deviation of each channel.
    pub image_std: [f32; 3],
    /// Epochs, batch size, learning rate, momentum and weight decay.
    #[serde(flatten)]
    pub sgd: Sgd,
    /// Whether weight decay also applies to batch normalisation and biases, as it does by default
    /// in PyTorch.
    pub decay_norm_and_bias: bool,
    /// Precision of the convolutions; weights, batch normalisation and head are always f32.
    pub precision: Precision,
    /// Score the held-out images every this many epochs, and after the last.
    pub score_every: usize,
}

/// Keys that are omitted when a recipe is written with their default value.
const OPTIONAL: [&str; 3] = ["init", "system", "image_size"];

impl Default for BackboneRecipe {
    fn default() -> Self {
        Self {
            network: Architecture::Resnet32,
            init: None,
            head: HeadLayer::Linear,
            system: None,
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
    /// Reads a recipe from TOML.
    ///
    /// # Errors
    ///
    /// On unknown keys and names, and values out of range.
    pub fn from_toml(text: &str, place: &str) -> Result<Self> {
        let recipe = overlay_toml(&Self::default(), text, &OPTIONAL, place)?;
        recipe.check()?;
        Ok(recipe)
    }

    /// Its system with another strength of what it does to predictions at test time; 0 is nothing.
    ///
    /// # Errors
    ///
    /// If there is no such system, or the number is out of range.
    pub fn with_strength(&self, strength: f64) -> Result<AnySystem> {
        let system = self.system.and_then(|system| system.answers().with_strength(strength));
        let Some(system) = system else {
            let found = self.system.map_or("none".to_owned(), |system| system.to_string());
            let expected = "a run whose system changes its predictions: tde, rbl or ewb-fdr";
            return Err(Error::usage("strength", expected, found, "leave it out"));
        };
        system.answers().check(self)?;
        Ok(system)
    }

    /// What answers the training loop's questions.
    pub(crate) fn system(&self) -> &dyn System {
        self.system.as_ref().map_or(&Plain, AnySystem::answers)
    }

    /// Whether convolutions run in bf16.
    pub(crate) fn bf16(&self) -> bool {
        self.precision == Precision::Bf16
    }

    /// How its images are prepared.
    pub fn preparation(&self) -> Preparation {
        Preparation {
            augmentation: self.augmentation,
            side: self.image_size,
            mean: self.image_mean,
            std: self.image_std,
        }
    }

    /// The network, before training.
    pub fn network(&self, n_classes: usize, seed: u64, device: tch::Device) -> Network {
        let mut network = Network::new(Build {
            architecture: self.network,
            init: self.init.unwrap_or(self.network.default_init()),
            head: self.head,
            n_classes,
            seed,
            kind: tch::Kind::Float,
            device,
        });
        let tensors = self.system().tensors(self.network.dim() as i64, n_classes as i64);
        for (name, value, shape) in tensors {
            network.keep(name, value, &shape);
        }
        network
    }
}
