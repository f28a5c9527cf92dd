//! From the data options to a data set.

use std::path::Path;

use anyhow::Result;
use tailfit::error::Error;
use tailfit::features::{DataSet, Features, Storage, load_head, shared_rows};
use tailfit::shots::ShotThresholds;
use tailfit::train::train_stage_1;

use crate::args::{DataArgs, Switch};
use crate::printer::Printer;

/// Reads and checks everything.
pub(crate) fn data_set(args: &DataArgs, printer: &Printer) -> Result<DataSet> {
    let thresholds = ShotThresholds { many_above: args.many_above, few_below: args.few_below };
    if args.few_below > args.many_above + 1 {
        let found = format!("{} and {}", args.few_below, args.many_above);
        let expected = "--few-below at most --many-above + 1";
        return Err(Error::usage("shot thresholds", expected, found, "").into());
    }
    let head =
        args.head.as_deref().map(|path| load_head(path, args.head_key.as_deref())).transpose()?;
    let (Some(train_path), Some(test_path)) = (&args.train, &args.test) else {
        let mut data = DataSet::embedded(thresholds)?;
        if head.is_some() {
            data = DataSet::new(&data.name, data.train, data.test, None, head, thresholds)?;
        }
        return Ok(switched(data, args));
    };
    let gib = (args.memory * f64::from(1 << 30)) as u64;
    let storage = Storage { memory: gib, mmap: args.mmap };
    let reading = printer.spinner(&format!("reading {}", train_path.display()));
    let mut train = Features::open(train_path, args.train_labels.as_deref(), storage)?;
    let test = Features::load(test_path, args.test_labels.as_deref())?;
    let validation = match &args.val {
        Some(path) => Some(Features::load(path, args.val_labels.as_deref())?),
        None => None,
    };
    if let Some(path) = &args.class_names {
        let text = fs_err::read_to_string(path)?;
        train.class_names = Some(text.lines().map(str::to_owned).collect());
    }
    if let Some(validation) = &validation {
        check_validation(&train, validation, args)?;
    }
    warn_of_leaks(&train, &test, test_path, printer)?;
    let name = train_path.file_stem().unwrap_or_default().to_string_lossy();
    let folder = train_path.parent().and_then(Path::file_name).map(|f| f.to_string_lossy());
    let name = match folder {
        Some(folder) if matches!(&*name, "train" | "features") => folder,
        _ => name,
    };
    let data = DataSet::new(&name, train, test, validation, head, thresholds)?;
    if data.validation_in_test > 0 {
        printer.warning(&format!(
            "{} validation samples are test samples too: selection by them is optimistic, and its scores are starred",
            data.validation_in_test
        ));
    }
    let mut data = switched(data, args);
    reading.finish_and_clear();
    if data.stage_1.is_none() {
        train_stage_1(&mut data)?;
        printer.remark(&format!("stage-1 head: {}", data.stage_1_origin));
    }
    Ok(data)
}

fn switched(mut data: DataSet, args: &DataArgs) -> DataSet {
    if args.views == Switch::Off {
        data.train.views = vec![];
    }
    if args.mirror == Switch::Off {
        data.test.mirror = None;
        if let Some(validation) = &mut data.validation {
            validation.mirror = None;
        }
    }
    data
}

/// The backbone has fitted its training features, so they select nothing.
fn check_validation(train: &Features, validation: &Features, args: &DataArgs) -> Result<()> {
    let shared = shared_rows(train, validation)?;
    let Some(&(in_train, in_validation)) = shared.first() else { return Ok(()) };
    if args.allow_training_features_as_validation {
        return Ok(());
    }
    Err(Error::data(
        "validation set",
        "features the backbone has not been trained on",
        format!(
            "{} of {} rows that also appear in training (first: row {in_validation} is training row {in_train})",
            shared.len(),
            validation.len()
        ),
        "hold out images before stage 1, or override with --allow-training-features-as-validation",
    )
    .into())
}

fn warn_of_leaks(
    train: &Features,
    test: &Features,
    test_path: &Path,
    printer: &Printer,
) -> Result<()> {
    let shared = shared_rows(train, test)?;
    if let Some(&(in_train, in_test)) = shared.first() {
        printer.warning(&format!(
            "{}: {} of {} test rows also appear in training (first: test row {in_test} is training row {in_train}); \
             scores on them are meaningless",
            test_path.display(),
            shared.len(),
            test.len(),
        ));
    }
    Ok(())
}
