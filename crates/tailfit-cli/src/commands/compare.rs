//! `tailfit compare`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tailfit::compare::{Comparison, DataRecord, MethodResult, RunRecord, Selection};
use tailfit::error::Error;
use tailfit::features::DataSet;
use tailfit::files::write_atomically;
use tailfit::methods::{self, Method};
use tailfit::report;

use super::{input, output};
use crate::args::{Cli, CompareArgs, Protocol};
use crate::printer::Printer;

pub(crate) fn run(args: &CompareArgs, cli: &Cli, printer: &Printer) -> Result<()> {
    let precision = cli.precision.resolve()?;
    let chosen = methods_of(args)?;
    let configs = args.config.iter().map(PathBuf::as_path);
    let inputs: Vec<&Path> = args.data.inputs().into_iter().chain(configs).collect();
    output::check_folder(&args.out, &inputs)?;
    let data = input::data_set(&args.data, printer)?;
    let selection = match (args.select, args.protocol) {
        (Some(selection), _) => selection,
        (None, Protocol::Paper) => Selection::BestOnTest,
        (None, Protocol::Honest) if data.validation.is_some() => Selection::Validation,
        (None, Protocol::Honest) => Selection::CrossFitted,
    };
    if args.protocol == Protocol::Paper && data.test.mirror.is_none() {
        printer.warning(
            "the paper's protocol averages logits over mirrored images, but the test set has none",
        );
    }
    let comparison =
        Comparison::new(&data, selection, (0..args.seeds).collect())?.with_precision(precision);
    remark_data(comparison.data_record(), printer);

    let work = chosen
        .iter()
        .map(|method| comparison.work(method))
        .sum::<tailfit::error::Result<usize>>()?;
    let bar = printer.progress(work);
    let mut records = Vec::new();
    let mut paths = Vec::new();
    let mut failed = Vec::new();
    for method in &chosen {
        bar.set_message(method.name.clone());
        let result = match attempt(|| comparison.run(method, &|done| bar.inc(done as u64))) {
            Ok(result) => result,
            Err(error) if chosen.len() == 1 => return Err(error),
            Err(error) => {
                bar.suspend(|| printer.warning(&format!("{}: {error}", method.name)));
                failed.push(method.name.as_str());
                continue;
            }
        };
        write_method(&args.out, method, &result, &data)?;
        if method.recipe.sgd.epochs > 0
            && let Some(path) = output::mean_path(&result.curves, &method.recipe)
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
    finish(args, &records, (&paths, notes), printer)?;
    if failed.is_empty() {
        return Ok(());
    }
    let found = format!("{} that did not: {}", failed.len(), failed.join(", "));
    Err(Error::data("compare", "every method to finish", found, "the others' results are whole")
        .into())
}

/// What `work` comes to; a panic in it, which is a fault of this program, is an error like others,
/// so that it costs no other method's results.
fn attempt<T>(work: impl FnOnce() -> tailfit::error::Result<T>) -> Result<T> {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    let panicked =
        |_payload| Error::data("method", "to finish", "a fault of this program", "report it");
    Ok(caught.map_err(panicked)??)
}

fn methods_of(args: &CompareArgs) -> Result<Vec<Method>> {
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
        return Ok(methods::all());
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

fn write_method(out: &Path, method: &Method, result: &MethodResult, data: &DataSet) -> Result<()> {
    let folder = out.join("records");
    let name = |seed: u64| format!("{}-seed{seed}.json", method.name);
    let names: Vec<String> = result.records.iter().map(|record| name(record.seed)).collect();
    for (name, record) in names.iter().zip(&result.records) {
        write_atomically(&folder.join(name), record.to_json().as_bytes())?;
    }
    // Records of an earlier run with more seeds are none of this one's.
    for entry in fs_err::read_dir(&folder)? {
        let entry = entry?;
        let old = entry.file_name().to_string_lossy().into_owned();
        let seed = old.strip_prefix(&format!("{}-seed", method.name));
        let seed = seed.and_then(|rest| rest.strip_suffix(".json")?.parse::<u64>().ok());
        if seed.is_some() && !names.contains(&old) {
            fs_err::remove_file(entry.path())?;
        }
    }
    let head = out.join("heads").join(format!("{}.safetensors", method.name));
    output::write_head(&head, &result.head, &result.head_record, data)?;
    let curves = out.join("curves").join(format!("{}.csv", method.name));
    write_atomically(&curves, output::curves_csv(&result.curves)?.as_bytes())?;
    Ok(())
}

fn finish(
    args: &CompareArgs,
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
    table.notes.extend(notes);
    let path_table = report::paths_table(paths);
    let mut markdown = format!("{}\n{}\n", table.markdown(), first.data.provenance);
    if !paths.is_empty() {
        markdown.push('\n');
        markdown += &path_table.markdown();
    }
    for (name, text) in
        [("report.md", markdown), ("summary.csv", report::csv(&rows)), ("table.tex", table.latex())]
    {
        write_atomically(&args.out.join(name), text.as_bytes())?;
    }
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
