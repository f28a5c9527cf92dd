//! Renders summaries as tables and CSV.

use std::collections::BTreeMap;

use super::columns::{COLUMNS, Column, epoch, last_epoch, macro_percent, missed_gap};
use super::shown::Shown;
use super::{Summary, Table, advice, conditioning};
use crate::compare::{DataRecord, Effort, HeadRecord, RunRecord, Selection};
use crate::files::quoted;
use crate::methods::Method;

const STAR_NOTE: &str = "* chosen on the test set itself: too good by construction.";

const VALIDATION_NOTE: &str = "validation: class mean on the validation set, by which epoch and hyper-parameters were \
                               chosen. Choose a method by it too: by its test score would be best on test.";

const INTERVAL_NOTE: &str = "95 %: half of the interval of the class mean over test samples and seeds; ± beside a mean is over \
                             seeds alone.";

const DIFFERENCE_NOTE: &str = "to the best: class mean minus that of the best row, with a 95 % interval over bootstrap \
                               resamples of test samples and seeds, paired; where it contains 0, the test set cannot \
                               tell the two apart. rank: from one more than the rows that are measurably better to all \
                               but those that are measurably worse, at 95 % for all of these at once.";

const NO_BIAS_NOTE: &str = "The stage-1 head was given without a bias; re-trained heads have one.";

