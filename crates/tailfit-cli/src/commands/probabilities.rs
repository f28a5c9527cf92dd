//! What `tailfit evaluate` says about probabilities.

use anyhow::Result;
use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde_json::{Value, json};
use tailfit::features::{DataSet, Features, HeadFile, save_head};
use tailfit::head::Head;
use tailfit::metrics::{Binary, EvaluationSet, evaluate, halves};
use tailfit::probabilities::{
    ProbabilityScores, TargetPrior, estimate_prior, fit_temperature, log_ratio, mean_logits,
    softmax,
};
use tailfit::report::Table;

use crate::args::EvaluateArgs;

/// A table with the same as JSON.
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) table: Table,
    pub(super) json: Value,
}

fn logits(head: &Head, set: &Features) -> Result<Array2<f64>> {
    let mirror = set.mirror.as_ref().map(tailfit::features::Matrix::in_memory).transpose()?;
    Ok(mean_logits(head, set.plain.in_memory()?, mirror))
}

fn scores(logits: ArrayView2<'_, f64>, labels: &[u32], temperature: f64) -> ProbabilityScores {
    let scaled = logits.mapv(|z| z / temperature);
    let shift = vec![0.0; scaled.ncols()];
    ProbabilityScores::of(softmax(scaled, &shift).view(), labels)
}

/// How good probabilities are before and after a temperature; writes the head with it, if asked.
pub(super) fn temperature(args: &EvaluateArgs, data: &DataSet, file: &HeadFile) -> Result<Part> {
    let z = logits(&file.head, &data.test)?;
    let labels = &data.test.labels;
    let before = scores(z.view(), labels, 1.0);
    let (fitted, after, how) = if let Some(set) = &data.validation {
        let temperature = fit_temperature(logits(&file.head, set)?.view(), &set.labels);
        (temperature, scores(z.view(), labels, temperature), "fitted on the validation set")
    } else {
        let after = scores(cross_fitted(&z, &data.test).view(), labels, 1.0);
        let how =
            "each half of the test set at the temperature of the other; the one shown is of both";
        (fit_temperature(z.view(), labels), after, how)
    };
    if let Some(path) = &args.out {
        let mut head = file.head.clone();
        head.scale_logits(&Array1::from_elem(head.n_classes(), 1.0 / fitted));
        let mut metadata = file.metadata.clone();
        metadata.insert("temperature".to_owned(), fitted.to_string());
        save_head(path, &HeadFile::new(head, &file.key, metadata))?;
    }
    let row = |name: String, scores: &ProbabilityScores| {
        vec![
            name,
            format!("{:.4}", scores.nll),
            format!("{:.2}", scores.ece_percent),
            format!("{:.3}", scores.classwise_ece_percent),
        ]
    };
    let table = Table {
        caption: String::new(),
        columns: ["probabilities", "NLL", "ECE", "classwise ECE"].map(str::to_owned).to_vec(),
        rows: vec![
            row("as they are".to_owned(), &before),
            row(format!("temperature {fitted:.3}"), &after),
        ],
        notes: vec![format!("temperature: {how}.")],
    };
    let json = json!({"temperature": fitted, "fitted": how, "before": before, "after": after});
    Ok(Part { name: "temperature", table, json })
}

/// Logits of which each half is divided by the temperature of the other.
fn cross_fitted(z: &Array2<f64>, set: &Features) -> Array2<f64> {
    let labels = &set.labels;
    let halves = halves(labels, set.groups.as_ref(), 0);
    let mut scaled = z.clone();
    for half in 0..2 {
        let rows =
            |of: u8| -> Vec<usize> { (0..labels.len()).filter(|&row| halves[row] == of).collect() };
        let others = rows(1 - half);
        let known: Vec<u32> = others.iter().map(|&row| labels[row]).collect();
        if known.is_empty() {
            continue;
        }
        let temperature = fit_temperature(z.select(Axis(0), &others).view(), &known);
        for row in rows(half) {
            scaled.row_mut(row).mapv_inplace(|z| z / temperature);
        }
    }
    scaled
}

