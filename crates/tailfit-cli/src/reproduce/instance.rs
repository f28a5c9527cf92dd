//! Figures 1 and 2: the logits of one image, and the distribution of logits of many- and few-shot classes.

use anyhow::Result;
use ndarray::Array2;
use serde::Deserialize;
use tailfit::compare::Selection;
use tailfit::error::Error;
use tailfit::features::DataSet;
use tailfit::figures::{Axis, Chart, Marks, Point, Series};
use tailfit::head::Head;
use tailfit::methods;
use tailfit::metrics::EvaluationSet;
use tailfit::probabilities::mean_logits;
use tailfit::report::Table;
use tailfit::shots::Shot;

use super::paper::Paper;

#[derive(Deserialize)]
struct Config {
    instance: Instance,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Instance {
    /// Backbones, the first of which comes with the program.
    features: Vec<String>,
    image: usize,
    class: u32,
}

/// A backbone's features, and the name and logits on its test set of its own head and of LOS.
struct Backbone {
    name: String,
    data: DataSet,
    heads: [(&'static str, Array2<f64>); 2],
}

/// The backbones that are there, with LOS as the paper chooses it; their records are kept in `part`.
fn backbones(paper: &Paper<'_>, part: &str) -> Result<(Instance, Vec<Backbone>)> {
    let text = include_str!("../../../../configs/paper/figures.toml");
    let Config { instance } = Paper::config("figures.toml", text)?;
    let bar = paper.progress(part, 2 * instance.features.len());
    let (mut backbones, mut kept) = (Vec::new(), Vec::new());
    for name in &instance.features {
        let Some(data) = paper.data(name)? else { continue };
        check(&instance, &data)?;
        let mut of = |name: &str| -> Result<Array2<f64>> {
            let method = methods::find(name)?;
            let found = paper.trained(&data, Selection::BestOnTest, 1, &method)?;
            kept.extend(found.records);
            bar.inc(1);
            logits(&found.head, &data)
        };
        let heads = [("stage-1", of("stage-1")?), ("los", of("los")?)];
        backbones.push(Backbone { name: name.clone(), data, heads });
    }
    bar.finish_and_clear();
    paper.keep(part, "records.jsonl", &kept)?;
    Ok((instance, backbones))
}

/// Checks that the image is where the paper has it.
fn check(instance: &Instance, data: &DataSet) -> Result<()> {
    let found = data.test.labels.get(instance.image);
    if found == Some(&instance.class) {
        return Ok(());
    }
    let place = format!("test image {} of {}", instance.image, data.name);
    let expected = format!("class {}", instance.class);
    let found = found.map_or("no such image".to_owned(), |label| format!("class {label}"));
    let remedy = "test features go in the order of CIFAR's file";
    Err(Error::data(place, expected, found, remedy).into())
}

pub(super) fn logits(head: &Head, data: &DataSet) -> Result<Array2<f64>> {
    let set = EvaluationSet::of(&data.test)?;
    Ok(mean_logits(head, set.features, set.mirror))
}

/// Mean logit of each class over its own samples and over those of other classes.
fn means(logits: &Array2<f64>, labels: &[u32], class: usize) -> (f64, f64) {
    let column = logits.column(class);
    let mut sums = [[0.0; 2]; 2];
    for (value, &label) in column.iter().zip(labels) {
        let own = usize::from(label as usize == class);
        sums[own][0] += value;
        sums[own][1] += 1.0;
    }
    (sums[1][0] / sums[1][1], sums[0][0] / sums[0][1])
}

pub(super) fn logits_of_an_image(paper: &Paper<'_>) -> Result<()> {
    let (instance, backbones) = backbones(paper, "fig1")?;
    backbones.iter().try_for_each(|backbone| image_on(paper, &instance, backbone))
}

fn image_on(paper: &Paper<'_>, instance: &Instance, backbone: &Backbone) -> Result<()> {
    let Backbone { name: of, data, heads } = backbone;
    let mut rows = Vec::new();
    for (name, logits) in heads {
        let k = logits.ncols();
        let means: Vec<(f64, f64)> =
            (0..k).map(|class| means(logits, &data.test.labels, class)).collect();
        let z = logits.row(instance.image);
        let bars = |of: &dyn Fn(usize) -> f64, what: &str| -> Vec<Point> {
            let bar = |class: usize| Point {
                text: format!("class {class}, {what}: {:.2}", of(class)),
                ..Point::new(class as f64, of(class))
            };
            (0..k).map(bar).collect()
        };
        let series = |name: &str, marks, colour, points| Series {
            name: name.to_owned(),
            marks,
            colour,
            points,
        };
        let chart = Chart {
            title: format!("Figure 1: logits of each class on the test set, {name} on {of}"),
            x: Axis::new("class, from the most to the fewest training samples"),
            y: Axis::new("logit"),
            series: vec![
                series(
                    "mean on its own samples",
                    Marks::Bars,
                    0,
                    bars(&|class| means[class].0, "own samples"),
                ),
                series(
                    "mean on others",
                    Marks::Bars,
                    1,
                    bars(&|class| means[class].1, "other samples"),
                ),
                series(
                    &format!("image {}, of class {}", instance.image, instance.class),
                    Marks::Dots,
                    2,
                    bars(&|class| z[class], "the image"),
                ),
            ],
        };
        paper.figure("fig1", &format!("{of}-{name}"), &chart.svg())?;
        let top = (0..k).max_by(|&a, &b| z[a].total_cmp(&z[b])).unwrap_or(0);
        let own = z[instance.class as usize];
        let of_shot = |shot| {
            let magnitudes: Vec<Option<f64>> =
                means.iter().map(|(own, other)| Some(own - other)).collect();
            data.thresholds.mean(&data.counts, shot, &magnitudes).unwrap_or(f64::NAN)
        };
        rows.push(vec![
            (*name).to_owned(),
            format!("{own:.2}"),
            format!("{top}"),
            format!("{:.2}", z[top]),
            format!("{:.2}", of_shot(Shot::Many)),
            format!("{:.2}", of_shot(Shot::Few)),
            format!("{:.2}", of_shot(Shot::Few) / of_shot(Shot::Many)),
        ]);
    }
    let columns = [
        "head",
        "logit of its class",
        "predicted",
        "its logit",
        "LoMa, many",
        "LoMa, few",
        "few / many",
    ];
    let table = Table {
        caption: format!(
            "Figure 1: test image {} of class {} ({}).",
            instance.image, instance.class, data.name
        ),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
        notes: vec![
            "The paper (ResNet-34): under cross-entropy the image's class has 1.69 and class 3 has 2.58; under LOS its \
             class has the largest, 1.57. LoMa: Logits Magnitude on logits as they are, mean over the classes of a shot. \
             LOS: seed 0, epoch and hyper-parameters chosen on the test set, as in the paper."
                .to_owned(),
        ],
    };
    paper.table("fig1", of, &table)
}

pub(super) fn distributions(paper: &Paper<'_>) -> Result<()> {
    let (_, backbones) = backbones(paper, "fig2")?;
    backbones.iter().try_for_each(|backbone| distributions_on(paper, backbone))
}

fn distributions_on(paper: &Paper<'_>, backbone: &Backbone) -> Result<()> {
    let Backbone { name: of, data, heads } = backbone;
    let mut rows = Vec::new();
    for (name, logits) in heads {
        for (shot, label) in [(Shot::Many, "many"), (Shot::Few, "few")] {
            let mut values: [Vec<f64>; 2] = [vec![], vec![]];
            for (class, &n) in data.counts.as_slice().iter().enumerate() {
                if data.thresholds.shot(n) != shot {
                    continue;
                }
                for (value, &label) in logits.column(class).iter().zip(&data.test.labels) {
                    values[usize::from(label as usize == class)].push(*value);
                }
            }
            let [other, own] = values;
            let (fits, chart) = normals(&format!("{name} on {of}"), label, &own, &other);
            paper.figure("fig2", &format!("{of}-{name}-{label}"), &chart.svg())?;
            let [(own_mean, own_sd), (other_mean, other_sd)] = fits;
            let magnitude = own_mean - other_mean;
            rows.push(vec![
                (*name).to_owned(),
                label.to_owned(),
                format!("{own_mean:.2} ± {own_sd:.2}"),
                format!("{other_mean:.2} ± {other_sd:.2}"),
                format!("{magnitude:.2}"),
                format!("{:.3}", own_sd / magnitude),
            ]);
        }
    }
    let columns = ["head", "classes", "own samples", "others", "LoMa", "RSD"];
    let table = Table {
        caption: format!("Figure 2: logits of classes on their own and on other samples ({}).", data.name),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
        notes: vec!["Mean ± standard deviation of the normals drawn, of logits as they are; LoMa is the difference of the means, RSD the first \
                     deviation divided by it. All classes of a shot pooled."
            .to_owned()],
    };
    paper.table("fig2", of, &table)
}

/// Mean and deviation of two sets of values, and a chart of both with their normals.
fn normals(head: &str, classes: &str, own: &[f64], other: &[f64]) -> ([(f64, f64); 2], Chart) {
    let fit = |values: &[f64]| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let square: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
        (mean, (square / (n - 1.0)).sqrt())
    };
    let (low, high) =
        own.iter().chain(other).fold((f64::MAX, f64::MIN), |(l, h), &v| (l.min(v), h.max(v)));
    let mut series = Vec::new();
    let fits =
        [(own, "own samples", 0), (other, "other samples", 1)].map(|(values, name, colour)| {
            let (mean, sd) = fit(values);
            let density = |x: f64| {
                (-0.5 * ((x - mean) / sd).powi(2)).exp() / (sd * std::f64::consts::TAU.sqrt())
            };
            let at = |i: i32| low + (high - low) * f64::from(i) / 120.0;
            let normal = (0..=120).map(|i| Point::new(at(i), density(at(i)))).collect();
            series.push(Series {
                name: format!("{name}, normal"),
                marks: Marks::Area,
                colour,
                points: normal,
            });
            let width = (high - low) / 40.0;
            let mut bins = [0.0; 40];
            for value in values {
                bins[(((value - low) / width) as usize).min(39)] +=
                    1.0 / (values.len() as f64 * width);
            }
            let points = bins
                .iter()
                .enumerate()
                .map(|(i, &d)| Point::new(low + (i as f64 + 0.5) * width, d))
                .collect();
            series.push(Series {
                name: format!("{name}, as they are"),
                marks: Marks::Dashed,
                colour,
                points,
            });
            (mean, sd)
        });
    let chart = Chart {
        title: format!("Figure 2: logits of {classes}-shot classes, {head}"),
        x: Axis::new("logit"),
        y: Axis::new("density"),
        series,
    };
    (fits, chart)
}
