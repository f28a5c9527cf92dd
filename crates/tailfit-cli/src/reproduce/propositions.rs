//! Propositions 1 to 3 and Appendix C, as pages of numbers.

use anyhow::Result;
use serde::Deserialize;
use tailfit::features::DataSet;
use tailfit::figures::{Axis, Chart, Marks, Point, Series};
use tailfit::metrics::{EvaluationSet, coefficient_of_variation, evaluate};
use tailfit::propositions;
use tailfit::report::Table;
use tailfit::shots::Shot;

use super::instance::logits;
use super::paper::Paper;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    features: String,
    /// Features of a backbone that was trained on balanced data, for Proposition 3.
    balanced: String,
    shifts: Vec<f64>,
    scales: Vec<f64>,
    classes: Vec<usize>,
    margins: Vec<f64>,
    sigmas: Vec<f64>,
}

fn config() -> Result<Config> {
    Paper::config("propositions.toml", include_str!("../../../../configs/paper/propositions.toml"))
}

fn table(caption: &str, columns: &[&str], rows: Vec<Vec<String>>, note: &str) -> Table {
    Table {
        caption: caption.to_owned(),
        columns: columns.iter().map(|&column| column.to_owned()).collect(),
        rows,
        notes: vec![note.to_owned()],
    }
}

pub(super) fn convexity(paper: &Paper<'_>) -> Result<()> {
    // What is 0 but for the differences that it is taken by.
    let size = |value: f64| match value.abs() {
        ..1e-6 => "0".to_owned(),
        ..1e-2 => format!("{value:.1e}"),
        _ => format!("{value:.2}"),
    };
    let line = |of: propositions::Curvature| {
        let verdict = match (of.is_of_a_function(), of.is_convex()) {
            (false, _) => "not the gradient of a function",
            (true, true) => "convex",
            (true, false) => "not convex",
        };
        let numbers = [of.smallest, of.along_constant, of.asymmetry].map(size);
        let [smallest, along, asymmetry] = numbers;
        vec![of.loss, smallest, along, asymmetry, verdict.to_owned()]
    };
    let rows = propositions::convexity().into_iter().map(line).collect();
    let table = table(
        "Proposition 1: the Hessian with respect to the bias, over 200 random points of 10 classes.",
        &["loss", "smallest eigenvalue", "along a constant", "asymmetry", "in the bias"],
        rows,
        "Divided by the largest eigenvalue. Cross-entropy is convex in the bias with hard labels, soft labels and offsets, \
         as proved; the minimum is unique only up to a constant where that column is 0. It does not hold for \"all \
         cross-entropy based methods\": a factor that depends on the prediction (focal, binary cross-entropy on softmax, \
         which is likely the paper's class-balanced row) makes it non-convex.",
    );
    paper.table("prop1", "prop1", &table)
}

pub(super) fn common_shift(paper: &Paper<'_>) -> Result<()> {
    let config = config()?;
    let data = paper.needed(&config.features)?;
    let head = &head_of(&data)?;
    let set = EvaluationSet::of(&data.test)?;
    let all = propositions::common_shift(head, &set, &data.counts, data.thresholds, &config.shifts);
    let line = |of: &propositions::Shifted| {
        let mut cells = vec![
            format!("{}", of.size),
            format!("{:.2}", of.overall_percent),
            format!("{:.2}", of.mean_norm),
        ];
        cells.extend(of.variation.iter().map(|v| v.map_or("–".to_owned(), |v| format!("{v:.3}"))));
        cells
    };
    let table = table(
        &format!("Proposition 2: one vector added to every row of the given head ({}).", data.name),
        &[
            "its norm, in mean norms",
            "accuracy (%)",
            "mean norm",
            "CV of norms",
            "CV of centred norms",
            "CV of LoMa, column",
            "CV of LoMa, column, centred",
            "CV of LoMa, row",
        ],
        all.iter().map(line).collect(),
        "Predictions stay, so norms of rows say nothing, as the paper writes; but nor does Definition 1 read by column on \
         logits as they are. The rows minus their mean are unique, and so are Logits Magnitude by row, and by column on \
         centred logits. It is a common shift, not a free length of each row.",
    );
    paper.table("prop2", "prop2", &table)
}

fn head_of(data: &DataSet) -> Result<tailfit::head::Head> {
    let missing = || tailfit::error::Error::data("reproduce", "a stage-1 head", "none", "");
    Ok(data.stage_1.as_ref().ok_or_else(missing)?.head.clone())
}