/// Accuracy where classes have other frequencies, by re-weighting the test set.
pub(super) fn priors(args: &EvaluateArgs, data: &DataSet, head: &Head) -> Result<Part> {
    let k = data.counts.n_classes();
    let set = EvaluationSet::of(&data.test)?;
    let recalls =
        |head: &Head| evaluate(head, &set, &data.counts, data.thresholds).per_class_percent;
    let assumed = args.head_prior.prior().frequencies(k, Some(&data.counts))?;
    let plain = recalls(head);
    let weighted = |recalls: &[Option<f64>], prior: &[f64]| {
        let present = recalls.iter().zip(prior).filter_map(|(r, p)| Some(((*r)? * p, p)));
        let (sum, total) = present.fold((0.0, 0.0), |(a, b), (r, p)| (a + r, b + p));
        (total > 0.0).then(|| sum / total)
    };
    let (mut rows, mut list) = (vec![], vec![]);
    for target in &args.target_prior {
        // Samples as they are count as often as there are of them, whatever the estimate says.
        let estimated = *target == TargetPrior::Estimated;
        let prior = if estimated {
            let probabilities = softmax(logits(head, &data.test)?, &vec![0.0; k]);
            estimate_prior(probabilities.view(), &assumed)
        } else {
            target.frequencies(k, Some(&data.counts))?
        };
        let counted = if estimated { test_frequencies(data) } else { prior.clone() };
        let mut adjusted = head.clone();
        // A class that does not occur: far below any logit, and far from where a gate overflows.
        let shift = log_ratio(&prior, &assumed).into_iter().map(|shift| shift.max(-1e9));
        adjusted.shift_logits(&shift.collect());
        let (as_is, after) = (weighted(&plain, &counted), weighted(&recalls(&adjusted), &counted));
        let mut name = target.to_string();
        let mut entry = json!({"target_prior": name, "percent": as_is, "adjusted_percent": after});
        if estimated {
            let off = prior.iter().zip(&counted).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0;
            entry["total_variation_percent"] = json!(100.0 * off);
            entry["estimate"] = json!(prior);
            name = format!("{name} (off by {:.1} %)", 100.0 * off);
        }
        list.push(entry);
        let cell = |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{v:.2}"));
        rows.push(vec![name, cell(as_is), cell(after)]);
    }
    let columns = ["target prior", "all", "all, adjusted to it"].map(str::to_owned).to_vec();
    let note = "target prior: each class counts as its frequency there; adjusted: log of that over the frequencies the \
                head assumes, added to its bias.";
    let mut notes = vec![note.to_owned()];
    if args.target_prior.contains(&TargetPrior::Estimated) {
        let note = "estimated: by maximum likelihood from the test features alone, as `predict` does without labelled samples; \
                    here every test sample counts once. Off by: the total variation distance between the estimate and the \
                    frequencies of the test labels.";
        notes.push(note.to_owned());
    }
    let table = Table { caption: String::new(), columns, rows, notes };
    Ok(Part { name: "target_priors", table, json: json!(list) })
}

/// The share of each class among the test samples, `[K]`.
fn test_frequencies(data: &DataSet) -> Vec<f64> {
    let mut shares = vec![0.0; data.counts.n_classes()];
    for &label in &data.test.labels {
        shares[label as usize] += 1.0 / data.test.len() as f64;
    }
    shares
}

/// The usual figures of two classes, of which the rarer in training is positive.
pub(super) fn binary(data: &DataSet, head: &Head) -> Result<Option<Part>> {
    let &[a, b] = data.counts.as_slice() else { return Ok(None) };
    let positive = usize::from(b <= a);
    let z = logits(head, &data.test)?;
    let score = |(row, &label): (usize, &u32)| {
        (z[[row, positive]] - z[[row, 1 - positive]], label as usize == positive)
    };
    let samples: Vec<(f64, bool)> = data.test.labels.iter().enumerate().map(score).collect();
    let Some(figures) = Binary::new(positive, &samples) else { return Ok(None) };
    let names = data.train.class_names.as_ref();
    let name = names.and_then(|names| names.get(positive).cloned());
    let columns = [
        "positive class",
        "sensitivity",
        "specificity",
        "precision",
        "F1",
        "MCC",
        "ROC AUC",
        "average precision",
    ];
    let row = vec![
        name.unwrap_or_else(|| positive.to_string()),
        format!("{:.2}", figures.sensitivity_percent),
        format!("{:.2}", figures.specificity_percent),
        format!("{:.2}", figures.precision_percent),
        format!("{:.2}", figures.f1_percent),
        format!("{:.3}", figures.matthews),
        format!("{:.2}", figures.roc_auc_percent),
        format!("{:.2}", figures.average_precision_percent),
    ];
    let columns = columns.map(str::to_owned).to_vec();
    let table = Table { caption: String::new(), columns, rows: vec![row], notes: vec![] };
    Ok(Some(Part { name: "binary", table, json: json!(figures) }))
}
