//! Heads, curves and notes that several commands write.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::Result;
use tailfit::compare::{Curve, RunRecord};
use tailfit::error::Error;
use tailfit::features::{DataSet, HeadFile, save_head};
use tailfit::files::{check_writable, write_atomically};
use tailfit::head::Head;

/// Writes a head under the user's own key names, and its record beside it.
pub(crate) fn write_head(
    path: &Path,
    head: &Head,
    record: &RunRecord,
    data: &DataSet,
) -> Result<()> {
    let key = data.stage_1.as_ref().map_or("fc", |file| file.key.as_str());
    let mut metadata = HashMap::from([
        ("made_by".to_owned(), format!("tailfit {}", record.version)),
        ("method".to_owned(), record.method.clone()),
        ("scores".to_owned(), scores(record).to_string()),
        ("class_counts".to_owned(), serde_json::to_string(data.counts.as_slice())?),
    ]);
    if let Some(columns) = &data.train.columns {
        metadata.insert("columns".to_owned(), serde_json::to_string(columns)?);
    }
    if let Some(names) = &data.train.class_names {
        metadata.insert("class_names".to_owned(), serde_json::to_string(names)?);
    }
    save_head(path, &HeadFile::new(head.clone(), key, metadata))?;
    write_atomically(&record_beside(path), record.to_json().as_bytes())?;
    Ok(())
}

/// What a head reaches, in its own file: the test scores of its record, how it was chosen, and
/// whether that makes them too good.
fn scores(record: &RunRecord) -> serde_json::Value {
    let accuracy = &record.evaluation.accuracy;
    serde_json::json!({
        "n_test": record.data.n_test,
        "test_sha256": record.data.test_sha256,
        "overall_percent": accuracy.overall_percent,
        "macro_percent": accuracy.macro_percent,
        "many_percent": accuracy.many_percent,
        "medium_percent": accuracy.medium_percent,
        "few_percent": accuracy.few_percent,
        "validation_percent": record.heads[0].validation_percent,
        "selection": record.selection.rule,
        "optimistic": record.selection.optimistic,
        "seed": record.seed,
    })
}

/// Where the record of a head goes.
pub(crate) fn record_beside(head: &Path) -> PathBuf {
    if head.extension().is_some_and(|extension| extension == "safetensors") {
        return head.with_extension("json");
    }
    let name = head.file_name().unwrap_or_default().to_string_lossy();
    head.with_file_name(format!("{name}.json"))
}

/// Checks before any work that a head and its record can be written, and replace no input.
pub(crate) fn check_head(path: &Path, inputs: &[&Path]) -> Result<()> {
    [path, &record_beside(path)].into_iter().try_for_each(|output| check_file(output, inputs))
}

/// Checks before any work that a file can be written, and replaces no input.
pub(crate) fn check_file(output: &Path, inputs: &[&Path]) -> Result<()> {
    check_writable(output)?;
    if inputs.iter().any(|input| is_same(input, output)) {
        let remedy = "choose another name with --out";
        let expected = "a file that is not an input of this run";
        return Err(Error::usage(output.display(), expected, "an input", remedy).into());
    }
    Ok(())
}

/// Checks before any work that a folder can be written to, and holds no input.
pub(crate) fn check_folder(folder: &Path, inputs: &[&Path]) -> Result<()> {
    check_writable(&folder.join("report.md"))?;
    let Ok(real) = fs_err::canonicalize(folder) else { return Ok(()) };
    let inside = |input: &&&Path| fs_err::canonicalize(**input).is_ok_and(|i| i.starts_with(&real));
    match inputs.iter().find(inside) {
        None => Ok(()),
        Some(input) => {
            let remedy = "choose another folder with --out";
            let expected = "a folder without inputs of this run, since its files are replaced";
            Err(Error::usage(folder.display(), expected, input.display(), remedy).into())
        }
    }
}

fn is_same(a: &Path, b: &Path) -> bool {
    matches!((fs_err::canonicalize(a), fs_err::canonicalize(b)), (Ok(a), Ok(b)) if a == b)
}

/// Every epoch of every trial as CSV.
pub(crate) fn curves_csv(curves: &[Curve]) -> Result<String> {
    let mut out =
        "trial,seed,epoch,train_loss,overall_percent,macro_percent,many_percent,medium_percent,\
                   few_percent,recipe\n"
            .to_owned();
    for curve in curves {
        let recipe = serde_json::to_string(&curve.recipe)?.replace('"', "\"\"");
        for (epoch, accuracy) in curve.accuracy.iter().enumerate() {
            let number = |value: Option<f64>| value.map_or(String::new(), |v| format!("{v:.4}"));
            let loss = epoch.checked_sub(1).map(|e| curve.train_loss[e]);
            // The recipe stands once per curve, in its first line.
            let recipe = if epoch == 0 { format!("\"{recipe}\"") } else { String::new() };
            let _ = writeln!(
                out,
                "{},{},{epoch},{},{:.4},{:.4},{},{},{},{recipe}",
                curve.trial,
                curve.seed,
                loss.map_or(String::new(), |loss| format!("{loss:.6}")),
                accuracy.overall_percent,
                accuracy.macro_percent,
                number(accuracy.many_percent),
                number(accuracy.medium_percent),
                number(accuracy.few_percent),
            );
        }
    }
    Ok(out)
}

/// Mean over seeds of the macro accuracy of one recipe after each epoch, where it was trained to its end.
pub(crate) fn mean_path(curves: &[Curve], recipe: &tailfit::recipe::Recipe) -> Option<Vec<f64>> {
    let paths = || curves.iter().filter(|curve| curve.recipe == *recipe);
    let n_epochs = paths().map(|curve| curve.accuracy.len()).max()?;
    let paths: Vec<&Curve> = paths().filter(|curve| curve.accuracy.len() == n_epochs).collect();
    let mean = |epoch: usize| {
        let sum: f64 = paths.iter().map(|curve| curve.accuracy[epoch].macro_percent).sum();
        sum / paths.len() as f64
    };
    Some((0..n_epochs).map(mean).collect())
}
