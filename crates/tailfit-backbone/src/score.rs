//! Scores a network on held-out images.

use tailfit::error::Result;
use tailfit::metrics::{Accuracy, samples_per_class};
use tch::{Kind, Tensor};

use crate::augment::{Look, Preparation};
use crate::batches::batches;
use crate::data::{ImageData, Subset};
use crate::layers::{NormMode, Pass};
use crate::network::Network;
use crate::systems::System;

/// Images scored at a time.
const BATCH: usize = 250;

/// Accuracy with plain logits, and with logits averaged over plain and mirrored images.
///
/// # Errors
///
/// If an image cannot be read.
pub(crate) fn score(
    network: &Network,
    system: &dyn System,
    (data, part): (&ImageData, Subset),
    preparation: Preparation,
    bf16: bool,
) -> Result<[Accuracy; 2]> {
    let (images, rows) = data.subset(part);
    let pass = Pass { norm: NormMode::Evaluate, bf16 };
    let mut hits = [vec![0_u32; data.n_classes()], vec![0_u32; data.n_classes()]];
    tch::no_grad(|| {
        let prediction = system.prediction(network, &data.counts);
        std::thread::scope(|scope| -> Result<()> {
            let order = (rows.to_vec(), 0);
            for batch in batches(scope, (images, preparation), order, BATCH, |_| Look::Plain)? {
                let batch = batch?;
                let logits = |images: Tensor| {
                    let features = network.features(&images, pass);
                    match &prediction {
                        Some(map) => map.logits(&network.head_inputs(&features)),
                        None => network.logits(&features),
                    }
                };
                let images = batch.images(network.parameters().device());
                let mirrored = images.flip([3]);
                let one = logits(images);
                let both = &one + logits(mirrored);
                for (logits, hits) in [one, both].iter().zip(&mut hits) {
                    let best = logits.argmax(1, false).to_kind(Kind::Int64);
                    let best = Vec::<i64>::try_from(best).expect("whole numbers");
                    for (&label, best) in batch.labels.iter().zip(best) {
                        hits[label as usize] += u32::from(label == best);
                    }
                }
            }
            Ok(())
        })
    })?;
    let labels = rows.iter().map(|&row| images.labels[row as usize]);
    let samples = samples_per_class(labels, data.n_classes());
    Ok(hits.map(|hits| Accuracy::new(&hits, &samples, &data.counts, data.thresholds)))
}