/// The comparison as one table.
pub fn summary_table(rows: &[Summary<'_>], data: &DataRecord) -> Table {
    let (columns, headers): (Vec<_>, Vec<_>) = shown(rows, data).into_iter().unzip();
    let cells = |row: &Summary<'_>| columns.iter().map(|column| (column.cell)(row)).collect();
    Table {
        caption: caption(rows, data),
        columns: headers,
        rows: rows.iter().map(cells).collect(),
        notes: notes(rows, data),
    }
}

/// The header of every column of [`summary_table`], and what is in it.
pub fn column_meanings(rows: &[Summary<'_>], data: &DataRecord) -> Vec<(String, &'static str)> {
    shown(rows, data).into_iter().map(|(column, header)| (header, column.meaning)).collect()
}

/// The columns that these rows have, with their headers.
fn shown(rows: &[Summary<'_>], data: &DataRecord) -> Vec<(&'static Column, String)> {
    let shown = Shown { data, rows };
    let with_header = |column: &'static Column| Some((column, (column.header)(&shown)?));
    COLUMNS.iter().filter_map(with_header).collect()
}

/// The rows as CSV: numbers at full precision, missing values empty.
pub fn csv(rows: &[Summary<'_>]) -> String {
    let fields = || COLUMNS.iter().flat_map(|column| column.csv);
    let names: Vec<&str> = fields().map(|(name, _)| *name).collect();
    let line = |row: &Summary<'_>| -> String {
        let values: Vec<String> = fields().map(|(_, value)| quoted(&value(row))).collect();
        values.join(",") + "\n"
    };
    names.join(",") + "\n" + &rows.iter().map(line).collect::<String>()
}

fn caption(rows: &[Summary<'_>], data: &DataRecord) -> String {
    let rule = rows.first().map_or(Selection::Last, Summary::selection).rule();
    let seeds = || rows.iter().map(Summary::n_seeds);
    let (fewest, n_seeds) = (seeds().min().unwrap_or(0), seeds().max().unwrap_or(0));
    let fewest = if fewest < n_seeds { format!("{fewest} to ") } else { String::new() };
    let trials = rows.iter().map(Summary::n_trials).max().unwrap_or(0);
    let seeds = if n_seeds == 1 { "seed" } else { "seeds" };
    let first = rows.first().map(Summary::effort);
    let effort = match first {
        _ if rows.iter().any(|row| Some(row.effort()) != first) => " (rows of different efforts)",
        Some(Effort::Quick) => " (quick: half of each axis, by successive halving)",
        Some(Effort::Standard) => " by successive halving",
        Some(Effort::Thorough | Effort::Full) | None => "",
    };
    let beyond = match rows.iter().map(Summary::n_beyond).max() {
        Some(0) | None => String::new(),
        Some(n) => format!(" and {n} beyond the edges of its grid"),
    };
    let views =
        if data.n_views > 0 { format!(", {} training views", data.n_views) } else { String::new() };
    let groups = data.test_groups.map_or(String::new(), |n| format!(" of {n} groups"));
    let mirror = if data.mirror { ", mirror-averaged" } else { "" };
    let spent: Vec<usize> =
        rows.iter().filter_map(Summary::head_epochs).filter(|&epochs| epochs > 0).collect();
    let spent = match (spent.iter().min(), spent.iter().max()) {
        (Some(least), Some(most)) if least < most => {
            format!(", {least} to {most} head-epochs of SGD a seed where there are any")
        }
        (Some(all), _) => format!(", {all} head-epochs of SGD a seed where there are any"),
        (None, _) => String::new(),
    };
    let search = if rule.searches() {
        format!("; up to {trials} trials per method{beyond}{effort}{spent}")
    } else {
        String::new()
    };
    let rule = rule.caption;
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    format!(
        "{}: top-1 accuracy in percent on {} test samples{groups}{mirror}{views}; {rule}{search}; \
         mean ± standard deviation over {fewest}{n_seeds} {seeds}. Train sha256 {}, test sha256 {}.",
        data.name,
        data.n_test,
        short(&data.train_sha256),
        short(&data.test_sha256),
    )
}

/// Which methods' choices lie mostly on the edge of their grids, as a note to
/// [`summary_table`]; none if nothing was searched, or no method's do.
pub fn edges_note(methods: &[Method], records: &[RunRecord]) -> Option<String> {
    let of = |method: &Method| {
        let own = records.iter().filter(|record| record.method == method.name);
        let searched = own.filter(|record| record.selection.rule.rule().searches());
        let heads: Vec<&HeadRecord> = searched.flat_map(|record| &record.heads).collect();
        let mut times = BTreeMap::new();
        let effort = records.first().map(|record| record.selection.effort).unwrap_or_default();
        let searched = effort.searched(method);
        let edges = |head: &&HeadRecord| searched.edges(&head.recipe, effort.steps_beyond());
        for edge in heads.iter().flat_map(edges) {
            *times.entry(edge).or_insert(0) += 1;
        }
        times.retain(|_, &mut times: &mut usize| 2 * times > heads.len());
        let often: Vec<String> = times.into_keys().collect();
        (!often.is_empty()).then(|| format!("{} ({})", method.name, often.join("; ")))
    };
    let all: Vec<String> = methods.iter().filter_map(of).collect();
    (!all.is_empty()).then(|| {
        let all = all.join("; ");
        format!(
            "Mostly chosen at the edge of what was tried, so that values beyond may be better: {all}."
        )
    })
}

fn notes(rows: &[Summary<'_>], data: &DataRecord) -> Vec<String> {
    let note = |row: &Summary<'_>| {
        let (chosen, last) = (row.mean(macro_percent), row.mean(last_epoch));
        (row.epochs() > 0 && chosen - last > 2.0).then(|| {
            format!(
                "{}: {chosen:.2} at the chosen epochs (mean {:.1}), {last:.2} after epoch {}: training on makes it \
                 worse, so its epoch has to be chosen on held-out data.",
                row.method,
                row.mean(epoch),
                row.epochs(),
            )
        })
    };
    // The largest gap at which a solver stopped short of what was asked.
    let stopped = |row: &Summary<'_>| {
        let gap = row.spread(missed_gap)?.max;
        let method = row.method;
        Some(format!(
            "{method}: its solver stopped at a gap of up to {gap:.1e}, short of the optimum."
        ))
    };
    let notes = rows.iter().filter_map(note).chain(rows.iter().filter_map(stopped));
    let validated = rows.iter().any(|row| row.selection() == Selection::Validation);
    let validation = validated.then(|| VALIDATION_NOTE.to_owned());
    let no_bias = (data.stage_1 == "given, without a bias").then(|| NO_BIAS_NOTE.to_owned());
    let stars = std::iter::once(STAR_NOTE.to_owned());
    let shown = Shown { data, rows };
    let compared = shown.compared().then(|| DIFFERENCE_NOTE.to_owned());
    let measured = shown.measured().then(|| INTERVAL_NOTE.to_owned());
    let stars = stars.chain(measured).chain(compared);
    let lines = advice(rows).into_iter().chain(stars);
    lines.chain(validation).chain(no_bias).chain(notes).chain(conditioning::note(rows)).collect()
}

/// Macro accuracy of each method's default recipe after selected epochs: `paths` holds the
/// method's name and its mean over seeds after epochs 0, 1, 2, …
pub fn paths_table(paths: &[(String, Vec<f64>)]) -> Table {
    let last = paths.iter().map(|(_, path)| path.len().saturating_sub(1)).max().unwrap_or(0);
    let shown: Vec<usize> = [0, 1, 2, 3, 5, 10, 15, 20, 50, 100]
        .into_iter()
        .filter(|&e| e < last)
        .chain([last])
        .collect();
    let cells = |(method, path): &(String, Vec<f64>)| {
        let at = |e: &usize| path.get(*e).map_or("–".to_owned(), |value| format!("{value:.2}"));
        std::iter::once(method.clone()).chain(shown.iter().map(at)).collect()
    };
    Table {
        caption: "Default recipes: macro accuracy in percent on the whole test set after each epoch (nothing \
                  chosen; epoch 0 is the start), mean over seeds."
            .to_owned(),
        columns: std::iter::once("method".to_owned())
            .chain(shown.iter().map(|e| format!("epoch {e}")))
            .collect(),
        rows: paths.iter().map(cells).collect(),
        notes: vec![],
    }
}
