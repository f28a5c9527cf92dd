//! The native part of the Python package: numbers go in and out here, classes and documentation are
//! in Python.

mod arrays;
mod comparing;
mod fitting;
mod pool;
mod waiting;

use std::ffi::OsString;
use std::io::ErrorKind;

use pyo3::exceptions::{PyFileNotFoundError, PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::{PyErr, create_exception};
use serde_json::{Value, json};
use tailfit::compare::RunRecord;
use tailfit::error::Error;
use tailfit::methods::{self, Method};
use tailfit::report;

create_exception!(tailfit, DataError, PyValueError, "Data that is unusable as it is.");

/// An error of the library in the words of Python: bad data is a `DataError`, a bad request a
/// `ValueError`.
fn raised(error: Error) -> PyErr {
    match error {
        Error::Data(fault) => DataError::new_err(fault.to_string()),
        // The class that open() raises.
        Error::Io(error) if error.kind() == ErrorKind::NotFound => {
            PyFileNotFoundError::new_err(error.to_string())
        }
        Error::Io(error) => PyOSError::new_err(error.to_string()),
        other => PyValueError::new_err(other.to_string()),
    }
}

/// The method of this name, or the one that a configuration in TOML describes.
fn method_of(name: &str) -> tailfit::error::Result<Method> {
    if name.contains('\n') { Method::from_toml(name, "method") } else { methods::find(name) }
}

/// Every method: name, source and recipe (JSON).
#[pyfunction]
fn all_methods() -> String {
    let each = |method: Method| json!({"name": method.name, "source": method.source, "recipe": method.recipe});
    Value::from(methods::all().into_iter().map(each).collect::<Vec<_>>()).to_string()
}

/// The names of the methods that a comparison takes if none are named.
#[pyfunction]
fn usual_methods(effort: &str, class_vectors: bool) -> PyResult<Vec<String>> {
    let effort = comparing::effort_named(effort)?;
    let chosen = effort.methods(class_vectors).map_err(raised)?;
    Ok(chosen.into_iter().map(|method| method.name).collect())
}

/// The recipe (JSON) of a method, with the values (JSON) at dotted paths replaced.
#[pyfunction]
fn recipe(method: &str, changes: Vec<(String, String)>) -> PyResult<String> {
    let mut recipe = method_of(method).map_err(raised)?.recipe;
    for (path, value) in changes {
        let value: Value = serde_json::from_str(&value).unwrap_or_default();
        recipe = recipe.with(&path, &value).map_err(raised)?;
    }
    Ok(serde_json::to_string(&recipe).unwrap_or_default())
}

/// A table of records (JSON): text, markdown, latex, csv, html (the table alone), page
/// (everything, with figures), the lines of advice, or help with the columns.
#[pyfunction]
fn table(py: Python<'_>, records: Vec<String>, form: &str) -> PyResult<String> {
    let parsed = records.iter().map(|text| RunRecord::from_json(text, "record"));
    let records: Vec<RunRecord> = parsed.collect::<Result<_, _>>().map_err(raised)?;
    // The lock is given away: a thread of the pool may want it, to give an array back.
    let summarised = || pool::in_pool(None, || report::summarise(&records));
    let rows = py.detach(summarised).map_err(raised)?;
    let Some(first) = records.first() else { return Ok(String::new()) };
    let table = report::summary_table(&rows, &first.data);
    Ok(match form {
        "csv" => report::csv(&rows),
        "advice" => report::advice(&rows).join("\n"),
        "help" => {
            let columns = report::column_meanings(&rows, &first.data).into_iter();
            let lines = columns.map(|(header, meaning)| format!("{header}: {meaning}"));
            lines.collect::<Vec<_>>().join("\n")
        }
        "markdown" => table.markdown(),
        "latex" => table.latex(),
        "html" => html(&table),
        "page" => report::html(&rows, &first.data, &[]).map_err(raised)?,
        _ => format!("{}\n{}", table.caption, table.text()),
    })
}

/// A table for notebooks.
fn html(table: &report::Table) -> String {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let row = |cells: &[String], tag: &str| {
        let cells = cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", escape(cell)));
        format!("<tr>{}</tr>", cells.collect::<String>())
    };
    let rows: String = table.rows.iter().map(|cells| row(cells, "td")).collect();
    let notes: Vec<String> =
        table.notes.iter().map(|note| format!("<p>{}</p>", escape(note))).collect();
    let notes = notes.concat();
    let (caption, head) = (escape(&table.caption), row(&table.columns, "th"));
    format!(
        "<table><caption>{caption}</caption><thead>{head}</thead><tbody>{rows}</tbody></table>{notes}"
    )
}

/// Runs the program `tailfit` with these words, the first of which is its name; returns its exit code.
#[pyfunction]
fn run(py: Python<'_>, words: Vec<OsString>) -> u8 {
    py.detach(|| tailfit_cli::run(words))
}

#[pymodule(gil_used = false)]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("DataError", module.py().get_type::<DataError>())?;
    module.add_function(wrap_pyfunction!(all_methods, module)?)?;
    module.add_function(wrap_pyfunction!(usual_methods, module)?)?;
    module.add_function(wrap_pyfunction!(recipe, module)?)?;
    module.add_function(wrap_pyfunction!(run, module)?)?;
    module.add_function(wrap_pyfunction!(fitting::fit, module)?)?;
    module.add_function(wrap_pyfunction!(fitting::fit_temperature, module)?)?;
    module.add_function(wrap_pyfunction!(fitting::estimate_prior, module)?)?;
    module.add_function(wrap_pyfunction!(fitting::estimate_prior_by_confusion, module)?)?;
    module.add_function(wrap_pyfunction!(fitting::load_head, module)?)?;
    module.add_function(wrap_pyfunction!(fitting::save_head, module)?)?;
    module.add_function(wrap_pyfunction!(comparing::compare, module)?)?;
    module.add_function(wrap_pyfunction!(table, module)?)?;
    Ok(())
}
