//! What all parts share: features, trained methods, and files.

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::de::DeserializeOwned;
use serde_json::json;
use tailfit::Precision;
use tailfit::compare::{Comparison, MethodResult, RunRecord, Selection};
use tailfit::error::Error;
use tailfit::features::{DataSet, Features, Reading, Storage, load_head};
use tailfit::files::write_atomically;
use tailfit::methods::Method;
use tailfit::metrics::Accuracy;
use tailfit::report::Table;
use tailfit::shots::ShotThresholds;

use super::course::{self, Course};
use super::missing::how_to_make;
use crate::args::ReproduceArgs;
use crate::printer::Printer;

/// The file of the head from which stage 2 starts, and of what a system predicts instead, if it does.
pub(super) const HEAD: &str = "head.safetensors";
const PREDICTION: &str = "prediction.safetensors";

/// Features that come with the program.
const EMBEDDED: &str = "cross-entropy";

pub(super) struct Paper<'a> {
    out: &'a Path,
    features: &'a Path,
    pub(super) seeds: u64,
    precision: Precision,
    pub(super) printer: &'a Printer,
    missing: RefCell<Vec<String>>,
}

impl<'a> Paper<'a> {
    pub(super) fn new(args: &'a ReproduceArgs, precision: Precision, printer: &'a Printer) -> Self {
        Self {
            out: &args.out,
            features: &args.features,
            seeds: args.seeds,
            precision,
            printer,
            missing: RefCell::default(),
        }
    }

    /// A configuration that comes with the program.
    pub(super) fn config<T: DeserializeOwned>(name: &str, text: &str) -> Result<T> {
        let place = format!("configs/paper/{name}");
        Ok(toml::from_str(text)
            .map_err(|error| Error::data(place, "a configuration", error, ""))?)
    }

    /// The features of a backbone, as [`Paper::data_if_there`]; what is missing is remembered.
    pub(super) fn data(&self, name: &str) -> Result<Option<DataSet>> {
        let data = self.data_if_there(name, HEAD)?;
        if data.is_none() {
            self.remember_missing(name);
        }
        Ok(data)
    }

    /// Remembers that the features of a backbone are not there.
    pub(super) fn remember_missing(&self, name: &str) {
        let how = how_to_make(name, &self.features.join(name));
        let mut missing = self.missing.borrow_mut();
        if !missing.contains(&how) {
            missing.push(how);
        }
    }

    /// The features of a backbone, with the head in this file: those in its folder, else those that
    /// come with the program, if there are any.
    pub(super) fn data_if_there(&self, name: &str, head: &str) -> Result<Option<DataSet>> {
        let folder = self.features.join(name);
        let thresholds = ShotThresholds::default();
        if folder.join("train.safetensors").exists() {
            let read = |file: &str| {
                let reading = Reading {
                    labels: &[],
                    label_column: None,
                    group_column: None,
                    label_base: 0,
                    storage: Storage::MEMORY,
                };
                Features::read(&[folder.join(file)], &reading)
            };
            let head = load_head(&folder.join(head), None)?;
            let (train, test) = (read("train.safetensors")?, read("test.safetensors")?);
            return Ok(Some(DataSet::new(name, train, test, None, Some(head), thresholds)?));
        }
        if name == EMBEDDED {
            return Ok(Some(DataSet::embedded(thresholds)?));
        }
        Ok(None)
    }

    /// The features of a backbone, with what it predicts for head.
    pub(super) fn predicting(&self, name: &str) -> Result<Option<DataSet>> {
        let own = self.features.join(name).join(PREDICTION).exists();
        self.data_if_there(name, if own { PREDICTION } else { HEAD })
    }

    /// Features that every part needs.
    pub(super) fn needed(&self, name: &str) -> Result<DataSet> {
        let missing = || Error::data("reproduce", format!("features of {name}"), "none", "");
        Ok(self.data(name)?.ok_or_else(missing)?)
    }

    /// What was missing.
    pub(super) fn missing(&self) -> Vec<String> {
        self.missing.borrow().clone()
    }

