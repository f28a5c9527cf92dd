//! The figures of the page.

use super::Drawn;
use crate::compare::{DataRecord, RunRecord};
use crate::figures::{Axis, Chart, Marks, NEUTRAL, Point, Series};
use crate::metrics::{Accuracy, Readings, relative_magnitudes};
use crate::report::Summary;

/// Classes drawn one by one; more are drawn as this many groups.
const CLASSES: usize = 200;

/// What is said about a figure, and the figure; without those that records lack the numbers for.
pub(super) fn all(drawn: &[Drawn<'_, '_>], data: &DataRecord) -> Vec<(&'static str, Chart)> {
    let magnitude = by_groups(drawn, data, "Logits Magnitude (balanced = 1)", |readings| {
        relative_magnitudes(&readings.a)
    });
    let deviation =
        by_groups(drawn, data, "Regularised Standard Deviation", |readings| readings.rsd.p.clone());
    let figures = [
        (
            "Mean over seeds of each class's accuracy; the line is the mean of ten groups of classes.",
            accuracy_by_class(drawn, data),
        ),
        (
            "Class mean on the test set of the hyper-parameters that were chosen, mean over seeds. Dots: the epochs \
             chosen. Epoch 0 is the start.",
            accuracy_by_epoch(drawn),
        ),
        (
            "How far a class's logit is higher on its own samples than on others (test set, logits centred), divided \
             by the sum over classes, times their number; mean of ten groups of classes, frequent to rare.",
            magnitude,
        ),
        (
            "Standard deviation of a class's logit over its own samples, divided by its Logits Magnitude; mean of ten \
             groups of classes, frequent to rare.",
            deviation,
        ),
        (
            "How often predictions of about equal confidence are right, first seed. On the dashed line, confidence \
             says the truth; below, it is too high.",
            reliability(drawn),
        ),
    ];
    figures.into_iter().filter(|(_, chart)| !chart.is_empty()).collect()
}

/// Mean over the seeds of one number per class, `[K]`; `None` where a record lacks them.
fn mean_by_class(
    row: &Summary<'_>,
    n_classes: usize,
    of: impl Fn(&RunRecord) -> Vec<Option<f64>>,
) -> Option<Vec<Option<f64>>> {
    let all: Vec<_> = row.records.iter().map(|record| of(record)).collect();
    if n_classes == 0 || all.iter().any(|values| values.len() != n_classes) {
        return None;
    }
    let mean = |class: usize| {
        let values: Option<Vec<f64>> = all.iter().map(|values| values[class]).collect();
        values.map(|values| values.iter().sum::<f64>() / values.len() as f64)
    };
    Some((0..n_classes).map(mean).collect())
}

/// Mean of the values that there are; NaN if there are none.
fn mean(values: impl Iterator<Item = Option<f64>>) -> f64 {
    let values: Vec<f64> = values.flatten().collect();
    values.iter().sum::<f64>() / values.len() as f64
}

fn accuracy_by_class(drawn: &[Drawn<'_, '_>], data: &DataRecord) -> Chart {
    let counts = &data.class_counts;
    let mut series = Vec::new();
    for Drawn { row, colour } in drawn {
        let of = |record: &RunRecord| record.evaluation.per_class_percent.clone();
        let Some(percent) = mean_by_class(row, counts.len(), of) else { continue };
        let dot = |class: usize| Point {
            text: format!(
                "{}: {:.1} % ({}; {} training samples)",
                data.class_name(class),
                percent[class].unwrap_or(f64::NAN),
                row.method,
                counts[class]
            ),
            ..Point::new(counts[class] as f64, percent[class].unwrap_or(f64::NAN))
        };
        let over = |group: &Vec<usize>| {
            let samples = mean(group.iter().map(|&class| Some((counts[class] as f64).ln())));
            Point::new(samples.exp(), mean(group.iter().map(|&class| percent[class])))
        };
        if counts.len() <= CLASSES {
            let points = (0..counts.len()).map(dot).collect();
            series.push(Series {
                name: String::new(),
                marks: Marks::Dots,
                colour: *colour,
                points,
            });
        }
        let points = data.groups(10).iter().map(over).collect();
        series.push(Series {
            name: row.method.to_owned(),
            marks: Marks::Line,
            colour: *colour,
            points,
        });
    }
    Chart {
        title: "Accuracy of each class".to_owned(),
        x: Axis { log: true, ..Axis::new("training samples of the class") },
        y: Axis::new("accuracy (%)"),
        series,
    }
}

