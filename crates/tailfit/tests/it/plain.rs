//! Stage 2 as a plain loop in f64: what the engine must equal.

use ndarray::{Array1, Array2, Axis};
use tailfit::features::DataSet;
use tailfit::head::{Head, HeadKind, Start};
use tailfit::recipe::{Every, Recipe, Sgd};
use tailfit::rng::{Purpose, Rng};

use crate::plain_gate::PlainGate;

fn f64s(features: &tailfit::features::Matrix) -> Array2<f64> {
    features.in_memory().unwrap().mapv(f64::from)
}

fn start(recipe: &Recipe, stage_1: &Head, seed: u64) -> Head {
    let (k, dim) = (stage_1.n_classes(), stage_1.dim());
    let mut head = match recipe.start {
        Start::Stage1 | Start::ClassMeans | Start::ClassVectors => stage_1.clone(),
        Start::Zero | Start::Random => Head::zeros(k, dim),
    };
    if recipe.start == Start::Random {
        let mut rng = Rng::new(seed, Purpose::Start, 0);
        let bound = 1.0 / (dim as f64).sqrt();
        head.weight.mapv_inplace(|_| bound * (2.0 * rng.uniform() - 1.0));
        head.bias.mapv_inplace(|_| bound * (2.0 * rng.uniform() - 1.0));
    }
    head
}

/// Rows divided by their norms, and the norms.
fn normalised(x: &Array2<f64>) -> (Array2<f64>, Array1<f64>) {
    let norms = x.map_axis(Axis(1), |row| row.dot(&row).sqrt().max(1e-12));
    (x / &norms.clone().insert_axis(Axis(1)), norms)
}

/// PyTorch's SGD on one array.
pub(crate) fn descend(w: &mut [f64], v: &mut [f64], grad: &[f64], decay: f64, lr: f64, sgd: &Sgd) {
    for ((w, v), grad) in w.iter_mut().zip(v).zip(grad) {
        let grad = grad + decay * *w;
        *v = sgd.momentum * *v + grad;
        *w -= lr * if sgd.nesterov { grad + sgd.momentum * *v } else { *v };
    }
}

/// The recipe, step by step.
pub(crate) fn plain(data: &DataSet, recipe: &Recipe, seed: u64) -> Head {
    let stage_1 = &data.stage_1.as_ref().unwrap().head;
    let Head { mut weight, mut bias, .. } = start(recipe, stage_1, seed);
    let (k, counts, sgd) = (weight.nrows(), &data.counts, &recipe.sgd);
    let cosine = if let HeadKind::Cosine { scale } = recipe.head { Some(scale) } else { None };
    let of_unit_norm = cosine.is_some() || recipe.head == HeadKind::Normalised;
    let margin = recipe.head == HeadKind::Margin;
    let gated = recipe.head == HeadKind::Gated;
    let rate = match recipe.head {
        HeadKind::Scaled | HeadKind::Margin => Some(0.0),
        HeadKind::ScaledLinear { rate } => Some(rate),
        _ => None,
    };
    if cosine.is_some() {
        bias.fill(0.0);
    }
    let (mut scale, mut shift) = (Array1::<f64>::ones(k), Array1::<f64>::zeros(k));
    let widths = normalised(&weight).1;
    let mut gate = PlainGate::new(weight.dim());
    let zeros = |n: usize| vec![0.0; n];
    let (mut vw, mut vb, mut vs, mut vt) = (zeros(weight.len()), zeros(k), zeros(k), zeros(k));
    let mut rows = vec![Vec::new(); k];
    for (row, &label) in data.train.labels.iter().enumerate() {
        rows[label as usize].push(row as u32);
    }
    let views: Vec<Array2<f64>> = match &data.train.views[..] {
        [] => vec![f64s(&data.train.plain)],
        views => views.iter().map(f64s).collect(),
    };
    let views: Vec<Array2<f64>> =
        views.into_iter().map(|x| if of_unit_norm { normalised(&x).0 } else { x }).collect();
    let project = |weight: &mut Array2<f64>, now: Every| {
        let Some(rule) = recipe.constraint.filter(|rule| rule.every == now) else { return };
        let radius = rule.radius(&stage_1.weight_norms());
        for mut row in weight.rows_mut() {
            let norm = row.dot(&row).sqrt();
            if norm > radius {
                row *= radius / norm;
            }
        }
    };
    for epoch in 0..sgd.epochs {
        let (lr, objective) = (sgd.lr_of(epoch), recipe.cost.objective(epoch, counts));
        let order = recipe.sampler.order(&rows, seed, epoch, sgd.epochs);
        for (number, batch) in order.chunks(sgd.batch_size).enumerate() {
            let first = ((epoch as u64 + 1) << 40) + (number * sgd.batch_size) as u64;
            let objective = objective.clone().drawing(seed, first);
            let picked: Vec<usize> = batch.iter().map(|&row| row as usize).collect();
            let x = views[epoch % views.len()].select(Axis(0), &picked);
            let y: Vec<u32> = picked.iter().map(|&row| data.train.labels[row]).collect();
            let (unit, norms) = normalised(&weight);
            let inner = match cosine {
                Some(s) => x.dot(&unit.t()) * s,
                None => x.dot(&weight.t()) + &bias,
            };
            let z =
                if gated { gate.logits(&x, &inner) } else { &inner * &scale + &(&shift * &widths) };
            let mut z = z.as_standard_layout().into_owned();
            objective.value_and_grad_f64(z.as_slice_mut().unwrap(), &y);
            let mut g = z;
            let decay = sgd.weight_decay;
            let mut lr = lr;
            if gated {
                let bias_decay = if recipe.decay_bias { decay } else { 0.0 };
                gate.step((&x, &inner, &g), (decay, bias_decay), lr, sgd);
                continue;
            }
            if margin {
                let grad = (g.sum_axis(Axis(0)) * &widths).to_vec();
                descend(shift.as_slice_mut().unwrap(), &mut vt, &grad, decay, lr, sgd);
            }
            if let Some(rate) = rate {
                let grad = (&g * &inner).sum_axis(Axis(0)).to_vec();
                g *= &scale;
                descend(scale.as_slice_mut().unwrap(), &mut vs, &grad, decay, lr, sgd);
                lr *= rate;
            }
            let mut grad = g.t().dot(&x).as_standard_layout().into_owned();
            if let Some(s) = cosine {
                // The part of s ∂/∂ŵ that is orthogonal to ŵ, over ‖w‖.
                let along = (&grad * &unit).sum_axis(Axis(1)).insert_axis(Axis(1));
                grad = (grad - &unit * &along) * s / &norms.insert_axis(Axis(1));
            } else {
                let bias_decay = if recipe.decay_bias { decay } else { 0.0 };
                let grad = g.sum_axis(Axis(0)).to_vec();
                descend(bias.as_slice_mut().unwrap(), &mut vb, &grad, bias_decay, lr, sgd);
            }
            let grad: Vec<f64> = grad.iter().copied().collect();
            descend(weight.as_slice_mut().unwrap(), &mut vw, &grad, decay, lr, sgd);
            project(&mut weight, Every::Step);
        }
        project(&mut weight, Every::Epoch);
    }
    let mut head = Head { normalise_features: of_unit_norm, ..Head::linear(weight, bias) };
    if let Some(s) = cosine {
        head.weight = normalised(&head.weight).0 * s;
    }
    head.gate = gated.then_some(gate.gate);
    head.weight *= &scale.clone().insert_axis(Axis(1));
    head.bias = &head.bias * &scale + &(&shift * &widths);
    recipe.finish(&mut head, counts);
    head
}
