//! The same work by tailfit.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use anyhow::Result;
use tailfit::class_counts::ClassCounts;
use tailfit::kernels::peaks;
use tailfit::losses::Objective;
use tailfit::precision::{Precision, PrecisionChoice};
use tailfit::recipe::{Recipe, Start};
use tailfit::train::{Problem, Run, Trial, View, train};

const LR: f64 = 0.02;
const DECAY: f64 = 5e-4;

pub(crate) struct Ours {
    dim: usize,
    train: (Vec<f32>, Vec<u32>),
    test: (Vec<f32>, Vec<u32>),
    counts: ClassCounts,
}

/// A number of heads in a precision.
pub(crate) struct Way {
    pub(crate) name: String,
    pub(crate) heads: usize,
    precision: Precision,
}

/// The machine's f32 peak of this moment, in 10⁹ operations a second.
pub(crate) fn peak() -> f64 {
    peaks(Duration::from_millis(50)).f32
}

impl Ours {
    pub(crate) fn load(folder: &str, name: &str, dim: usize) -> Result<Self> {
        let part = |part: &str| -> Result<(Vec<f32>, Vec<u32>)> {
            let words = |kind: &str| -> Result<Vec<[u8; 4]>> {
                let bytes = fs_err::read(format!("{folder}/{name}-{part}.{kind}"))?;
                Ok(bytes.as_chunks::<4>().0.to_vec())
            };
            let features = words("f32")?.into_iter().map(f32::from_le_bytes).collect();
            Ok((features, words("u32")?.into_iter().map(u32::from_le_bytes).collect()))
        };
        let (train, test) = (part("train")?, part("test")?);
        let n_classes = train.1.iter().max().map_or(0, |&max| max as usize + 1);
        let counts = ClassCounts::from_labels(&train.1, n_classes)?;
        Ok(Self { dim, train, test, counts })
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
        let problem = Problem::<f32> {
            views: vec![View::Memory(Cow::Borrowed(&self.train.0))],
            dim: self.dim,
            labels: &self.train.1,
            counts: &self.counts,
            stage_1: None,
            scored: vec![],
        };
        let recipe = Recipe { start: Start::Random, lr: LR, weight_decay: DECAY, ..Recipe::PLAIN };
        let trial = Trial { recipe, seed: 0, stop_after: Some(epochs) };
        let trials = vec![trial; way.heads];
        let run = Run { progress: &|_| {}, score_every_epoch: false, precision: way.precision };
        let start = Instant::now();
        let outcomes = train(&problem, &trials, &run)?;
        let seconds = start.elapsed().as_secs_f64();

        let head = &outcomes[0].head;
        let logits = |features: &[f32]| -> Result<ndarray::Array2<f64>> {
            let rows = features.len() / self.dim;
            Ok(head.logits(ndarray::ArrayView2::from_shape((rows, self.dim), features)?))
        };
        let objective = Objective::<f64>::plain(trials[0].recipe.loss, &self.counts);
        let mut z = logits(&self.train.0)?.into_raw_vec_and_offset().0;
        let square: f64 = head.weight.iter().map(|w| w * w).sum();
        let value = objective.value_and_grad(&mut z, &self.train.1) + 0.5 * DECAY * square;
        let z = logits(&self.test.0)?;
        let is_hit = |(row, label): &(ndarray::ArrayView1<'_, f64>, &u32)| {
            row.iter()
                .enumerate()
                .all(|(k, &other)| k == **label as usize || other < row[**label as usize])
        };
        let hits = z.rows().into_iter().zip(&self.test.1).filter(is_hit).count();
        Ok([seconds, value, 100.0 * hits as f64 / self.test.1.len() as f64])
    }
}
