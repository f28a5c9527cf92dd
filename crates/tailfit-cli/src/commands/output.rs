//! Heads and notes that several commands write.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tailfit::compare::{Curve, RunRecord};
use tailfit::error::Error;
use tailfit::features::{DataSet, HeadFile, save_head};
use tailfit::files::{check_writable, write_atomically};
use tailfit::head::Head;
use tailfit::report::head_metadata;

/// Writes a head under the user's own key names, and its record beside it.
pub(crate) fn write_head(
    path: &Path,
    head: &Head,
    record: &RunRecord,
    data: &DataSet,
) -> Result<()> {
    let key = data.stage_1.as_ref().map_or("fc", |file| file.key.as_str());
    save_head(path, &HeadFile::new(head.clone(), key, head_metadata(record, data)))?;
    write_atomically(&record_beside(path), record.to_json().as_bytes())?;
    Ok(())
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
