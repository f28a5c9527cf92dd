//! A comparison as one page to look at, from its records alone.

mod charts;

use serde::Serialize;

use super::advice::recommended;
use super::{Summary, Table, advice, column_meanings, summary_table};
use crate::compare::{DataRecord, RunRecord};
use crate::error::{Error, Result};
use crate::figures::{COLOURS, Chart, STYLE};
use crate::kernels::Precision;

const TEMPLATE: &str = include_str!("page.html");
const PAGE_STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Rows drawn when the page opens; the others can be switched on.
const ON: usize = 3;

/// What the template is filled with.
#[derive(Serialize)]
struct Page<'a> {
    name: &'a str,
    advice: Vec<String>,
    table: Table,
    /// What is in each column of the table.
    meanings: Vec<&'static str>,
    /// Which methods the figures show.
    shown: String,
    figures: Vec<Figure>,
    confused: Table,
    details: Vec<(&'static str, String)>,
    style: String,
    script: &'static str,
}

/// A figure of the page.
#[derive(Serialize)]
struct Figure {
    title: String,
    about: String,
    svg: String,
    keys: Vec<Key>,
}

/// An entry of a legend, which switches what has its colour.
#[derive(Serialize)]
struct Key {
    name: String,
    colour: usize,
    on: bool,
}

/// A method among those that are drawn.
struct Drawn<'a, 'b> {
    row: &'a Summary<'b>,
    colour: usize,
}

/// Everything about a comparison on one page of HTML: what to take, the table of
/// [`summary_table`] with further `notes`, accuracy by class and by epoch, Logits Magnitude and
/// Regularised Standard Deviation by groups of classes, reliability, the pairs mixed up most, and what
/// was trained on what. It needs nothing from elsewhere, and its size does not depend on the number of
/// samples. Figures that old records lack the numbers for are left out.
///
/// # Errors
///
/// If there are no rows.
pub fn html(rows: &[Summary<'_>], data: &DataRecord, notes: &[String]) -> Result<String> {
    let Some(first) = rows.first().and_then(|row| row.records.first()) else {
        return Err(Error::usage("report", "at least one record", "none", ""));
    };
    let said = advice(rows);
    let mut table = summary_table(rows, data);
    table.notes.retain(|note| !said.contains(note));
    table.notes.extend_from_slice(notes);
    let meanings = column_meanings(rows, data).into_iter().map(|(_, meaning)| meaning).collect();
    let drawn = drawn(rows);
    let best = recommended(rows).map_or(drawn[0].row, |(row, _, _)| row);
    let figures = charts::all(&drawn, data).into_iter();
    let page = Page {
        name: &data.name,
        advice: said,
        table,
        meanings,
        shown: shown(drawn.len(), rows.len()),
        figures: figures.map(|(about, chart)| figure(about, &chart, &drawn)).collect(),
        confused: confused(best, data),
        details: details(first, data),
        style: format!("{STYLE}{PAGE_STYLE}"),
        script: SCRIPT,
    };
    let fault = |error: minijinja::Error| Error::data("report", "a page", error, "report it");
    let mut environment = minijinja::Environment::new();
    environment.add_template("page.html", TEMPLATE).map_err(fault)?;
    let template = environment.get_template("page.html").map_err(fault)?;
    template.render(minijinja::value::Serde(&page)).map_err(fault)
}

/// The rows to draw, at most as many as there are colours: what to take and the given head first, then
/// from the best down.
fn drawn<'a, 'b>(rows: &'a [Summary<'b>]) -> Vec<Drawn<'a, 'b>> {
    let mut order: Vec<&Summary<'b>> = rows.iter().collect();
    let taken = recommended(rows).map(|(row, _, _)| row.method);
    order.sort_by(|a, b| {
        let rank = |row: &Summary<'_>| match row.method {
            name if Some(name) == taken => 0,
            "stage-1" => 1,
            _ => 2,
        };
        rank(a).cmp(&rank(b)).then(b.macro_mean().total_cmp(&a.macro_mean()))
    });
    order.truncate(COLOURS);
    order.into_iter().enumerate().map(|(colour, row)| Drawn { row, colour }).collect()
}

fn shown(drawn: usize, rows: usize) -> String {
    let others = "the given head, and then the best";
    match rows - drawn {
        0 => String::new(),
        _ => format!("The figures show {drawn} of the {rows} methods: what to take, {others}."),
    }
}

fn figure(about: &str, chart: &Chart, drawn: &[Drawn<'_, '_>]) -> Figure {
    let has = |colour: usize| chart.series.iter().any(|s| !s.name.is_empty() && s.colour == colour);
    let keys = drawn.iter().filter(|drawn| has(drawn.colour)).enumerate();
    let key = |(index, drawn): (usize, &Drawn<'_, '_>)| Key {
        name: drawn.row.method.to_owned(),
        colour: drawn.colour,
        on: index < ON,
    };
    Figure {
        title: chart.title.clone(),
        about: about.to_owned(),
        svg: chart.inline(),
        keys: keys.map(key).collect(),
    }
}

/// The pairs that a row mixes up most, with its first seed.
fn confused(row: &Summary<'_>, data: &DataRecord) -> Table {
    let Some(record) = row.records.first() else { return Table::default() };
    let count =
        |class: u32| data.class_counts.get(class as usize).map_or(String::new(), usize::to_string);
    let name = |class: u32| data.class_name(class as usize);
    let samples = record.evaluation.right.samples();
    let line = |pair: &crate::metrics::Confusion| {
        let of = samples.get(pair.class as usize).map_or(String::new(), |n| format!(" of {n}"));
        let counts = [count(pair.class), count(pair.taken_for)];
        let [class, taken_for] = [pair.class, pair.taken_for].map(name);
        let [n, m] = counts;
        vec![class, n, taken_for, m, format!("{}{of}", pair.samples)]
    };
    Table {
        caption: format!("{}, seed {}", row.method, record.seed),
        columns: ["class", "training samples", "taken for", "training samples", "test samples"]
            .map(str::to_owned)
            .to_vec(),
        rows: record.evaluation.confused.iter().map(line).collect(),
        notes: vec![],
    }
}

/// What was trained on what.
fn details(first: &RunRecord, data: &DataRecord) -> Vec<(&'static str, String)> {
    let [many, medium, few] = data.shot_sizes;
    let precision = match first.precision {
        Precision::F32 => "f32",
        Precision::Bf16 => "bf16",
    };
    let hash = |sha256: &Option<String>| sha256.clone().unwrap_or_else(|| "none".to_owned());
    vec![
        ("Data", data.name.clone()),
        ("Origin", data.provenance.clone()),
        ("Training samples", format!("{} with {} features each", data.n_train, data.dim)),
        (
            "Classes",
            format!(
                "{}: {many} many-shot, {medium} medium-shot, {few} few-shot; imbalance ratio {:.0}",
                data.n_classes, data.imbalance_ratio
            ),
        ),
        ("Test samples", data.n_test.to_string()),
        ("Selection", first.selection.rule.rule().help.to_owned()),
        ("Stage-1 head", data.stage_1.clone()),
        ("Training set, SHA-256", data.train_sha256.clone()),
        ("Test set, SHA-256", data.test_sha256.clone()),
        ("Validation set, SHA-256", hash(&data.validation_sha256)),
        ("Stage-1 head, SHA-256", hash(&data.stage_1_sha256)),
        (
            "Made by",
            format!("tailfit {}, {precision} products on {}", first.version, first.instruction_set),
        ),
    ]
}
