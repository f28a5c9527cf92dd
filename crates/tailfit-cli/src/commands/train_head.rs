//! `tailfit train-head`.

use std::path::Path;

use anyhow::{Context, Result};
use tailfit::compare::{Comparison, DataRecord, RunRecord, head_sha256, test_rows};
use tailfit::error::Error;
use tailfit::features::DataSet;
use tailfit::methods::{self, Method};
use tailfit::metrics::{EvaluationSet, evaluate};
use tailfit::train::{Options, Solution, Trial, train};
use tailfit::{PrecisionChoice, instruction_set};

use super::{input, output};
use crate::args::{Cli, TrainHeadArgs};
use crate::printer::Printer;

pub(crate) fn run(args: &TrainHeadArgs, cli: &Cli, printer: &Printer) -> Result<()> {
    let precision = cli.precision.resolve()?;
    let is_record = |path: &&std::path::PathBuf| path.extension().is_some_and(|e| e == "json");
    if let Some(path) = args.config.as_ref().filter(is_record) {
        #[cfg(feature = "backbone")]
        if args.live.live.is_some() {
            let expected = "a recipe in TOML with --live";
            return Err(Error::usage(path.display(), expected, "a record of features", "").into());
        }
        return replay(args, path, printer);
    }
    let mut method = match (&args.config, &args.method) {
        (Some(path), _) => {
            Method::from_toml(&fs_err::read_to_string(path)?, &path.display().to_string())?
        }
        (None, Some(name)) => methods::find(name)?,
        (None, None) => {
            let remedy = "such as --method los; `tailfit list methods` names them all";
            return Err(
                Error::usage("train-head", "--method or --config", "neither", remedy).into()
            );
        }
    };
    for setting in &args.set {
        method.recipe = set(&method, setting)?;
    }
    method.search.clear();
    #[cfg(feature = "backbone")]
    if let Some(folder) = &args.live.live {
        return super::train_live::run(args, folder, &method, cli, printer);
    }
    let data = input::data_set(&args.data, printer)?;
    let comparison =
        Comparison::new(&data, args.select, vec![args.seed])?.with_precision(precision);
    let bar = printer.progress(comparison.work(&method)?);
    let result = comparison.run(&method, &|done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    output::write_head(&args.out, &result.head, &result.head_record, &data)?;
    say(args, &result.head_record, printer);
    for record in result.records.iter().filter(|r| r.selection.scored_on.half().is_some()) {
        printer.remark(&format!(
            "cross-fitted: chosen on the other half of the test set, {:.2} % on this one",
            record.evaluation.accuracy.overall_percent
        ));
    }
    Ok(())
}

fn set(method: &Method, setting: &str) -> Result<tailfit::recipe::Recipe> {
    let Some((path, value)) = setting.split_once('=') else {
        let remedy = "write it as in --set loss.delta=0.95";
        return Err(Error::usage("--set", "KEY=VALUE", format!("`{setting}`"), remedy).into());
    };
    let value = serde_json::from_str(value).unwrap_or_else(|_not_json| value.into());
    Ok(method.recipe.with(path, &value)?)
}

/// Trains exactly what the record says, and checks that the same head comes out.
fn replay(args: &TrainHeadArgs, path: &Path, printer: &Printer) -> Result<()> {
    let place = path.display().to_string();
    let record = RunRecord::from_json(&fs_err::read_to_string(path)?, &place)?;
    let data = input::data_set(&args.data, printer)?;
    check_data(&record, &data, &place)?;
    let trial =
        Trial { recipe: record.recipe.clone(), seed: record.seed, stop_after: Some(record.epoch) };
    let bar = printer.progress(record.epoch);
    let precision = PrecisionChoice::Fixed(record.precision).resolve()?;
    let progress = |done| bar.inc(done as u64);
    let options = Options { progress: &progress, score_every_epoch: false, precision };
    let outcome = train(&data, &[trial], &options)?.pop().context("one trial gives one outcome")?;
    bar.finish_and_clear();

    let head_hash = head_sha256(&outcome.head);
    let here = instruction_set();
    if head_hash != record.head_sha256 {
        if record.instruction_set == here && record.version == env!("CARGO_PKG_VERSION") {
            let found = format!("a head with hash {head_hash}");
            let expected = format!("the head of the record, hash {}", record.head_sha256);
            return Err(Error::data(
                place,
                expected,
                found,
                "was the record edited, or another stage-1 head given?",
            )
            .into());
        }
        printer.warning(&format!(
            "the record was made by version {} on {}, this is version {} on {here}: the head agrees only to rounding",
            record.version, record.instruction_set, env!("CARGO_PKG_VERSION"),
        ));
    }
    let rows = test_rows(&data.test.labels, record.seed, record.selection.scored_on);
    let test = EvaluationSet { rows: rows.as_deref(), ..EvaluationSet::of(&data.test)? };
    let record = RunRecord {
        evaluation: evaluate(&outcome.head, &test, &data.counts, data.thresholds),
        instruction_set: here.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        head_sha256: head_hash,
        ..record
    };
    output::write_head(&args.out, &outcome.head, &record, &data)?;
    say(args, &record, printer);
    Ok(())
}

fn check_data(record: &RunRecord, data: &DataSet, place: &str) -> Result<()> {
    let found = DataRecord::of(data)?;
    let wanted = &record.data;
    for (what, expected, found) in [
        ("training set", &wanted.train_sha256, found.train_sha256),
        ("test set", &wanted.test_sha256, found.test_sha256),
    ] {
        if *expected != found {
            let remedy =
                "give the files the record was made from, with the same --views and --mirror";
            let expected = format!("the {what} of the record, sha256 {expected}");
            return Err(Error::data(place, expected, found, remedy).into());
        }
    }
    Ok(())
}

fn say(args: &TrainHeadArgs, record: &RunRecord, printer: &Printer) {
    if args.json {
        printer.data(&record.to_json());
        return;
    }
    let accuracy = &record.evaluation.accuracy;
    let percent = |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{v:.2}"));
    let star = if record.selection.optimistic { "* (chosen on these very samples)" } else { "" };
    let how = match record.solution {
        None => format!(
            "after {} of {} epochs, seed {}",
            record.epoch, record.recipe.sgd.epochs, record.seed
        ),
        Some(Solution { gap: Some(gap), passes }) => {
            format!("solved to a gap of {gap:.1e} in {passes} passes")
        }
        Some(Solution { gap: None, passes }) => {
            format!(
                "solved in {passes} passes, without weight decay and so without a certified gap"
            )
        }
    };
    printer.data(&format!(
        "{} {how}: all {:.2}{star}, many {}, medium {}, few {}\nhead: {}\n",
        record.method,
        accuracy.overall_percent,
        percent(accuracy.many_percent),
        percent(accuracy.medium_percent),
        percent(accuracy.few_percent),
        args.out.display(),
    ));
}
