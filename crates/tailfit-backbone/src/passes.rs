//! A training pass over images, shared by stage 1 and live re-training.

use tailfit::error::{Error, Result};
use tailfit::images::Images;
use tailfit::losses::Objective;

use crate::augment::{Look, Preparation};
use crate::batches::batches;
use crate::layers::Pass;
use crate::network::Network;
use crate::optimiser::Optimiser;
use crate::streams::placed;
use crate::systems::{Seen, Step, System};

/// One epoch's pass over augmented images.
pub(crate) struct TrainingPass<'a> {
    pub(crate) network: &'a Network,
    pub(crate) system: &'a dyn System,
    /// How to do the forward pass, and whether to train the features too.
    pub(crate) pass: Pass,
    pub(crate) trains_features: bool,
    pub(crate) images: &'a Images,
    /// For every stream the images of the epoch in order, and how they are prepared.
    pub(crate) streams: Vec<(Vec<u32>, Preparation)>,
    /// How many images of a stream are already done.
    pub(crate) from: usize,
    pub(crate) batch_size: usize,
    pub(crate) objective: &'a Objective,
    pub(crate) lr: f64,
    pub(crate) seed: u64,
    /// Index of the epoch, from 0, and number of epochs.
    pub(crate) epoch: usize,
    pub(crate) epochs: usize,
}

/// The result of a step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
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
        done: &mut dyn FnMut(Done) -> bool,
    ) -> Result<()> {
        let Self { network, system, pass, trains_features, seed, epoch, epochs, .. } = self;
        let device = network.parameters().device();
        let mut number = self.from / self.batch_size;
        std::thread::scope(|scope| -> Result<()> {
            let mut receivers = Vec::new();
            for (stream, (order, preparation)) in self.streams.into_iter().enumerate() {
                let look =
                    move |place| Look::Augmented { seed, epoch, place: placed(stream, place) };
                let (images, order) = ((self.images, preparation), (order, self.from));
                receivers.push(batches(scope, images, order, self.batch_size, look)?);
            }
            while let Ok(first) = receivers[0].recv() {
                let mut seen = Vec::with_capacity(receivers.len());
                let further = receivers[1..].iter();
                let further = further.map(|all| all.recv().expect("streams are equally long"));
                for batch in std::iter::once(first).chain(further) {
                    let batch = batch?;
                    seen.push(Seen { images: batch.images(device), labels: batch.labels });
                }
                let images = seen[0].labels.len();
                if images < 2 {
                    // A single image has no statistics; LTWB's loop fails on it.
                    continue;
                }
                let first = ((epoch as u64 + 1) << 40) + (number * self.batch_size) as u64;
                let objective = &self.objective.clone().drawing(seed, first);
                let seen = &seen;
                let step = Step { network, pass, trains_features, seen, objective, epoch, epochs };
                let loss = system.cost(&step);
                optimiser.step(&loss, self.lr);
                let loss = loss.double_value(&[]);
                if !loss.is_finite() {
                    return Err(diverged(epoch, number, "a finite loss", loss));
                }
                system.after_step(network);
                number += 1;
                if !done(Done { loss, images }) {
                    break;
                }
            }
            Ok(())
        })?;
        // The last step shows in no loss.
        let finite = |t: &tch::Tensor| t.detach().isfinite().all().int64_value(&[]) == 1;
        let diverging = network.parameters().trained().find(|p| !finite(&p.tensor));
        diverging.map_or(Ok(()), |p| Err(diverged(epoch, number, "finite weights", &p.name)))
    }
}

fn diverged(epoch: usize, batch: usize, expected: &str, found: impl std::fmt::Display) -> Error {
    let place = format!("epoch {epoch}, batch {batch}");
    Error::data(place, expected, found, "training diverged; lower the learning rate")
}
