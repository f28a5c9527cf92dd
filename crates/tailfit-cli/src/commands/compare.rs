//! `tailfit compare`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::Result;
use tailfit::compare::{Comparison, DataRecord, Effort, MethodResult, RunRecord, Selection};
use tailfit::error::Error;
use tailfit::features::DataSet;
use tailfit::files::OwnedFolder;
use tailfit::methods::{self, Method};
use tailfit::metrics::{EvaluationSet, class_reports};
use tailfit::report;

use super::interrupt::stop_on_interrupt;
use super::{input, output};
use crate::args::{Cli, CompareArgs, Protocol};
use crate::printer::Printer;

pub(crate) fn run(args: &CompareArgs, cli: &Cli, printer: &Printer) -> Result<()> {
    let precision = cli.precision.resolve()?;
    let as_papers_do =
        args.protocol == Protocol::Paper || args.select == Some(Selection::BestOnTest);
    let usual = if args.protocol == Protocol::Paper { Effort::Full } else { Effort::Standard };
    let effort = args.effort.unwrap_or(usual);
    let seeds = args.seeds.unwrap_or(if effort == Effort::Quick { 1 } else { 5 });
    let mut chosen = methods_of(args, effort)?;
    if !as_papers_do {
        chosen = chosen.into_iter().map(Method::with_conditioning).collect();
    }
    let configs = args.config.iter().map(PathBuf::as_path);
    let inputs: Vec<&Path> = args.data.inputs().into_iter().chain(configs).collect();
    output::check_folder(&args.out, &inputs)?;
    let data = input::data_set(&args.data, true, printer)?;
    let selection = selection_of(args, &data);
    if args.protocol == Protocol::Paper && data.test.mirror.is_none() {
        printer.warning(
            "the paper's protocol averages logits over mirrored images, but the test set has none",
        );
    }
    if selection.rule().folds {
        input::check_folds(&data, &args.data)?;
    }
    let stop = stop_on_interrupt()?;
    let comparison = Comparison::new_until(&data, selection, (0..seeds).collect(), &stop)?
        .with_precision(precision)
        .with_effort(effort);
    remark_data(comparison.data_record(), printer);
    remark_folds(&comparison, printer);
    if as_papers_do || !selection.rule().searches() {
        printer.warnings(report::scale_warning(&data)?);
    }

    let work: Vec<usize> = chosen
        .iter()
        .map(|method| comparison.work(method))
        .collect::<tailfit::error::Result<_>>()?;
    let mut folder =
        OwnedFolder::claim(&args.out, "compare", planned(&chosen, seeds), Some("records"))?;
    let bar = printer.progress(work.iter().sum());
    let mut records = Vec::new();
    let mut paths = Vec::new();
    let mut failed = Vec::new();
    for (at, method) in chosen.iter().enumerate() {
        // What a method takes is an estimate.
        bar.set_position(work[..at].iter().sum::<usize>() as u64);
        if stop.load(Ordering::Relaxed) {
            failed.push(method.name.as_str());
            continue;
        }
        bar.set_message(method.name.clone());
        let result = match attempt(|| comparison.run(method, &|done| bar.inc(done as u64))) {
            Ok(result) => result,
            Err(error) if chosen.len() == 1 => return Err(error),
            Err(error) => {
                let line = if stop.load(Ordering::Relaxed) {
                    "interrupted: tables are made of the methods that are finished".to_owned()
                } else {
                    format!("{}: {error}", method.name)
                };
                bar.suspend(|| printer.warning(&line));
                failed.push(method.name.as_str());
                continue;
            }
        };
        write_method(&mut folder, method, &result, &data)?;
        // As they are finished, on a terminal.
        bar.println(format!("{}: {}", method.name, scored(&result.records)));
        if method.recipe.has_course()
            && method.recipe.sgd.epochs > 0
            && let Some(path) = output::mean_path(&result.curves, &effort.searched(method).recipe)
        {
            paths.push((method.name.clone(), path));
        }
        records.extend(result.records);
    }
    bar.finish_and_clear();
    let mut notes = Vec::new();
    // Two heads scored a half each; the one in the file was chosen without halves.
    if records.iter().any(|record| record.heads.len() > 1) {
        notes.push(
            "Where anything was chosen, the file in heads/ need not be a head scored here: it was \
             chosen on the whole test set, with the first seed."
                .to_owned(),
        );
    }
    notes.extend(report::edges_note(&chosen, &records));
    finish(args, folder, &records, (&paths, notes), printer)?;
    if failed.is_empty() {
        return Ok(());
    }
    let interrupted = if stop.load(Ordering::Relaxed) { " (interrupted)" } else { "" };
    let found = format!("{} that did not{interrupted}: {}", failed.len(), failed.join(", "));
    Err(Error::data("compare", "every method to finish", found, "the others' results are whole")
        .into())
}

/// Says how many classes cross-validation cannot judge, or only on few samples.
fn remark_folds(comparison: &Comparison<'_>, printer: &Printer) {
    let (unjudged, thinly) = (comparison.unjudged_classes(), comparison.thinly_judged_classes());
    let all = comparison.data_record().n_classes;
    if unjudged > 0 {
        printer.remark(&format!(
            "in no fold: {unjudged} of {all} classes, with one training sample or one group; they are trained, and take no \
             part in the choice"
        ));
    }
    if thinly > 0 {
        printer.remark(&format!(
            "in some folds only: {thinly} of {all} classes; choices rest on the few samples that they have"
        ));
    }
}

