//! What a comparison suggests: at most three lines, each tied to numbers of its table.

use super::Summary;
use crate::compare::{HeadRecord, RunRecord};
use crate::recipe::Solver;

/// Test samples of a class below which its accuracy is mostly chance.
const FEW_SAMPLES: u32 = 5;

/// How a method comes to its head.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Class means, or a given head changed by a formula.
    Formula,
    /// A minimum, which has no epochs to choose.
    Solver,
    /// Epochs of SGD, or an average of heads.
    Sgd,
}

fn kind(row: &Summary<'_>) -> Kind {
    let heads = || row.records.iter().flat_map(|record| &record.heads);
    let is_minimum =
        |head: &HeadRecord| head.recipe.solver != Solver::Sgd && !head.recipe.is_average();
    if heads().any(is_minimum) {
        Kind::Solver
    } else if heads().all(|head| head.recipe.head_epochs() == 0) {
        Kind::Formula
    } else {
        Kind::Sgd
    }
}

/// What to take, what to avoid, and what to be careful with. It takes the most accurate minimum of an
/// objective, as long as the test set cannot tell it from the best row, and else the best row: which of
/// many rows happens to be best on few samples says little about others. Nothing where scores are
/// optimistic.
pub fn advice(rows: &[Summary<'_>]) -> Vec<String> {
    if rows.iter().any(Summary::optimistic) {
        return vec![];
    }
    [take(rows), avoid(rows), careful(rows)].into_iter().flatten().collect()
}

fn best<'a, 'b>(rows: &'a [Summary<'b>]) -> Option<&'a Summary<'b>> {
    // Of equals the one that the others are measured against, which has no difference itself.
    rows.iter().max_by(|a, b| {
        let is_reference = |row: &Summary<'_>| row.difference.is_none();
        a.macro_mean().total_cmp(&b.macro_mean()).then(is_reference(a).cmp(&is_reference(b)))
    })
}

/// The row to take, the best one, and how many are level with the best, itself included.
pub(super) fn recommended<'a, 'b>(
    rows: &'a [Summary<'b>],
) -> Option<(&'a Summary<'b>, &'a Summary<'b>, usize)> {
    let measured = rows.iter().filter(|row| row.difference.is_none()).count() == 1;
    let best = best(rows).filter(|_| rows.len() > 1 && measured)?;
    let level: Vec<&Summary<'b>> = rows
        .iter()
        .filter(|row| row.method == best.method || row.difference.is_some_and(|d| d.high >= 0.0))
        .collect();
    let minima = level.iter().copied().filter(|row| kind(row) == Kind::Solver);
    let safest = minima.max_by(|a, b| a.macro_mean().total_cmp(&b.macro_mean()));
    Some((safest.unwrap_or(best), best, level.len()))
}

