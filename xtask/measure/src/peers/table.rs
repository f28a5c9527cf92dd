//! The table of a comparison with peers, and its place in the docs.

use std::fmt::Write as _;

use anyhow::Result;
use tailfit::instruction_set;

use crate::docs;

/// Samples and classes of all three data sets: the counts of CIFAR-100-LT.
const SAMPLES: f64 = 10_847.0;
const CLASSES: f64 = 100.0;

/// One contender on one data set.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) heads: usize,
    objective: f64,
    accuracy: f64,
    /// For 20 epochs, one for each round.
    pub(crate) seconds_per_head: Vec<f64>,
    /// The machine's f32 peak right after each, 10⁹ operations a second.
    pub(crate) peaks: Vec<f64>,
}

impl Measured {
    pub(crate) fn new(name: &str, heads: usize, objective: f64, accuracy: f64) -> Self {
        let (seconds_per_head, peaks) = (vec![], vec![]);
        Self { name: name.to_owned(), heads, objective, accuracy, seconds_per_head, peaks }
    }

    fn seconds(&self) -> f64 {
        median(&self.seconds_per_head)
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

pub(crate) fn write_table(sections: &[(&str, usize, Vec<Measured>)]) -> Result<()> {
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let mut text = format!(
        "\n{threads} threads, {}. Seconds for 20 epochs of one head, medians of {} rounds in which all trainers took \
         turns; f32 peak: multiply-adds in registers, measured between the rounds.\n",
        instruction_set(),
        sections.first().map_or(0, |(.., rows)| rows[0].seconds_per_head.len()),
    );
    for (name, dim, rows) in sections {
        let peaks: Vec<f64> = rows.iter().flat_map(|row| row.peaks.clone()).collect();
        let peak = median(&peaks);
        let flops = 4.0 * SAMPLES * *dim as f64 * CLASSES * 20.0;
        let seconds_of = |wanted: &str| {
            rows.iter().find(|row| row.name == wanted).map_or(f64::NAN, Measured::seconds)
        };
        let [indexed, jax] = ["torch-indexed", "jax-stacked"].map(seconds_of);
        write!(
            text,
            "\n### {name}: N = 10,847, D = {dim}, K = 100 (f32 peak {peak:.0} GFLOP/s)\n\n\
             | trainer | heads | s per head | speed-up over torch-indexed | speed-up over jax-stacked | share of f32 \
             peak | objective | test % |\n\
             |:--|--:|--:|--:|--:|--:|--:|--:|\n"
        )?;
        for row in rows {
            let seconds = row.seconds();
            let of_peak = if row.name.starts_with("scikit") {
                "–".to_owned()
            } else {
                format!("{:.0} %", 100.0 * flops / seconds / 1e9 / peak)
            };
            writeln!(
                text,
                "| {} | {} | {seconds:.4} | {:.2} | {:.2} | {of_peak} | {:.5} | {:.2} |",
                row.name,
                row.heads,
                indexed / seconds,
                jax / seconds,
                row.objective,
                row.accuracy
            )?;
        }
    }
    docs::put("docs/performance.md", "peers", &text)
}
