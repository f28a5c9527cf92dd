//! Figure 3: Logits Magnitude and Regularised Standard Deviation of Table 1's rows, and how far the balance of
//! the first goes with accuracy.

use anyhow::Result;
use tailfit::compare::{RunRecord, Selection};
use tailfit::features::DataSet;
use tailfit::figures::{Axis, COLOURS, Chart, Marks, Point, Series};
use tailfit::metrics::relative_magnitudes;
use tailfit::report::Table;
use tailfit::rng::{Purpose, Rng};

use super::paper::{Paper, best, origin};
use super::table_1;

const GROUPS: usize = 10;
const RESAMPLES: usize = 10_000;

/// A row of the figure.
struct Measured {
    label: String,
    accuracy: f64,
    /// Coefficient of variation of the Logits Magnitude.
    variation: f64,
    /// Means over groups of classes.
    magnitude: Vec<f64>,
    deviation: Vec<f64>,
}

pub(super) fn run(paper: &Paper<'_>) -> Result<()> {
    let (config, there) = table_1::config(paper)?;
    there.iter().try_for_each(|(name, data)| on(paper, &config, name, data))
}

fn on(paper: &Paper<'_>, config: &table_1::Config, name: &str, data: &DataSet) -> Result<()> {
    let of_paper = config.of_the_paper()?;
    let bar = paper.progress("fig3", of_paper.len());
    let (mut rows, mut origin_of, mut kept) = (Vec::new(), String::new(), Vec::new());
    for (row, method) in of_paper {
        let records = paper.records(data, Selection::BestOnTest, &method, paper.seeds)?;
        bar.inc(1);
        let Some(record) = best(&records) else { continue };
        origin_of = origin(record);
        rows.extend(measured(&row.label, record));
        kept.push(record.clone());
    }
    paper.keep_whole("fig3", &format!("{name}.jsonl"), &kept)?;
    bar.finish_and_clear();
    rows.sort_by(|a, b| a.accuracy.total_cmp(&b.accuracy));
    let y = |label| Axis::new(label);
    let magnitude = chart(
        &rows,
        &format!("Figure 3a: Logits Magnitude, on {name}"),
        y("share of the sum, times classes"),
        |row| &row.magnitude,
    );
    let deviation = chart(
        &rows,
        &format!("Figure 3b: Regularised Standard Deviation, on {name}"),
        y("deviation / Logits Magnitude"),
        |row| &row.deviation,
    );
    paper.figure("fig3", &format!("{name}-magnitude"), &magnitude.svg())?;
    paper.figure("fig3", &format!("{name}-deviation"), &deviation.svg())?;
    paper.table("fig3", name, &table(&rows, &origin_of))
}

/// The readings of a record over groups of classes.
fn measured(label: &str, record: &RunRecord) -> Option<Measured> {
    let readings = &record.evaluation.logits_magnitude.centred;
    let groups = record.data.groups(GROUPS);
    let grouped = |values: &[Option<f64>]| -> Vec<f64> {
        let mean = |group: &Vec<usize>| {
            let there: Vec<f64> = group.iter().filter_map(|&class| values[class]).collect();
            there.iter().sum::<f64>() / there.len() as f64
        };
        groups.iter().map(mean).collect()
    };
    Some(Measured {
        label: label.to_owned(),
        accuracy: record.evaluation.accuracy.macro_percent,
        variation: record.evaluation.loma_cv?,
        magnitude: grouped(&relative_magnitudes(&readings.a)),
        deviation: grouped(&readings.rsd.p),
    })
}

fn chart(rows: &[Measured], title: &str, y: Axis, of: impl Fn(&Measured) -> &Vec<f64>) -> Chart {
    let series = rows.iter().enumerate().map(|(at, row)| Series {
        name: format!("{} ({:.1})", row.label, row.accuracy),
        marks: if at < COLOURS { Marks::Line } else { Marks::Dashed },
        colour: at % COLOURS,
        points: of(row).iter().enumerate().map(|(g, &v)| Point::new(g as f64, v)).collect(),
    });
    Chart {
        title: title.to_owned(),
        x: Axis {
            names: (1..=GROUPS).map(|g| g.to_string()).collect(),
            ..Axis::new("groups of classes, from the most to the fewest training samples")
        },
        y,
        series: series.collect(),
    }
}

fn table(rows: &[Measured], origin: &str) -> Table {
    let line = |row: &Measured| {
        let mut cells = vec![
            row.label.clone(),
            format!("{:.2}", row.accuracy),
            format!("{:.3}", row.variation),
        ];
        cells.extend(row.magnitude.iter().map(|v| format!("{v:.2}")));
        cells
    };
    let balance: Vec<(f64, f64)> = rows.iter().map(|row| (-row.variation, row.accuracy)).collect();
    let (low, high) = interval(&balance);
    let columns = ["row", "class mean*", "LoMa CV"].map(str::to_owned).into_iter();
    Table {
        caption: format!(
            "Figure 3: Logits Magnitude on centred logits, divided by its sum over the classes, times their number; means \
             of ten groups of classes. {origin}."
        ),
        columns: columns.chain((1..=GROUPS).map(|g| g.to_string())).collect(),
        rows: rows.iter().map(line).collect(),
        notes: vec![format!(
            "Rank correlation (Spearman) between accuracy and balance (minus the coefficient of variation, LoMa CV) over \
             the {} rows: {:.2}, 95 % interval [{low:.2}, {high:.2}] over bootstrap resamples of rows. The paper claims \
             that balance goes with accuracy, and does not compute it. *: chosen on the test set, best seed, as in the \
             paper.",
            rows.len(),
            spearman(&balance),
        )],
    }
}

/// Ranks, ties sharing their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |v: &f64| {
        let below = values.iter().filter(|other| *other < v).count() as f64;
        let equal = values.iter().filter(|other| *other == v).count() as f64;
        below + f64::midpoint(equal, 1.0)
    };
    values.iter().map(rank).collect()
}

/// Spearman's rank correlation; NaN where one side does not vary.
fn spearman(pairs: &[(f64, f64)]) -> f64 {
    let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
    let (a, b) = (ranks(&a), ranks(&b));
    let middle = f64::midpoint(pairs.len() as f64, 1.0);
    let product = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - middle) * (y - middle)).sum()
    };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

fn interval(pairs: &[(f64, f64)]) -> (f64, f64) {
    let drawn = (0..RESAMPLES).map(|number| {
        let mut rng = Rng::new(number as u64, Purpose::Bootstrap, 0);
        let resample: Vec<_> = (0..pairs.len()).map(|_| pairs[rng.below(pairs.len())]).collect();
        spearman(&resample)
    });
    let mut all: Vec<f64> = drawn.filter(|value| value.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    let at = |share: f64| all.get((all.len() as f64 * share) as usize).copied().unwrap_or(f64::NAN);
    (at(0.025), at(0.975))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_correlations_by_eye() {
        assert_eq!(spearman(&[(1.0, 10.0), (2.0, 20.0), (3.0, 400.0)]), 1.0);
        assert_eq!(spearman(&[(1.0, 3.0), (2.0, 2.0), (3.0, 1.0)]), -1.0);
        // scipy.stats.spearmanr([1, 2, 2, 4], [1, 3, 2, 4])
        let tied = spearman(&[(1.0, 1.0), (2.0, 3.0), (2.0, 2.0), (4.0, 4.0)]);
        assert!((tied - 0.948_683_298_050_513_8).abs() < 1e-12, "{tied}");
        assert!(spearman(&[(1.0, 1.0), (1.0, 2.0)]).is_nan());
    }
}
