//! Checkpoints: the state of a run, from which it can be resumed.

use std::collections::HashMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tailfit::error::{Error, Result};
use tailfit::files::safetensors::read_metadata;
use tailfit::losses::ClassWeights;
use tailfit::metrics::Accuracy;
use tailfit::recipe::Sampler;

use crate::data::{ImageData, Subset};
use crate::heads::HeadLayer;
use crate::network::Network;
use crate::optimiser::Optimiser;
use crate::parameters::{read_tensors, write_tensors};
use crate::recipe::BackboneRecipe;
use crate::run_files::{BEST, LAST};

/// What a run is, and how far it has got.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// How the backbone is trained.
    pub recipe: BackboneRecipe,
    /// Determines initial weights, order and augmentation.
    pub seed: u64,
    /// SHA-256 identifying the training images: of their indices, or for files of their classes and
    /// paths.
    pub split_sha256: String,
    /// The same for the scored images; none if they are the test images of a set in memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scored_sha256: Option<String>,
    /// Version of the program.
    pub version: String,
    /// Number of complete epochs done.
    pub epoch: usize,
    /// Number of batches done in the next epoch.
    pub step: usize,
    /// Sum of batch loss times batch size in the next epoch.
    pub loss_sum: f64,
    /// Number of images seen in the next epoch.
    pub images: usize,
    /// The results of every epoch.
    pub log: Vec<Epoch>,
}

/// The results of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Index of the epoch, from 0.
    pub epoch: usize,
    /// Learning rate of the epoch.
    pub lr: f64,
    /// Mean loss over its images, measured before each step.
    pub train_loss: f64,
    /// Accuracy on the validation images, or on the test images if there are none; only for epochs
    /// that are scored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accuracy: Option<Accuracy>,
    /// The same with logits averaged over plain and mirrored images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mirrored_accuracy: Option<Accuracy>,
}

impl State {
    /// Restores the network of the run in `folder`, with the weights of its last or its best scored
    /// epoch, and the state of the run at that point.
    ///
    /// # Errors
    ///
    /// If the weights are missing, damaged, or were trained on images other than those of `data`.
    pub fn restore(
        folder: &Path,
        best: bool,
        data: &ImageData,
        device: tch::Device,
    ) -> Result<(Self, Network)> {
        let path = folder.join(if best { BEST } else { LAST });
        let state = read_state(&path)?;
        if state.split_sha256 != data.train_sha256() {
            return Err(Error::data(
                path.display(),
                format!("a backbone trained on the images with sha256 {}", data.train_sha256()),
                format!("one trained on {}", state.split_sha256),
                "give the same images the backbone was trained on",
            )
            .answered_by("split"));
        }
        let network = state.recipe.network(data.n_classes(), state.seed, device);
        network.parameters().load(&path)?;
        Ok((state, network))
    }

    /// Describes features of this run's network, in words.
    pub fn provenance(&self, data: &ImageData) -> String {
        let recipe = &self.recipe;
        let system = recipe.system.map_or(String::new(), |system| format!(", system {system}"));
        let further = self.further();
        format!(
            "Features of {} training images (imbalance ratio {:.0}, sha256 {}) from a {} that tailfit {} trained on them \
             from scratch with {}{system}{further}: learning rate {} ({}), momentum {}, weight decay {}, batches of {}, augmentation {}, \
             seed {}, after {} of {} epochs.",
            data.len(Subset::Train),
            data.counts.imbalance_ratio(),
            self.split_sha256.get(..12).unwrap_or_default(),
            named(&recipe.network),
            self.version,
            recipe.cost.loss.name(),
            recipe.sgd.lr,
            named(&recipe.sgd.schedule),
            recipe.sgd.momentum,
            recipe.sgd.weight_decay,
            recipe.sgd.batch_size,
            named(&recipe.augmentation),
            self.seed,
            self.epoch,
            recipe.sgd.epochs,
        )
    }

    /// What else of the recipe is not as usual.
    fn further(&self) -> String {
        let BackboneRecipe { cost, head, sampler, sgd, .. } = &self.recipe;
        let from = cost.defer_weights_to_epoch;
        let weights = format!(", class weights {} from epoch {from}", named(&cost.class_weights));
        let each = [
            (cost.class_weights != ClassWeights::Uniform, weights),
            (*head != HeadLayer::Linear, format!(", head {}", named(head))),
            (*sampler != Sampler::InstanceBalanced, format!(", sampler {}", named(sampler))),
            (sgd.nesterov, ", Nesterov's momentum".to_owned()),
        ];
        each.into_iter().filter(|(is, _)| *is).map(|(_, text)| text).collect()
    }
}

