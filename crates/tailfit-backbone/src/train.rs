//! The training loop of stage 1.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use tailfit::error::{Error, Result};
use tailfit::files::{check_writable, lock_folder, write_atomically};
use tailfit::recipe::Sgd;

use crate::checkpoint::{self, Epoch, State};
use crate::data::{ImageData, Subset};
use crate::events::events;
use crate::layers::{NormMode, Pass};
use crate::network::Network;
use crate::optimiser::Optimiser;
use crate::parameters::Parameter;
use crate::passes::{Done, TrainingPass};
use crate::recipe::BackboneRecipe;
use crate::run_files::{BEST, CHECKPOINT, EVENTS, LAST, LOG};
use crate::score::score;
use crate::streams::streams;
use crate::systems::EpochStart;

/// A training run: what is trained, on which images, and where the results go.
pub struct Run<'a> {
    /// The recipe to train with.
    pub recipe: &'a BackboneRecipe,
    /// Determines initial weights, order and augmentation.
    pub seed: u64,
    /// The images to train on and to score.
    pub data: &'a ImageData,
    /// The device to train on, CPU or GPU.
    pub device: tch::Device,
    /// Folder of the run; if it holds a checkpoint, the run resumes from it.
    pub folder: &'a Path,
    /// Once set, the current step is finished, the run is saved, and training stops.
    pub stop: &'a AtomicBool,
    /// Called with every event.
    pub report: &'a dyn Fn(Event<'_>),
}

/// What happens during training.
pub enum Event<'a> {
    /// Training begins, or goes on from a checkpoint.
    Begun {
        /// Number of batches already done, over all epochs.
        done: usize,
        /// Number of batches of the whole run.
        all: usize,
    },
    /// A batch is done.
    Batch {
        /// Its loss.
        loss: f64,
    },
    /// An epoch is done and saved.
    Epoch(&'a Epoch),
}

/// How training ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After the last epoch.
    Finished,
    /// Because it was told to; the run can be resumed.
    Stopped,
}

