//! What it costs that losses are computed by the core on the host: microseconds of loss and gradient
//! of a batch, and of libtorch's own cross-entropy on the same logits.
//!
//! ```text
//! seam B K
//! ```

#![allow(clippy::print_stdout, reason = "it is what this program is for")]

use std::error::Error;
use std::time::Instant;

use tailfit::class_counts::ClassCounts;
use tailfit::losses::{AnyLoss, CrossEntropy, Objective};
use tailfit_backbone::host_loss;
use tch::{Device, Kind, Tensor};

const ROUNDS: usize = 501;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [batch, classes] = words.as_slice() else { return Err("seam B K".into()) };
    let (batch, classes): (i64, i64) = (batch.parse()?, classes.parse()?);
    let counts = ClassCounts::new(vec![10; classes as usize])?;
    let objective = Objective::plain(AnyLoss::CrossEntropy(CrossEntropy {}), &counts);
    let logits =
        Tensor::randn([batch, classes], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    let labels: Vec<i64> = (0..batch).map(|i| i % classes).collect();
    let targets = Tensor::from_slice(&labels);
    let ours = median(&mut || host_loss(&objective, &logits, &labels).backward());
    let theirs = median(&mut || logits.cross_entropy_for_logits(&targets).backward());
    println!("{batch} x {classes}: {ours:.0} us here, {theirs:.0} us libtorch");
    Ok(())
}

fn median(work: &mut dyn FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[ROUNDS / 2]
}
