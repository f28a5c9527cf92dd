//! The same work by tailfit.

use std::time::{Duration, Instant};

use anyhow::Result;
use ndarray::{Array2, ArrayView1};
use tailfit::features::{DataSet, Features};
use tailfit::head::Start;
use tailfit::losses::Objective;
use tailfit::recipe::{Recipe, Sgd};
use tailfit::shots::ShotThresholds;
use tailfit::train::{Options, Trial, train};
use tailfit::{Precision, PrecisionChoice};

const LR: f64 = 0.02;
const DECAY: f64 = 5e-4;

pub(crate) struct Ours {
    /// Has one sample to score: scoring is no part of the work.
    pub(super) data: DataSet,
    test: Features,
}

/// A number of heads in a precision.
pub(crate) struct Way {
    pub(crate) name: String,
    pub(crate) heads: usize,
    precision: Precision,
}

/// The machine's f32 peak of this moment, in 10⁹ operations a second.
pub(crate) fn peak() -> f64 {
    crate::peak::peak(Duration::from_millis(50))
}

impl Ours {
    pub(crate) fn load(folder: &str, name: &str, dim: usize) -> Result<Self> {
        let part = |part: &str| -> Result<Features> {
            let words = |kind: &str| -> Result<Vec<[u8; 4]>> {
                let bytes = fs_err::read(format!("{folder}/{name}-{part}.{kind}"))?;
                Ok(bytes.as_chunks::<4>().0.to_vec())
            };
            let values: Vec<f32> = words("f32")?.into_iter().map(f32::from_le_bytes).collect();
            let features = Array2::from_shape_vec((values.len() / dim, dim), values)?;
            let labels = words("u32")?.into_iter().map(u32::from_le_bytes).collect();
            Ok(Features::new(features, labels)?)
        };
        let (train, test) = (part("train")?, part("test")?);
        let one = Features::new(Array2::zeros((1, dim)), vec![0])?;
        let data = DataSet::new(name, train, one, None, None, ShotThresholds::default())?;
        Ok(Self { data, test })
    }

    pub(crate) fn ways() -> Vec<Way> {
        let mut ways = Vec::new();
        for precision in [Precision::F32, Precision::Bf16] {
            if PrecisionChoice::Fixed(precision).resolve().is_err() {
                continue;
            }
            for heads in [1, 16, 325] {
                let name =
                    format!("tailfit-{}", if precision == Precision::F32 { "f32" } else { "bf16" });
                ways.push(Way { name, heads, precision });
            }
        }
        ways
    }

    /// Seconds, objective and test accuracy of the first head.
    pub(crate) fn train(&self, way: &Way, epochs: usize) -> Result<[f64; 3]> {
        let sgd = Sgd { lr: LR, weight_decay: DECAY, ..Recipe::PLAIN.sgd };
        let recipe = Recipe { start: Start::Random, sgd, ..Recipe::PLAIN };
        let trial = Trial { recipe, seed: 0, stop_after: Some(epochs) };
        let trials = vec![trial; way.heads];
        let options =
            Options { score_every_epoch: false, precision: way.precision, ..Options::default() };
        let start = Instant::now();
        let outcomes = train(&self.data, &trials, &options)?;
        let seconds = start.elapsed().as_secs_f64();

        let head = &outcomes[0].head;
        let (DataSet { train, counts, .. }, test) = (&self.data, &self.test);
        let objective = Objective::plain(trials[0].recipe.cost.loss, counts);
        let mut z = head.logits(train.plain.in_memory()?).into_raw_vec_and_offset().0;
        let square: f64 = head.weight.iter().map(|w| w * w).sum();
        let value = objective.value_and_grad_f64(&mut z, &train.labels) + 0.5 * DECAY * square;
        let z = head.logits(test.plain.in_memory()?);
        let is_hit = |(row, label): &(ArrayView1<'_, f64>, &u32)| {
            row.iter()
                .enumerate()
                .all(|(k, &other)| k == **label as usize || other < row[**label as usize])
        };
        let hits = z.rows().into_iter().zip(&test.labels).filter(is_hit).count();
        Ok([seconds, value, 100.0 * hits as f64 / test.len() as f64])
    }
}