impl Run<'_> {
    /// Number of batches per epoch.
    fn batches_per_epoch(&self) -> usize {
        self.data.split.train.len().div_ceil(self.recipe.sgd.batch_size)
    }

    /// Trains from the start or from the folder's checkpoint, and saves after every epoch. A run
    /// that is interrupted at any moment and resumed ends with bit-identical weights, on the CPU
    /// and with the same number of threads.
    ///
    /// # Errors
    ///
    /// If the recipe is invalid, the folder has another run's checkpoint or weights, another run is in
    /// it, a file cannot be written (the previous checkpoint is then intact), an image cannot be read,
    /// or training diverges.
    pub fn train(&self) -> Result<(Network, State, End)> {
        let recipe = self.recipe;
        recipe.check()?;
        recipe.check_classes(self.data.n_classes())?;
        let _lock = lock_folder(self.folder)?;
        for name in [CHECKPOINT, LAST, BEST, LOG, EVENTS] {
            check_writable(&self.folder.join(name))?;
        }
        let network = recipe.network(self.data.n_classes(), self.seed, self.device);
        let decayed = |p: &Parameter| {
            let decays = recipe.decay_norm_and_bias || p.tensor.dim() > 1;
            (p.tensor.shallow_clone(), if decays { recipe.sgd.weight_decay } else { 0.0 })
        };
        let trained = network.parameters().trained().map(decayed);
        let mut optimiser = Optimiser::new(trained, recipe.sgd.momentum, recipe.sgd.nesterov);
        let mut state = self.beginning();
        let path = self.folder.join(CHECKPOINT);
        if path.exists() {
            state = checkpoint::load(&path, &state, &network, &mut optimiser)?;
        } else if self.folder.join(LAST).exists() {
            let expected = "a new folder, or one with a checkpoint to go on from";
            let remedy = "choose another folder: training would end in replacing them";
            let place = self.folder.display();
            return Err(Error::usage(place, expected, format!("trained weights, {LAST}"), remedy)
                .answered_by("out"));
        }
        let per_epoch = self.batches_per_epoch();
        let (done, all) = (state.epoch * per_epoch + state.step, recipe.sgd.epochs * per_epoch);
        (self.report)(Event::Begun { done, all });
        while state.epoch < recipe.sgd.epochs {
            let mut end = self.epoch(&network, &mut optimiser, &mut state)?;
            if end == End::Finished || state.step == self.batches_per_epoch() {
                if let Err(error) = self.score(&network, &mut state) {
                    // An image that cannot be read is no reason to lose the epoch.
                    checkpoint::save(&path, &state, &network, &optimiser)?;
                    return Err(error);
                }
                end = if self.stop.load(Ordering::Relaxed) { End::Stopped } else { End::Finished };
            }
            // The checkpoint is written last: a run killed before that repeats the epoch and writes
            // the same files.
            let whole = state.log.last().filter(|_| state.step == 0);
            if let Some(epoch) = whole {
                self.write_log(&state)?;
                if best(&state.log) == Some(epoch.epoch) {
                    checkpoint::save_weights(&self.folder.join(BEST), &state, &network)?;
                }
            }
            checkpoint::save(&path, &state, &network, &optimiser)?;
            if let Some(epoch) = whole {
                (self.report)(Event::Epoch(epoch));
            }
            if end == End::Stopped && state.epoch < recipe.sgd.epochs {
                return Ok((network, state, End::Stopped));
            }
        }
        checkpoint::save_weights(&self.folder.join(LAST), &state, &network)?;
        Ok((network, state, End::Finished))
    }

    fn beginning(&self) -> State {
        State {
            recipe: self.recipe.clone(),
            seed: self.seed,
            split_sha256: self.data.train_sha256(),
            scored_sha256: self.data.scored_sha256(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            epoch: 0,
            step: 0,
            loss_sum: 0.0,
            images: 0,
            log: Vec::new(),
        }
    }

    /// Trains on the remaining batches of an epoch.
    fn epoch(
        &self,
        network: &Network,
        optimiser: &mut Optimiser,
        state: &mut State,
    ) -> Result<End> {
        let (recipe, data, epoch) = (self.recipe, self.data, state.epoch);
        let Sgd { batch_size, epochs, .. } = recipe.sgd;
        let mut end = End::Finished;
        let (system, own) = (recipe.system(), (recipe.preparation(), recipe.sampler));
        if state.step == 0 {
            system.before_epoch(&EpochStart { network, recipe, data, seed: self.seed, epoch })?;
        }
        let pass = TrainingPass {
            network,
            system,
            pass: Pass { norm: NormMode::Train, bf16: recipe.bf16() },
            trains_features: true,
            images: data.subset(Subset::Train).0,
            streams: streams(data, own, &system.streams(), (self.seed, epoch, epochs)),
            from: state.step * batch_size,
            batch_size,
            objective: &recipe.cost.objective(epoch, &data.counts),
            lr: recipe.sgd.lr_of(epoch),
            seed: self.seed,
            epoch,
            epochs,
        };
        pass.run(optimiser, &mut |Done { loss, images }| {
            state.step += 1;
            state.loss_sum += loss * images as f64;
            state.images += images;
            (self.report)(Event::Batch { loss });
            if self.stop.load(Ordering::Relaxed) {
                end = End::Stopped;
            }
            end == End::Finished
        })?;
        Ok(end)
    }

    /// Scores and logs an epoch whose batches are done.
    fn score(&self, network: &Network, state: &mut State) -> Result<()> {
        let (recipe, data, epoch) = (self.recipe, self.data, state.epoch);
        let lr = recipe.sgd.lr_of(epoch);
        let done = epoch + 1;
        let scored = done.is_multiple_of(recipe.score_every) || done == recipe.sgd.epochs;
        let [plain, mirrored] = if scored {
            let images = (data, data.scored_subset());
            score(network, recipe.system(), images, recipe.preparation(), recipe.bf16())?.map(Some)
        } else {
            [None, None]
        };
        let train_loss = state.loss_sum / state.images as f64;
        let (accuracy, mirrored_accuracy) = (plain, mirrored);
        state.log.push(Epoch { epoch, lr, train_loss, accuracy, mirrored_accuracy });
        (state.epoch, state.step, state.loss_sum, state.images) = (done, 0, 0.0, 0);
        Ok(())
    }

    fn write_log(&self, state: &State) -> Result<()> {
        let unwritable = |error| Error::data(LOG, "a log that can be written", error, "");
        let mut text = String::new();
        for epoch in &state.log {
            text += &serde_json::to_string(epoch).map_err(unwritable)?;
            text.push('\n');
        }
        write_atomically(&self.folder.join(LOG), text.as_bytes())?;
        write_atomically(&self.folder.join(EVENTS), &events(&state.log))
    }
}

/// The scored epoch with the highest accuracy; ties go to the later one.
pub fn best(log: &[Epoch]) -> Option<usize> {
    let scored = log.iter().filter_map(|e| Some((e.epoch, e.accuracy.as_ref()?.overall_percent)));
    scored.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(epoch, _)| epoch)
}