fn take(rows: &[Summary<'_>]) -> Option<String> {
    let (taken, best, level) = recommended(rows)?;
    let why = match kind(taken) {
        Kind::Formula => "nothing is trained".to_owned(),
        Kind::Solver => "it is a minimum, with no epoch to choose".to_owned(),
        Kind::Sgd => format!("no minimum of an objective is level with it{}", epoch_of(taken)),
    };
    let (name, mean) = (taken.method, taken.macro_mean());
    let of_best = if taken.method == best.method {
        let others = level - 1;
        match others {
            0 => "measurably better than every other row".to_owned(),
            1 => "the best; one other row is level with it".to_owned(),
            _ => format!("the best; {others} others are level with it"),
        }
    } else {
        let top = best.macro_mean();
        format!("level with the best ({}, {top:.2})", best.method)
    };
    Some(format!("Take {name}: class mean {mean:.2}, {of_best}, and {why}."))
}

/// What a row would have without a choice of epochs.
fn epoch_of(row: &Summary<'_>) -> String {
    if row.epochs() == 0 {
        return String::new();
    }
    format!("; after its last epoch it has {:.2}", after_last(row))
}

/// The class mean of the chosen trials after their last epoch.
fn after_last(row: &Summary<'_>) -> f64 {
    row.mean(|record| Some(record.epochs.last()?.macro_percent))
}

/// The row that is measurably below the head as it was given by most, or whose last epoch is far below
/// the one chosen.
fn avoid(rows: &[Summary<'_>]) -> Option<String> {
    let start = rows.iter().find(|row| row.method == "stage-1")?;
    let base = start.macro_mean();
    let harm = |row: &&Summary<'_>| {
        // Both are measured against the best; the intervals do not overlap.
        let below = row.difference.map_or(f64::INFINITY, |d| d.high);
        let of_start = start.difference.map_or(0.0, |d| d.low);
        below < of_start && row.macro_mean() < base
    };
    let worst = rows.iter().filter(harm).min_by(|a, b| a.macro_mean().total_cmp(&b.macro_mean()));
    if let Some(worst) = worst {
        let (name, mean) = (worst.method, worst.macro_mean());
        return Some(format!(
            "Avoid {name}: class mean {mean:.2}, below the head as it was ({base:.2}); what it assumes does not hold \
             here."
        ));
    }
    let fall = |row: &Summary<'_>| row.macro_mean() - after_last(row);
    let fallen = |row: &&Summary<'_>| row.epochs() > 0 && fall(row) > 2.0;
    let furthest = rows.iter().filter(fallen).max_by(|a, b| fall(a).total_cmp(&fall(b)))?;
    Some(format!(
        "Avoid {} without held-out data: {:.2} at the epochs chosen, {:.2} after the last.",
        furthest.method,
        furthest.macro_mean(),
        after_last(furthest)
    ))
}

fn careful(rows: &[Summary<'_>]) -> Option<String> {
    let record: &RunRecord = rows.first()?.records.first()?;
    let samples = record.evaluation.right.samples();
    let chance = 100.0 / samples.len().max(1) as f64;
    let stage_1 = rows.iter().find(|row| row.method == "stage-1").map(Summary::macro_mean);
    let top = best(rows)?.macro_mean();
    if let Some(percent) = stage_1.filter(|&percent| percent < 2.0 * chance && top > 5.0 * chance) {
        return Some(format!(
            "Careful: the given head is right on {percent:.2} % where chance is {chance:.2} % and the best is {top:.2} %; \
             are its rows in the order of the classes?"
        ));
    }
    let small = samples.iter().filter(|&&n| n > 0 && n < FEW_SAMPLES).count();
    if 2 * small > samples.len() {
        return Some(format!(
            "Careful: {small} of {} classes have fewer than {FEW_SAMPLES} test samples, so that the accuracy of a class \
             says little; trust the intervals.",
            samples.len()
        ));
    }
    let missing = samples.iter().filter(|&&n| n == 0).count();
    (missing > 0).then(|| {
        format!(
            "Careful: {missing} of {} classes have no test sample, and count nowhere.",
            samples.len()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::{Comparison, Selection};
    use crate::features::{DataSet, Features, HeadFile};
    use crate::head::Head;
    use crate::methods;
    use crate::report::summarise;
    use crate::rng::{Purpose, Rng};
    use crate::shots::ShotThresholds;
    use ndarray::{Array1, Array2};
    use std::collections::HashMap;

    /// Ten classes, each about an axis of its own, and a head whose rows are `shift` classes off.
    fn of_rows_off_by(shift: usize) -> Vec<String> {
        advice(&summarise(&records_off_by(shift)).unwrap())
    }

    fn records_off_by(shift: usize) -> Vec<RunRecord> {
        let mut rng = Rng::new(3, Purpose::Start, 0);
        let mut set = |sizes: &dyn Fn(usize) -> usize| {
            let labels: Vec<u32> = (0..10_u32).flat_map(|k| vec![k; sizes(k as usize)]).collect();
            let features = Array2::from_shape_fn((labels.len(), 10), |(i, j)| {
                let noise = 0.3 * rng.normal() as f32;
                if labels[i] as usize == j { 1.0 + noise } else { noise }
            });
            Features::new(features, labels).unwrap()
        };
        let (train, test) = (set(&|k| 60 / (k + 1)), set(&|_| 30));
        let weight =
            Array2::from_shape_fn((10, 10), |(k, j)| f64::from(u8::from((k + shift) % 10 == j)));
        let head = Head::linear(weight, Array1::zeros(10));
        let head = HeadFile::new(head, "fc", HashMap::new());
        let data =
            DataSet::new("toy", train, test, None, Some(head), ShotThresholds::default()).unwrap();
        let comparison = Comparison::new(&data, Selection::Last, vec![0, 1]).unwrap();
        ["stage-1", "lda", "balanced-softmax", "ridge"]
            .iter()
            .flat_map(|name| {
                let method = methods::find(name).unwrap();
                comparison.run(&method, &|_| {}).unwrap().records
            })
            .collect()
    }

    /// Of equal rows the first is taken; and nothing is said to be better than what it was
    /// not compared with.
    #[test]
    fn ties_and_rows_that_cannot_be_compared() {
        let records = records_off_by(0);
        let again = |method: &'static str| {
            let of = records.iter().filter(|record| record.method == "stage-1");
            of.map(move |record| RunRecord { method: method.to_owned(), ..record.clone() })
        };
        let twice: Vec<RunRecord> = again("a").chain(again("b")).collect();
        let said = advice(&summarise(&twice).unwrap());
        assert!(said[0].starts_with("Take a") && said[0].contains("one other row"), "{said:?}");
        let other_seeds: Vec<RunRecord> = again("a").take(1).chain(again("b")).collect();
        let said = advice(&summarise(&other_seeds).unwrap());
        assert!(said.iter().all(|line| !line.starts_with("Take")), "{said:?}");
    }

    /// What is trained by epochs is taken with what its last epoch has.
    #[test]
    fn the_last_epoch_stands_beside_the_chosen_one() {
        let mut records = records_off_by(1);
        records.retain(|record| ["stage-1", "balanced-softmax"].contains(&&record.method[..]));
        for record in &mut records {
            record.epochs.last_mut().unwrap().macro_percent = 12.5;
        }
        let said = advice(&summarise(&records).unwrap())[0].clone();
        assert!(said.starts_with("Take balanced-softmax"), "{said}");
        assert!(said.ends_with("after its last epoch it has 12.50."), "{said}");
    }

    #[test]
    fn the_given_head_is_kept_where_nothing_beats_it_and_doubted_where_it_is_at_chance() {
        // The given head is the best there is; class means of few samples are level at most.
        let kept = of_rows_off_by(0);
        assert!(
            kept[0].starts_with("Take stage-1") && kept[0].contains("nothing is trained"),
            "{kept:?}"
        );
        let doubted = of_rows_off_by(1);
        assert!(doubted.last().unwrap().contains("order of the classes"), "{doubted:?}");
        assert!(doubted[0].starts_with("Take lda"), "{doubted:?}");
    }
}
