//! A look at all training images, which trains nothing.

use tailfit::error::Result;
use tailfit::recipe::Sampler;
use tch::{Kind, Tensor};

use super::EpochStart;
use crate::augment::Look;
use crate::batches::batches;
use crate::data::Subset;
use crate::layers::{NormMode, Pass};
use crate::recipe::BackboneRecipe;
use crate::streams::{of_stream, placed};

/// Calls `f` with features `[B, D]`, in f64, and labels `[B]` of all training images, augmented and
/// shuffled, in evaluation mode. `stream` tells such passes apart.
///
/// # Errors
///
/// If an image cannot be read.
pub(super) fn look_at_training_images(
    start: &EpochStart<'_>,
    stream: usize,
    f: &mut dyn FnMut(Tensor, Tensor),
) -> Result<()> {
    let EpochStart { network, recipe, data, seed, epoch } = *start;
    let BackboneRecipe { sgd, .. } = recipe;
    let device = network.parameters().device();
    let order = data.order(Sampler::InstanceBalanced, of_stream(seed, stream), epoch, sgd.epochs);
    let images = (data.subset(Subset::Train).0, recipe.preparation());
    let look = move |place| Look::Augmented { seed, epoch, place: placed(stream, place) };
    let pass = Pass { norm: NormMode::Evaluate, bf16: recipe.bf16() };
    tch::no_grad(|| {
        std::thread::scope(|scope| {
            for batch in batches(scope, images, (order, 0), sgd.batch_size, look)? {
                let batch = batch?;
                let features = network.features(&batch.images(device), pass);
                let labels = Tensor::from_slice(&batch.labels).to_device(device);
                f(features.to_kind(Kind::Double), labels);
            }
            Ok(())
        })
    })
}
