//! What a system is shown of a step and of an epoch.

use tailfit::losses::Objective;
use tailfit::recipe::Sampler;
use tch::Tensor;

use crate::augment::Augmentation;
use crate::data::ImageData;
use crate::layers::Pass;
use crate::network::Network;
use crate::recipe::BackboneRecipe;
use crate::seam::host_loss;

/// A further stream of images: as many as the recipe's own, in a step of their own augmentation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stream {
    /// The order of the images; none for further views of the recipe's own.
    pub(crate) sampler: Option<Sampler>,
    /// Their augmentation; none for the recipe's own.
    pub(crate) augmentation: Option<Augmentation>,
}

/// The images of one stream in one step.
pub(crate) struct Seen {
    pub(crate) images: Tensor,
    pub(crate) labels: Vec<i64>,
}

/// A step, as a system sees it.
pub(crate) struct Step<'a> {
    pub(crate) network: &'a Network,
    pub(crate) pass: Pass,
    pub(crate) trains_features: bool,
    /// One entry a stream, the recipe's own first.
    pub(crate) seen: &'a [Seen],
    pub(crate) objective: &'a Objective,
    /// Index of the epoch, from 0, and number of epochs.
    pub(crate) epoch: usize,
    pub(crate) epochs: usize,
}

impl Step<'_> {
    /// Features `[B, D]` of a stream's images.
    pub(crate) fn features(&self, stream: usize) -> Tensor {
        let images = &self.seen[stream].images;
        let features = || self.network.features(images, self.pass);
        if self.trains_features { features() } else { tch::no_grad(features) }
    }

    /// The recipe's loss of logits `[B, K]` of a stream's images.
    pub(crate) fn loss(&self, logits: &Tensor, stream: usize) -> Tensor {
        host_loss(self.objective, logits, &self.seen[stream].labels)
    }
}

/// The start of an epoch, as a system sees it.
pub(crate) struct EpochStart<'a> {
    pub(crate) network: &'a Network,
    pub(crate) recipe: &'a BackboneRecipe,
    pub(crate) data: &'a ImageData,
    pub(crate) seed: u64,
    pub(crate) epoch: usize,
}
