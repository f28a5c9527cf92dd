//! A training pass over images, shared by stage 1 and live re-training.

use tailfit::error::{Error, Result};
use tailfit::images::Images;
use tailfit::losses::Objective;
use tch::Tensor;

use crate::augment::{Look, Preparation};
use crate::batches::batches;
use crate::layers::Pass;
use crate::network::Network;
use crate::optimiser::Optimiser;
use crate::seam::host_loss;

/// One epoch's pass over augmented images.
pub(crate) struct TrainingPass<'a> {
    pub(crate) network: &'a Network,
    /// How to do the forward pass, and whether to train the features too.
    pub(crate) pass: Pass,
    pub(crate) trains_features: bool,
    pub(crate) images: (&'a Images, Preparation),
    /// The images of the epoch in order, and how many of them are already done.
    pub(crate) order: (Vec<u32>, usize),
    pub(crate) batch_size: usize,
    pub(crate) objective: &'a Objective,
    pub(crate) lr: f64,
    pub(crate) seed: u64,
    /// Index of the epoch, from 0.
    pub(crate) epoch: usize,
}

/// The result of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    pub(crate) loss: f64,
    pub(crate) images: usize,
}

impl TrainingPass<'_> {
    /// Takes a step on every remaining batch; `done` is called after each and says whether to
    /// continue.
    ///
    /// # Errors
    ///
    /// If an image cannot be read, or training diverges.
    pub(crate) fn run(
        self,
        optimiser: &mut Optimiser,
        done: &mut dyn FnMut(Step) -> bool,
    ) -> Result<()> {
        let Self { network, pass, trains_features, seed, epoch, .. } = self;
        let device = network.parameters().device();
        let look = move |place| Look::Augmented { seed, epoch, place };
        let mut number = self.order.1 / self.batch_size;
        std::thread::scope(|scope| -> Result<()> {
            for batch in batches(scope, self.images, self.order, self.batch_size, look)? {
                let batch = batch?;
                if batch.labels.len() < 2 {
                    // A single image has no statistics; LTWB's loop fails on it.
                    continue;
                }
                let images = batch.images(device);
                let features = || -> Tensor { network.features(&images, pass) };
                let features = if trains_features { features() } else { tch::no_grad(features) };
                let logits = network.logits(&features);
                let first = ((epoch as u64 + 1) << 40) + (number * self.batch_size) as u64;
                let objective = self.objective.clone().drawing(seed, first);
                let loss = host_loss(&objective, &logits, &batch.labels);
                optimiser.step(&loss, self.lr);
                let loss = loss.double_value(&[]);
                if !loss.is_finite() {
                    return Err(diverged(epoch, number, loss));
                }
                number += 1;
                if !done(Step { loss, images: batch.labels.len() }) {
                    break;
                }
            }
            Ok(())
        })
    }
}

fn diverged(epoch: usize, batch: usize, loss: f64) -> Error {
    let place = format!("epoch {epoch}, batch {batch}");
    Error::data(place, "a finite loss", loss, "training diverged; lower the learning rate")
}