/// The name of a variant, as recipes spell it, with what it holds in brackets.
pub(crate) fn named(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(name)) => name,
        Ok(Value::Object(variant)) => {
            let one = |(name, inner): (&String, &Value)| format!("{name} {inner}");
            let all: Vec<String> = variant.iter().map(one).collect();
            all.join(", ").replace(['{', '}', '"'], "").replace(':', " ")
        }
        _ => String::new(),
    }
}

const KEY: &str = "state";
const VELOCITY: &str = "velocity.";

/// Writes network, velocity and state, atomically.
pub(crate) fn save(
    path: &Path,
    state: &State,
    network: &Network,
    optimiser: &Optimiser,
) -> Result<()> {
    let p = network.parameters();
    let weights = p.iter().map(|p| (p.name.clone(), p.tensor.shallow_clone()));
    let momentum = p.trained().zip(&optimiser.velocity);
    let momentum = momentum.map(|(p, v)| (format!("{VELOCITY}{}", p.name), v.shallow_clone()));
    write_tensors(path, weights.chain(momentum).collect(), metadata(path, state)?)
}

/// Writes only the weights, with the state of the run.
pub(crate) fn save_weights(path: &Path, state: &State, network: &Network) -> Result<()> {
    network.parameters().save(path, metadata(path, state)?)
}

fn metadata(path: &Path, state: &State) -> Result<HashMap<String, String>> {
    let text = serde_json::to_string(state)
        .map_err(|error| Error::data(path.display(), "a state that can be written", error, ""))?;
    Ok(HashMap::from([(KEY.to_owned(), text)]))
}

/// Restores a saved state, provided that it belongs to the same run as `wanted`.
pub(crate) fn load(
    path: &Path,
    wanted: &State,
    network: &Network,
    optimiser: &mut Optimiser,
) -> Result<State> {
    let state = read_state(path)?;
    let place = path.display().to_string();
    same_run(&state, wanted, &place)?;
    let entries = read_tensors(path)?;
    network.parameters().take(&entries, &place)?;
    for (parameter, velocity) in network.parameters().trained().zip(&mut optimiser.velocity) {
        let name = format!("{VELOCITY}{}", parameter.name);
        let saved = entries.get(&name).filter(|saved| saved.size() == velocity.size());
        let Some(saved) = saved else {
            return Err(Error::data(place, format!("a tensor `{name}`"), "none of this shape", ""));
        };
        tch::no_grad(|| velocity.copy_(saved));
    }
    Ok(state)
}

fn read_state(path: &Path) -> Result<State> {
    let damaged = |error: &dyn std::fmt::Display| {
        let remedy = "the file is cut off or not a checkpoint; remove it to start over";
        Error::data(path.display(), "a checkpoint", error, remedy)
    };
    let metadata = read_metadata(path)?;
    let text = metadata.get(KEY);
    let text = text.ok_or_else(|| damaged(&"weights without a state"))?;
    serde_json::from_str(text).map_err(|error| damaged(&error))
}

/// Refuses a checkpoint of another run; the message names what differs.
fn same_run(found: &State, wanted: &State, place: &str) -> Result<()> {
    let plain = |state: &State| {
        let recipe = serde_json::to_value(&state.recipe).unwrap_or_default();
        let mut all = recipe.as_object().cloned().unwrap_or_default();
        all.insert("seed".to_owned(), state.seed.into());
        all.insert("split (sha256)".to_owned(), state.split_sha256.clone().into());
        all.insert("scored images (sha256)".to_owned(), state.scored_sha256.clone().into());
        all
    };
    let (found, wanted) = (plain(found), plain(wanted));
    let differs = |key: &&String| found.get(*key) != wanted.get(*key);
    let Some(key) = found.keys().chain(wanted.keys()).find(differs) else { return Ok(()) };
    let text = |all: &serde_json::Map<String, serde_json::Value>| {
        all.get(key).map_or("nothing".to_owned(), ToString::to_string)
    };
    let remedy = "continue with the old settings, or choose another folder";
    let error = Error::usage(format!("{place}: {key}"), text(&wanted), text(&found), remedy);
    Err(error.answered_by("out"))
}