fn accuracy_by_epoch(drawn: &[Drawn<'_, '_>]) -> Chart {
    let mut series = Vec::new();
    for Drawn { row, colour } in drawn.iter().filter(|drawn| drawn.row.epochs() > 0) {
        let last = row.records.iter().map(|record| record.epochs.len()).max().unwrap_or(0);
        // A shorter schedule stays at its end.
        let of = |epochs: &[Accuracy], epoch: usize| epochs.get(epoch).or(epochs.last()).cloned();
        let at = |epoch| row.mean(|record| Some(of(&record.epochs, epoch)?.macro_percent));
        let points = (0..last).map(|epoch| Point::new(epoch as f64, at(epoch))).collect();
        series.push(Series {
            name: row.method.to_owned(),
            marks: Marks::Line,
            colour: *colour,
            points,
        });
        let chosen = row.records.iter().flat_map(|record| {
            record.heads.iter().filter_map(|head| {
                let percent = record.epochs.get(head.epoch)?.macro_percent;
                let text = format!("{}, seed {}: epoch {}", row.method, record.seed, head.epoch);
                Some(Point { text, ..Point::new(head.epoch as f64, percent) })
            })
        });
        let points = chosen.collect();
        series.push(Series { name: String::new(), marks: Marks::Dots, colour: *colour, points });
    }
    Chart {
        title: "Accuracy after each epoch".to_owned(),
        x: Axis::new("epoch"),
        y: Axis::new("class mean (%)"),
        series,
    }
}

/// A reading of Logits Magnitude over ten groups of classes.
fn by_groups(
    drawn: &[Drawn<'_, '_>],
    data: &DataRecord,
    title: &str,
    reading: impl Fn(&Readings) -> Vec<Option<f64>>,
) -> Chart {
    let groups = data.groups(10);
    let mut series = Vec::new();
    for Drawn { row, colour } in drawn {
        let of = |record: &RunRecord| reading(&record.evaluation.logits_magnitude.centred);
        let Some(values) = mean_by_class(row, data.class_counts.len(), of) else { continue };
        let over = |(at, group): (usize, &Vec<usize>)| {
            let value = mean(group.iter().map(|&class| values[class]));
            let n = |class: Option<&usize>| class.map_or(0, |&class| data.class_counts[class]);
            let (most, least) = (n(group.first()), n(group.last()));
            let text = format!(
                "{}: {value:.3} ({} classes of {most} to {least} training samples)",
                row.method,
                group.len()
            );
            Point { text, ..Point::new(at as f64, value) }
        };
        let points = groups.iter().enumerate().map(over).collect();
        let name = row.method.to_owned();
        series.push(Series { name, marks: Marks::LineAndDots, colour: *colour, points });
    }
    Chart {
        title: title.to_owned(),
        x: Axis {
            names: (1..=groups.len()).map(|g| g.to_string()).collect(),
            ..Axis::new("groups of classes, from the most to the fewest training samples")
        },
        y: Axis::default(),
        series,
    }
}

fn reliability(drawn: &[Drawn<'_, '_>]) -> Chart {
    let percent = |label: &str| Axis { range: Some((0.0, 100.0)), ..Axis::new(label) };
    let diagonal = vec![Point::new(0.0, 0.0), Point::new(100.0, 100.0)];
    let mut series = vec![Series {
        name: String::new(),
        marks: Marks::Dashed,
        colour: NEUTRAL,
        points: diagonal,
    }];
    for Drawn { row, colour } in drawn {
        let bins = row.records.first().map(|record| &record.evaluation.calibration.bins);
        let point = |bin: &crate::metrics::ConfidenceBin| Point {
            text: format!(
                "{}: {} samples, confidence {:.1} %, right {:.1} %",
                row.method, bin.samples, bin.confidence_percent, bin.accuracy_percent
            ),
            ..Point::new(bin.confidence_percent, bin.accuracy_percent)
        };
        let points: Vec<Point> = bins.into_iter().flatten().map(point).collect();
        if !points.is_empty() {
            let name = row.method.to_owned();
            series.push(Series { name, marks: Marks::LineAndDots, colour: *colour, points });
        }
    }
    Chart {
        title: "Reliability".to_owned(),
        x: percent("confidence (%)"),
        y: percent("right (%)"),
        series,
    }
}