    fn comparison<'b>(
        &self,
        data: &'b DataSet,
        selection: Selection,
        seeds: u64,
    ) -> Result<Comparison<'b>> {
        let comparison = Comparison::new(data, selection, (0..seeds).collect())?;
        Ok(comparison.with_precision(self.precision))
    }

    /// Trains a method.
    pub(super) fn trained(
        &self,
        data: &DataSet,
        selection: Selection,
        seeds: u64,
        method: &Method,
    ) -> Result<MethodResult> {
        Ok(self.comparison(data, selection, seeds)?.run(method, &|_| {})?)
    }

    /// Every epoch of every trial of a method; kept in `part`, a line for each trial and seed, and taken from
    /// there if an earlier run of the same has left them.
    pub(super) fn courses(
        &self,
        (part, file): (&str, &str),
        data: &DataSet,
        seeds: u64,
        method: &Method,
    ) -> Result<Vec<Course>> {
        let comparison = self.comparison(data, Selection::BestOnTest, seeds)?;
        let origin = course::origin(comparison.data_record(), self.precision, &method.name);
        let recipes = method.grid()?;
        let known = |text: &str| course::from_lines(text, &origin, &recipes, seeds);
        let earlier = fs_err::read_to_string(self.out.join(part).join(file)).ok();
        if let Some(courses) = earlier.as_deref().and_then(known) {
            self.printer.remark(&format!("{part}/{file}: taken from an earlier run"));
            return Ok(courses);
        }
        let curves = comparison.run(method, &|_| {})?.curves;
        let text = course::to_lines(&origin, &curves);
        self.write(part, file, &text)?;
        let expected = format!("a line for each of {} trials and {seeds} seeds", recipes.len());
        known(&text).ok_or_else(|| Error::data(file, expected, "others", "").into())
    }

    /// The records of a method, one per seed: those of an earlier run, if they are of the same data,
    /// method, rule, version and instruction set, so that long parts resume.
    pub(super) fn records(
        &self,
        data: &DataSet,
        selection: Selection,
        method: &Method,
        seeds: u64,
    ) -> Result<Vec<RunRecord>> {
        let comparison = self.comparison(data, selection, seeds)?;
        let mut hasher = DefaultHasher::new();
        // As recipes are written, so that a new key with its default leaves them what they are.
        (json!(method.recipe).to_string(), format!("{:?}", method.search)).hash(&mut hasher);
        let rule = selection.rule().name;
        let folder = self.out.join("records").join(&data.name).join(rule);
        let stem = format!("{}-{:08x}", method.name, hasher.finish() as u32);
        let file = |seed: u64| folder.join(format!("{stem}-seed{seed}.json"));
        let known = |seed: u64| -> Option<RunRecord> {
            let text = fs_err::read_to_string(file(seed)).ok()?;
            let record = RunRecord::from_json(&text, "").ok()?;
            let same = record.version == env!("CARGO_PKG_VERSION")
                && record.precision == self.precision
                && record.instruction_set == tailfit::instruction_set()
                && record.data == *comparison.data_record();
            same.then_some(record)
        };
        if let Some(records) = (0..seeds).map(known).collect() {
            return Ok(records);
        }
        let records = comparison.run(method, &|_| {})?.records;
        fs_err::create_dir_all(&folder)?;
        for record in &records {
            write_atomically(&file(record.seed), record.to_json().as_bytes())?;
        }
        Ok(records)
    }

    fn write(&self, part: &str, name: &str, text: &str) -> Result<()> {
        let folder: PathBuf = self.out.join(part);
        fs_err::create_dir_all(&folder)?;
        Ok(write_atomically(&folder.join(name), text.as_bytes())?)
    }

    /// Writes a table in three forms, and prints it.
    pub(super) fn table(&self, part: &str, name: &str, table: &Table) -> Result<()> {
        self.write(part, &format!("{name}.md"), &table.markdown())?;
        self.write(part, &format!("{name}.csv"), &table.csv())?;
        self.write(part, &format!("{name}.tex"), &table.latex())?;
        self.printer.data(&format!("\n{}\n{}", table.caption, table.text()));
        Ok(())
    }

    /// Writes a figure.
    pub(super) fn figure(&self, part: &str, name: &str, svg: &str) -> Result<()> {
        self.write(part, &format!("{name}.svg"), svg)
    }

    /// Keeps records beside their table.
    pub(super) fn keep(&self, part: &str, file: &str, records: &[RunRecord]) -> Result<()> {
        let lines: String = records.iter().map(RunRecord::to_short_line).collect();
        self.write(part, file, &lines)
    }

    /// Keeps records with their readings per class.
    pub(super) fn keep_whole(&self, part: &str, file: &str, records: &[RunRecord]) -> Result<()> {
        let lines: String = records.iter().map(|record| json!(record).to_string() + "\n").collect();
        self.write(part, file, &lines)
    }

    /// A bar over a part's steps.
    pub(super) fn progress(&self, part: &str, steps: usize) -> indicatif::ProgressBar {
        let bar = self.printer.progress(steps);
        bar.set_message(part.to_owned());
        bar
    }
}

/// A number in percent, or a dash.
pub(super) fn percent(value: Option<f64>) -> String {
    value.map_or("–".to_owned(), |value| format!("{value:.2}"))
}

/// The first digits of a data set's hashes, and its name.
pub(super) fn origin(record: &RunRecord) -> String {
    let short = |hash: &str| hash.chars().take(12).collect::<String>();
    format!(
        "{}; train sha256 {}, test sha256 {}",
        record.data.name,
        short(&record.data.train_sha256),
        short(&record.data.test_sha256)
    )
}

/// What choosing the trial and the epoch on the test set, and the best seed, would have claimed: the
/// paper's protocol, from records that were chosen otherwise.
pub(super) fn claim<'a>(records: impl IntoIterator<Item = &'a RunRecord>) -> Option<&'a Accuracy> {
    let claims =
        records.into_iter().filter_map(|record| Some(&record.best_on_test.as_ref()?.accuracy));
    claims.max_by(|a, b| a.macro_percent.total_cmp(&b.macro_percent))
}

/// The record with the highest class mean: the paper's "best of five".
pub(super) fn best(records: &[RunRecord]) -> Option<&RunRecord> {
    let of = |record: &RunRecord| record.evaluation.accuracy.macro_percent;
    records.iter().max_by(|a, b| of(a).total_cmp(&of(b)))
}