pub(super) fn perturbation(paper: &Paper<'_>) -> Result<()> {
    let config = config()?;
    let long_tailed = paper.needed(&config.features)?;
    let mut lines = [Vec::new(), Vec::new()];
    let on_balanced = paper.data(&config.balanced)?;
    let sets: Vec<_> = std::iter::once(("prop3", &long_tailed))
        .chain(on_balanced.as_ref().map(|data| ("balanced", data)))
        .collect();
    let bar = paper.progress("prop3", 2 * sets.len() * config.scales.len());
    for (name, data) in sets {
        let perturbed = perturbed(data)?;
        let mut rows = Vec::new();
        for &scale in &config.scales {
            let mut cells = vec![scale.to_string()];
            for of in [Perturbation::Own, Perturbation::Equal] {
                let [many, few, variation] = perturbed(of, scale);
                cells
                    .extend([many, few, variation].map(|value| {
                        value.map_or("–".to_owned(), |value| format!("{value:.3}"))
                    }));
                if name == "prop3" && of == Perturbation::Own {
                    for (line, value) in lines.iter_mut().zip([many, few]) {
                        line.push(Point::new(scale, value.unwrap_or(f64::NAN)));
                    }
                }
                bar.inc(1);
            }
            rows.push(cells);
        }
        let table = table(
            &format!(
                "Proposition 3: E[s'] / E[s] under perturbations of each logit, as logits shrink ({}).",
                data.name
            ),
            &["scale", "many", "few", "CV over classes", "equal R: many", "few", "CV over classes"],
            rows,
            "The given head's test logits; normal perturbations of deviation R times the mean Logits Magnitude, with each \
             class's R, or with their mean for all (\"equal R\"); scale multiplies logits and perturbations. 1: no effect. As the scale \
             goes to 0 all probabilities go to 1 / K, and every ratio to 1.",
        );
        paper.table("prop3", name, &table)?;
    }
    bar.finish_and_clear();
    let [many, few] = lines;
    let series = |name: &str, colour, points| Series {
        name: name.to_owned(),
        marks: Marks::LineAndDots,
        colour,
        points,
    };
    let chart = Chart {
        title: "Proposition 3: E[s'] / E[s] of a class on its own samples".to_owned(),
        x: Axis { log: true, ..Axis::new("scale of the logits and of the perturbation") },
        y: Axis::new("ratio"),
        series: vec![series("many-shot classes", 0, many), series("few-shot classes", 1, few)],
    };
    paper.figure("prop3", "prop3", &chart.svg())
}

/// How far logits are perturbed, in mean Logits Magnitudes: so that classes differ by R alone, as section
/// 3.1 supposes.
#[derive(Clone, Copy, PartialEq)]
enum Perturbation {
    /// By each class's own R.
    Own,
    /// By the mean of all.
    Equal,
}

/// E[s'] / E[s] for the test logits of the given head, by perturbation and scale: its mean over many- and
/// over few-shot classes, and its coefficient of variation over all.
fn perturbed(data: &DataSet) -> Result<impl Fn(Perturbation, f64) -> [Option<f64>; 3] + '_> {
    let head = head_of(data)?;
    let set = EvaluationSet::of(&data.test)?;
    let readings = evaluate(&head, &set, &data.counts, data.thresholds).logits_magnitude.centred;
    let mean_magnitude = readings.a.iter().flatten().sum::<f64>() / readings.a.len() as f64;
    let of_class =
        |(r, d): (&Option<f64>, &Option<f64>)| r.map_or(d.unwrap_or(0.0), |r| r * mean_magnitude);
    let own: Vec<f64> = readings.rsd.p.iter().zip(&readings.deviations.p).map(of_class).collect();
    let equal = vec![own.iter().sum::<f64>() / own.len() as f64; own.len()];
    let logits = logits(&head, data)?;
    Ok(move |by, scale| {
        let sizes = if by == Perturbation::Own { &own } else { &equal };
        let ratios = propositions::perturbation(logits.view(), &data.test.labels, sizes, scale);
        let of = |shot| data.thresholds.mean(&data.counts, shot, &ratios);
        let present: Vec<f64> = ratios.iter().flatten().copied().collect();
        [of(Shot::Many), of(Shot::Few), coefficient_of_variation(&present)]
    })
}

pub(super) fn approximation(paper: &Paper<'_>) -> Result<()> {
    let config = config()?;
    let mut rows = Vec::new();
    for &classes in &config.classes {
        for &margin in &config.margins {
            for &sigma in &config.sigmas {
                let of = propositions::approximation(classes, margin, sigma);
                rows.push(vec![
                    classes.to_string(),
                    margin.to_string(),
                    sigma.to_string(),
                    format!("{:.4}", of.exact),
                    format!("{:.3}", of.paper / of.exact),
                    format!("{:.3}", of.without_own / of.exact),
                ]);
            }
        }
    }
    let table = table(
        "Appendix C: the two sides of Eq. 9, for independent normal perturbations of deviation sigma and normal logits of \
         deviation 2, the class's own higher by a margin (32,000 draws).",
        &[
            "classes",
            "margin",
            "sigma",
            "E[s']",
            "right side / E[s']",
            "with the factor only where j is not i",
        ],
        rows,
        "1 would be exact. The right side divides every term by E[exp(D_j - D_i)] = exp(sigma^2), also the one with j = i, \
         which is exactly 1, and drops the second order. Without a margin all classes are alike, E[s'] is 1 / K whatever the \
         perturbation, and the ratio is exp(-sigma^2).",
    );
    paper.table("appendix-c", "appendix-c", &table)
}
