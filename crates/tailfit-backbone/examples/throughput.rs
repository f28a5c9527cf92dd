//! Images per second of training or extraction, data loading included, on images of noise.
//!
//! ```text
//! throughput NETWORK f32|bf16 train|extract BATCHES [DEVICE]
//! throughput RECIPE.toml f32|bf16 train|extract BATCHES [DEVICE]
//! ```

#![allow(clippy::print_stdout, reason = "it is what this program is for")]

use std::cell::RefCell;
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tailfit::images::{Images, Kept, LongTail, Profile, Split};
use tailfit::recipe::Sgd;
use tailfit::shots::ShotThresholds;
use tailfit_backbone::{
    Architecture, BackboneRecipe, Event, Extraction, Extractor, ImageData, NormMode, Run, StoredAs,
    Subset, device,
};

/// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Batches before the clock starts.
const WARM_UP: usize = 3;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [network, precision, mode, batches, more @ ..] = words.as_slice() else {
        return Err("throughput NETWORK|RECIPE.toml f32|bf16 train|extract BATCHES [DEVICE]".into());
    };
    let batches: usize = batches.parse()?;
    let data = data()?;
    let mut recipe = if Path::new(network).extension().is_some_and(|extension| extension == "toml")
    {
        BackboneRecipe::from_toml(&fs_err::read_to_string(network)?, network)?
    } else {
        let network: Architecture = serde_json::from_value(network.as_str().into())?;
        let batch_size = if network == Architecture::Resnet32 { 128 } else { 64 };
        let sgd = Sgd { batch_size, ..BackboneRecipe::default().sgd };
        BackboneRecipe { network, sgd, ..BackboneRecipe::default() }
    };
    recipe.precision = serde_json::from_value(precision.as_str().into())?;
    // Images of noise are not for learning.
    recipe.sgd.lr = 1e-3;
    let device = device(more.first().map_or("cpu", String::as_str))?;
    let times = RefCell::new(Vec::new());
    let images = if mode == "train" {
        let stop = AtomicBool::new(false);
        let report = |event: Event<'_>| {
            if let Event::Batch { .. } = event {
                times.borrow_mut().push(Instant::now());
                stop.store(times.borrow().len() >= WARM_UP + batches, Ordering::Relaxed);
            }
        };
        let folder =
            std::env::temp_dir().join(format!("tailfit-throughput-{}", std::process::id()));
        let run = Run {
            recipe: &recipe,
            seed: 0,
            data: &data,
            device,
            folder: &folder,
            stop: &stop,
            report: &report,
        };
        let ended = run.train();
        fs_err::remove_dir_all(&folder)?;
        ended?;
        recipe.sgd.batch_size
    } else {
        let network = recipe.network(data.n_classes(), 0, device);
        let bf16 = precision == "bf16";
        let (norm, stored) = (NormMode::Evaluate, StoredAs::F16);
        let preparation = recipe.preparation();
        let extraction =
            Extraction { preparation, norm, bf16, mirror: false, views: 0, seed: 0, stored };
        let path = std::env::temp_dir().join(format!("tailfit-throughput-{}", std::process::id()));
        let images = std::cell::Cell::new(0);
        let report = |n: usize| {
            times.borrow_mut().push(Instant::now());
            images.set(images.get().max(n));
        };
        extraction.write(Extractor::Network(&network), &data, Subset::Test, &path, "", &report)?;
        fs_err::remove_file(&path)?;
        images.get()
    };
    let times = times.into_inner();
    let timed = &times[WARM_UP - 1..];
    let seconds = timed[timed.len() - 1].duration_since(timed[0]).as_secs_f64();
    println!("{:.2}", (images * (timed.len() - 1)) as f64 / seconds);
    Ok(())
}

/// CIFAR-100-LT's shape; 2,000 test images.
fn data() -> Result<ImageData, Box<dyn Error>> {
    let noise = |n: usize| -> Images {
        let pixels = (0..n * 3072).map(|i| (i as u32).wrapping_mul(2_654_435_761).to_le_bytes()[3]);
        let labels = (0..n).map(|i| (i % 100) as u32).collect();
        Images::in_memory(pixels.collect(), (32, 32), labels, 100)
    };
    let images = noise(50_000);
    let rule = LongTail { profile: Profile::Exponential, imbalance_ratio: 100.0 };
    let thresholds = ShotThresholds::default();
    let split = Split::cut(&images.labels, 100, rule, Kept::FirstN, 0, thresholds)?;
    Ok(ImageData::new([images, noise(2_000)], split)?)
}
