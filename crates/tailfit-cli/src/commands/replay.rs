//! `tailfit train-head --config RECORD.json`: a record made again, and checked.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tailfit::compare::{DataRecord, HeadRecord, RunRecord, replay};
use tailfit::error::Error;
use tailfit::features::DataSet;
use tailfit::metrics::TestPart;
use tailfit::{Precision, PrecisionChoice};

use super::{input, output, train_head};
use crate::args::{Cli, TrainHeadArgs};
use crate::printer::Printer;

/// Trains exactly what the record says, and checks that the same heads and scores come out.
pub(crate) fn run(args: &TrainHeadArgs, path: &Path, cli: &Cli, printer: &Printer) -> Result<()> {
    let place = path.display().to_string();
    let record = RunRecord::from_json(&fs_err::read_to_string(path)?, &place)?;
    nothing_else_is_asked(args, cli, &record, &place)?;
    let mut inputs = args.data.inputs();
    inputs.push(path);
    for head in &record.heads {
        output::check_head(&named(&args.out, head.scored_on), &inputs)?;
    }
    let mut data = input::data_set(&args.data, record.data.stage_1_sha256.is_some(), printer)?;
    data.thresholds = record.data.thresholds;
    check_data(&record, &data, &place)?;

    PrecisionChoice::Fixed(record.precision).resolve()?;
    let epochs_of = |head: &HeadRecord| match &head.recipe {
        recipe if recipe.has_course() => head.epoch + recipe.sgd.epochs,
        recipe => recipe.head_epochs(),
    };
    let whole = record.heads.iter().map(epochs_of);
    let bar = printer.progress(whole.sum());
    let (heads, again) = replay(&data, &record, &|done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    check_outcome(&record, &again, &place, printer)?;
    for (head, of) in heads.iter().zip(&again.heads) {
        output::write_head(&named(&args.out, of.scored_on), head, &again, &data)?;
    }
    train_head::say(args, &again, printer);
    Ok(())
}

/// Whether the replay is what the record says: bit for bit where it has to be, and else as far as
/// rounding goes.
fn check_outcome(
    record: &RunRecord,
    again: &RunRecord,
    place: &str,
    printer: &Printer,
) -> Result<()> {
    let hashes = |record: &RunRecord| -> Vec<String> {
        record.heads.iter().map(|head| head.sha256.clone()).collect()
    };
    let (said, found) = (hashes(record), hashes(again));
    let exact = must_repeat(record, &again.instruction_set);
    if said != found && exact {
        let expected = format!("the head of the record, hash {}", said.join(" and "));
        let found = format!("a head with hash {}", found.join(" and "));
        let remedy = "was the record edited, or a different stage-1 head given?";
        return Err(Error::data(place, expected, found, remedy).into());
    }
    let overall = |record: &RunRecord| record.evaluation.accuracy.overall_percent;
    let validation = |record: &RunRecord| -> Vec<Option<f64>> {
        record.heads.iter().map(|head| head.validation_percent).collect()
    };
    let same_validation = record.data.validation_sha256 == again.data.validation_sha256;
    let differs = if exact {
        record.evaluation.accuracy != again.evaluation.accuracy
            || record.epochs != again.epochs
            || same_validation && validation(record) != validation(again)
    } else {
        (overall(record) - overall(again)).abs()
            > 100.0 * ROUNDING.max(3.0 / again.data.n_test as f64)
    };
    if differs {
        let expected = format!("what the record says, an accuracy of {} %", overall(record));
        let found = format!("{} %, or other scores of an epoch", overall(again));
        return Err(Error::data(place, expected, found, "was the record edited?").into());
    }
    if said != found {
        printer.warning(&format!(
            "the record was made by version {} on {}, this is version {} on {}: the head agrees only up to rounding",
            record.version, record.instruction_set, again.version, again.instruction_set,
        ));
    }
    Ok(())
}

/// Most of the test samples that rounding may decide otherwise.
const ROUNDING: f64 = 0.01;

/// Whether the heads of a record have to come out bit for bit: in f32 wherever multiply and add
/// are fused, in bf16 on the same unit; by this version of the program.
fn must_repeat(record: &RunRecord, here: &str) -> bool {
    let fused = |set: &str| set != "sse2";
    let f32 = record.precision == Precision::F32 && fused(here) && fused(&record.instruction_set);
    record.version == env!("CARGO_PKG_VERSION") && (f32 || record.instruction_set == here)
}

/// A record says everything: what would change it is refused rather than ignored.
fn nothing_else_is_asked(
    args: &TrainHeadArgs,
    cli: &Cli,
    record: &RunRecord,
    place: &str,
) -> Result<()> {
    let precision = PrecisionChoice::Fixed(record.precision);
    let asked = [
        ("--set", !args.set.is_empty()),
        ("--seed", args.seed.is_some_and(|seed| seed != record.seed)),
        ("--select", args.select.is_some_and(|select| select != record.selection.rule)),
        ("--precision", cli.precision != PrecisionChoice::Auto && cli.precision != precision),
    ];
    let Some((option, _)) = asked.into_iter().find(|(_, asked)| *asked) else { return Ok(()) };
    let expected = "a record to replay unchanged";
    let remedy = "leave it out, or train with --method or a recipe in TOML";
    Err(Error::usage(place, expected, option, remedy).into())
}

fn check_data(record: &RunRecord, data: &DataSet, place: &str) -> Result<()> {
    let found = DataRecord::of(data)?;
    let wanted = &record.data;
    let none = String::new();
    let head = wanted
        .stage_1_sha256
        .as_ref()
        .map(|head| ("stage-1 head", head, found.stage_1_sha256.as_ref().unwrap_or(&none)));
    let sets = [
        ("training set", &wanted.train_sha256, &found.train_sha256),
        ("test set", &wanted.test_sha256, &found.test_sha256),
    ];
    for (what, expected, found) in sets.into_iter().chain(head) {
        if expected != found {
            let remedy = "pass the files the record was made from, with the same --views, --mirror and --group-column";
            let expected = format!("the {what} of the record, sha256 {expected}");
            return Err(Error::data(place, expected, found, remedy).into());
        }
    }
    Ok(())
}

/// Where the head for a part of the test set goes.
fn named(out: &Path, part: TestPart) -> PathBuf {
    let stem = out.file_stem().unwrap_or_default().to_string_lossy();
    let dotted = out.extension().map(|extension| format!(".{}", extension.to_string_lossy()));
    let half = |letter| {
        out.with_file_name(format!("{stem}-half-{letter}{}", dotted.as_deref().unwrap_or_default()))
    };
    match part {
        TestPart::All => out.to_owned(),
        TestPart::HalfA => half('a'),
        TestPart::HalfB => half('b'),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_named_beside_the_whole() {
        for (out, half) in [
            ("a/h.safetensors", "a/h-half-b.safetensors"),
            ("lr0.1.safetensors", "lr0.1-half-b.safetensors"),
            ("head", "head-half-b"),
        ] {
            assert_eq!(named(Path::new(out), TestPart::HalfB), Path::new(half));
            assert_eq!(named(Path::new(out), TestPart::All), Path::new(out));
        }
    }
}
