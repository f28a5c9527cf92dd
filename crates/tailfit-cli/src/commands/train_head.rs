//! `tailfit train-head`.

use anyhow::Result;
use serde_json::Value;
use tailfit::compare::{Comparison, HeadRecord, RunRecord, Selection};
use tailfit::error::Error;
use tailfit::methods::{self, Method};
use tailfit::recipe::Solver;
use tailfit::report::scale_warning;
use tailfit::train::Solution;

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
        return super::replay::run(args, path, cli, printer);
    }
    let mut inputs = args.data.inputs();
    inputs.extend(args.config.as_deref());
    #[cfg(feature = "backbone")]
    inputs.extend(args.live.used.lists.inputs().chain(args.live.used.split.as_deref()));
    #[cfg(feature = "backbone")]
    let of_run = args.live.live.as_ref().map(|run| {
        use tailfit_backbone::{BEST, CHECKPOINT, LAST};
        [BEST, CHECKPOINT, LAST].map(|name| run.join(name))
    });
    #[cfg(feature = "backbone")]
    inputs.extend(of_run.iter().flatten().map(std::path::PathBuf::as_path));
    output::check_head(&args.out, &inputs)?;
    let mut method = match (&args.config, &args.method) {
        (Some(path), _) => {
            Method::from_toml(&fs_err::read_to_string(path)?, &path.display().to_string())?
        }
        (None, Some(name)) => methods::find(name)?,
        (None, None) => {
            let remedy = "for example --method los; `tailfit list methods` names them all";
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
    let data = input::data_set(&args.data, method.recipe.starts_from_stage_1(), printer)?;
    if args.select.is_some_and(|selection| selection.rule().folds) {
        input::check_folds(&data, &args.data)?;
    }
    let comparison = Comparison::new(
        &data,
        args.select.unwrap_or(Selection::Last),
        vec![args.seed.unwrap_or(0)],
    )?
    .with_precision(precision);
    if method.recipe.solver == Solver::Sgd {
        printer.warnings(scale_warning(&data)?);
    }
    let bar = printer.progress(comparison.work(&method)?);
    let result = comparison.run(&method, &|done| bar.inc(done as u64))?;
    bar.finish_and_clear();
    if let Some(gap) = result.head_record.heads.iter().find_map(HeadRecord::missed_gap) {
        let asked = format!("a gap of {} or less", method.recipe.gap);
        let found = format!("{gap:.1e} where it stopped");
        let remedy = "scale the features, such as to unit variance, raise weight_decay, or ask for a larger gap";
        return Err(Error::data("solver", asked, found, remedy).into());
    }
    output::write_head(&args.out, &result.head, &result.head_record, &data)?;
    say(args, &result.head_record, printer);
    for record in result.records.iter().filter(|record| record.heads.len() > 1) {
        printer.remark(&format!(
            "cross-fitted, each half of the test set scored by the head chosen on the other: {:.2} %",
            record.evaluation.accuracy.overall_percent
        ));
    }
    Ok(())
}

fn set(method: &Method, setting: &str) -> Result<tailfit::recipe::Recipe> {
    let Some((path, value)) = setting.split_once('=') else {
        let remedy = "for example --set loss.delta=0.95";
        return Err(Error::usage("--set", "KEY=VALUE", format!("`{setting}`"), remedy).into());
    };
    // JSON knows no `.5`.
    let number = || value.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from);
    let value = serde_json::from_str(value).ok().or_else(number).unwrap_or_else(|| value.into());
    Ok(method.recipe.with(path, &value)?)
}

/// The line that says what came out.
pub(super) fn say(args: &TrainHeadArgs, record: &RunRecord, printer: &Printer) {
    if args.json {
        printer.data(&record.to_json());
        return;
    }
    let accuracy = &record.evaluation.accuracy;
    let percent = |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{v:.2}"));
    let star = if record.selection.optimistic { "* (chosen on the same samples)" } else { "" };
    let how = |head: &HeadRecord| match head.solution {
        _ if head.recipe.is_average() => "the average of several heads".to_owned(),
        None => format!("after {} of {} epochs", head.epoch, head.recipe.sgd.epochs),
        Some(Solution { gap: Some(gap), passes }) => {
            format!("solved to a gap of {gap:.1e} in {passes} passes")
        }
        Some(Solution { gap: None, passes }) => {
            format!(
                "solved in {passes} passes, without weight decay and so without a certified gap"
            )
        }
    };
    let how: Vec<String> = record.heads.iter().map(how).collect();
    printer.data(&format!(
        "{} {}, seed {}: all {:.2}{star}, many {}, medium {}, few {}\nhead: {}\n",
        record.method,
        how.join(" and "),
        record.seed,
        accuracy.overall_percent,
        percent(accuracy.many_percent),
        percent(accuracy.medium_percent),
        percent(accuracy.few_percent),
        args.out.display(),
    ));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_set_as_people_write_them() {
        let los = methods::find("los").unwrap();
        for (text, delta) in [("0.5", 0.5), (".5", 0.5), ("5e-1", 0.5), ("0", 0.0)] {
            let recipe = set(&los, &format!("loss.delta={text}")).unwrap();
            let value = serde_json::to_value(recipe).unwrap();
            assert_eq!(value["loss"]["delta"], delta);
        }
        for text in ["", "nan", "inf", "half", "1,5"] {
            assert!(set(&los, &format!("loss.delta={text}")).is_err(), "{text}");
        }
    }
}
