//! `tailfit report`.

use std::path::PathBuf;

use anyhow::Result;
use tailfit::compare::RunRecord;
use tailfit::error::Error;
use tailfit::{methods, report};

use crate::args::{Form, ReportArgs};
use crate::printer::Printer;

pub(crate) fn run(args: &ReportArgs, printer: &Printer) -> Result<()> {
    let mut records = Vec::new();
    for path in files(&args.records)? {
        let text = fs_err::read_to_string(&path)?;
        records.push(RunRecord::from_json(&text, &path.display().to_string())?);
    }
    // Catalogue order first, then names.
    let order: Vec<String> = methods::all().into_iter().map(|m| m.name).collect();
    let rank = |name: &str| order.iter().position(|known| known == name).unwrap_or(order.len());
    records.sort_by_key(|r| (rank(&r.method), r.method.clone(), r.seed));
    let Some(first) = records.first() else {
        return Err(Error::usage("report", "at least one record", "none", "").into());
    };
    for record in &records {
        if !record.data.is_same(&first.data) || record.selection.rule != first.selection.rule {
            let expected = format!(
                "records of one data set and selection ({}, {:?})",
                first.data.name, first.selection.rule
            );
            let found = format!("also {} with {:?}", record.data.name, record.selection.rule);
            return Err(Error::data("report", expected, found, "make one table for each").into());
        }
    }
    if args.json {
        printer.data(&(serde_json::to_string_pretty(&records)? + "\n"));
        return Ok(());
    }
    let rows = report::summarise(&records)?;
    let table = report::summary_table(&rows, &first.data);
    let form = if args.html { Form::Html } else { args.format };
    printer.data(&match form {
        Form::Text => format!("{}\n{}", table.caption, table.text()),
        Form::Markdown => table.markdown(),
        Form::Latex => table.latex(),
        Form::Csv => report::csv(&rows),
        Form::Html => report::html(&rows, &first.data, &[])?,
    });
    Ok(())
}

/// The files themselves, and the JSON files of the folders, or of the records in them, by name.
fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let of_comparison = path.join("records");
            let folder = if of_comparison.is_dir() { &of_comparison } else { path };
            let entries = fs_err::read_dir(folder)?.collect::<std::io::Result<Vec<_>>>()?;
            let mut inside: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
            inside.retain(|file| file.extension().is_some_and(|e| e == "json"));
            inside.sort();
            files.extend(inside);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}