fn selection_of(args: &CompareArgs, data: &DataSet) -> Selection {
    let given = &args.data;
    let alone = !given.train.is_empty() && given.test.is_empty() && given.val.is_empty();
    match (args.select, args.protocol) {
        (Some(selection), _) => selection,
        (None, Protocol::Paper) => Selection::BestOnTest,
        (None, Protocol::Honest) if data.validation.is_some() => Selection::Validation,
        (None, Protocol::Honest) if alone => Selection::CrossValidated,
        (None, Protocol::Honest) => Selection::CrossFitted,
    }
}

/// The class means of a method's seeds, for a line.
fn scored(records: &[RunRecord]) -> String {
    let of = |record: &RunRecord| format!("{:.2}", record.evaluation.accuracy.macro_percent);
    records.iter().map(of).collect::<Vec<_>>().join(", ")
}

/// What `work` comes to; a panic in it, which is a fault of this program, is an error like others,
/// so that it costs no other method's results.
fn attempt<T>(work: impl FnOnce() -> tailfit::error::Result<T>) -> Result<T> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    let panicked =
        |_payload| Error::data("method", "to finish", "a fault of this program", "report it");
    Ok(caught.map_err(panicked)??)
}

fn methods_of(args: &CompareArgs, effort: Effort) -> Result<Vec<Method>> {
    let mut chosen: Vec<Method> = args
        .methods
        .iter()
        .map(|name| methods::find(name.trim()))
        .collect::<tailfit::error::Result<_>>()?;
    for path in &args.config {
        let text = fs_err::read_to_string(path)?;
        chosen.push(Method::from_toml(&text, &path.display().to_string())?);
    }
    if chosen.is_empty() {
        return Ok(effort.methods(args.data.class_vectors.is_some())?);
    }
    // Files and rows go by name.
    for (at, method) in chosen.iter().enumerate() {
        if chosen[..at].iter().any(|other| other.name == method.name) {
            let found = format!("two called `{}`", method.name);
            let remedy = "give each --config file its own name = \"…\"";
            return Err(Error::usage("methods", "different names", found, remedy).into());
        }
    }
    Ok(chosen)
}

fn remark_data(record: &DataRecord, printer: &Printer) {
    let [many, medium, few] = record.shot_sizes;
    printer.remark(&format!(
        "{}: {} training samples, {} features, {} classes ({many} many, {medium} medium, {few} few), imbalance ratio {:.0}; {} test samples\n{}",
        record.name, record.n_train, record.dim, record.n_classes, record.imbalance_ratio, record.n_test, record.provenance,
    ));
}

/// Names of a method's files, by its seeds.
fn record_name(method: &Method, seed: u64) -> String {
    format!("records/{}-seed{seed}.json", method.name)
}

fn head_name(method: &Method) -> String {
    format!("heads/{}.safetensors", method.name)
}

fn curves_name(method: &Method) -> String {
    format!("curves/{}.csv", method.name)
}

fn per_class_name(method: &Method) -> String {
    format!("per-class/{}.csv", method.name)
}

const TABLES: [&str; 4] = ["report.md", "summary.csv", "table.tex", "report.html"];

/// Every file that the run may write.
fn planned(methods: &[Method], seeds: u64) -> BTreeSet<String> {
    let of = |method: &Method| {
        let head = head_name(method);
        let beside = output::record_beside(Path::new(&head)).to_string_lossy().into_owned();
        let records = (0..seeds).map(|seed| record_name(method, seed));
        let others = [head, beside, curves_name(method), per_class_name(method)];
        records.chain(others).collect::<Vec<_>>()
    };
    methods.iter().flat_map(of).chain(TABLES.map(str::to_owned)).collect()
}

fn write_method(
    folder: &mut OwnedFolder,
    method: &Method,
    result: &MethodResult,
    data: &DataSet,
) -> Result<()> {
    for record in &result.records {
        folder.write(&record_name(method, record.seed), record.to_json().as_bytes())?;
    }
    let name = head_name(method);
    let head = folder.file(&name);
    folder.file(&output::record_beside(Path::new(&name)).to_string_lossy());
    output::write_head(&head, &result.head, &result.head_record, data)?;
    folder.write(&curves_name(method), report::curves_csv(&result.curves).as_bytes())?;
    let reports = class_reports(&result.head, &EvaluationSet::of(&data.test)?);
    let names = data.train.class_names.as_deref();
    let csv = report::per_class_csv(&reports, &data.counts, data.thresholds, names);
    folder.write(&per_class_name(method), csv.as_bytes())?;
    Ok(())
}

fn finish(
    args: &CompareArgs,
    mut folder: OwnedFolder,
    records: &[RunRecord],
    (paths, notes): (&[(String, Vec<f64>)], Vec<String>),
    printer: &Printer,
) -> Result<()> {
    let Some(first) = records.first() else {
        printer.warning("nothing was compared");
        return Ok(());
    };
    let rows = report::summarise(records)?;
    let mut table = report::summary_table(&rows, &first.data);
    let page = report::html(&rows, &first.data, &notes)?;
    table.notes.extend(notes);
    let path_table = report::paths_table(paths);
    let mut markdown = format!("{}\n{}\n", table.markdown(), first.data.provenance);
    if !paths.is_empty() {
        markdown.push('\n');
        markdown += &path_table.markdown();
    }
    let texts = [markdown, report::csv(&rows), table.latex(), page];
    for (name, text) in TABLES.into_iter().zip(texts) {
        folder.write(name, text.as_bytes())?;
    }
    folder.finish()?;
    if args.json {
        printer.data(&(serde_json::to_string_pretty(records)? + "\n"));
    } else {
        printer.data(&format!("{}\n{}", table.caption, table.text()));
        if !paths.is_empty() {
            printer.data(&format!("\n{}\n{}", path_table.caption, path_table.text()));
        }
    }
    printer.remark(&format!("tables, records, heads and curves are in {}", args.out.display()));
    Ok(())
}
