//! From the data options to a data set.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tailfit::error::Error;
use tailfit::features::{DataSet, Features, Reading, Storage, Unlabelled, load_head, shared_rows};
use tailfit::files::read_text;
use tailfit::images::hold_out;
use tailfit::report::{fitted_percent, head_warning, warnings};
use tailfit::shots::ShotThresholds;
use tailfit::train::train_stage_1;

use crate::args::{DataArgs, Switch};
use crate::printer::Printer;

/// Reads and checks everything. With `stage_1`, a stage-1 head is trained where none is given.
pub(crate) fn data_set(args: &DataArgs, stage_1: bool, printer: &Printer) -> Result<DataSet> {
    let thresholds = ShotThresholds { many_above: args.many_above, few_below: args.few_below };
    thresholds.check()?;
    let head =
        args.head.as_deref().map(|path| load_head(path, args.head_key.as_deref())).transpose()?;
    let Some(first) = args.train.first() else {
        let mut data = DataSet::embedded(thresholds)?;
        if head.is_some() {
            data = DataSet::new(&data.name, data.train, data.test, None, head, thresholds)?;
            printer.warnings(head_warning(&data));
        }
        return Ok(switched(data, args));
    };
    let gib = (args.memory * f64::from(1 << 30)) as u64;
    let storage = Storage { memory: gib, mmap: args.mmap };
    let reading = printer.spinner(&format!("reading {}", first.display()));
    let read = |files: &[PathBuf], labels: &[PathBuf], storage, option| {
        let label_column = args.label_column.as_deref();
        let group_column = args.group_column.as_deref();
        let label_base = args.label_base;
        let reading = Reading { labels, label_column, group_column, label_base, storage };
        Features::read(files, &reading).map_err(|error| naming(error, option))
    };
    let mut train = read(&args.train, &args.train_labels, storage, "train_labels")?;
    let mut test = if args.test.is_empty() {
        let (kept, held_out) = held_out(train)?;
        train = kept;
        held_out
    } else {
        read(&args.test, &args.test_labels, Storage::MEMORY, "test_labels")?
    };
    let mut validation = match &args.val[..] {
        [] => None,
        val => Some(read(val, &args.val_labels, Storage::MEMORY, "val_labels")?),
    };
    if let Some(path) = &args.class_names {
        let names: Vec<String> = read_text(path)?.lines().map(str::to_owned).collect();
        // All sets alike: their files may name the classes otherwise.
        let named = |set: Features, of: &str| set.with_class_names(names.clone(), of);
        train = named(train, "training set")?;
        test = named(test, "test set")?;
        validation = validation.map(|set| named(set, "validation set")).transpose()?;
    }
    let name = first.file_stem().unwrap_or_default().to_string_lossy();
    let folder = first.parent().and_then(Path::file_name).map(|f| f.to_string_lossy());
    let name = match folder {
        Some(folder) if matches!(&*name, "train" | "features") => folder,
        _ => name,
    };
    let mut data = DataSet::new(&name, train, test, validation, head, thresholds)?;
    if let Some(path) = &args.class_vectors {
        let vectors = Unlabelled::read(std::slice::from_ref(path), Storage::MEMORY)?;
        let vectors = match &data.train.columns {
            Some(columns) => vectors.in_order_of(columns, "class vectors")?,
            None => vectors,
        };
        data = data.with_class_vectors(vectors.matrix()?)?;
    }
    // Only now are the columns of all sets in one order.
    if let Some(validation) = &data.validation {
        check_validation(&data.train, validation, args)?;
    }
    printer.warnings(warnings(&data)?);
    if args.test.is_empty() {
        check_folds(&data, args)?;
    }
    let mut data = switched(data, args);
    reading.finish_and_clear();
    if stage_1 && data.stage_1.is_none() {
        train_stage_1(&mut data)?;
        printer.remark(&format!("stage-1 head: {}", data.stage_1_origin));
    }
    Ok(data)
}

/// A fifth of each class's training features becomes the test set; the only sample of a class does not.
fn held_out(train: Features) -> Result<(Features, Features)> {
    let n_classes = train.labels.iter().max().map_or(0, |&max| max as usize + 1);
    let (kept, test) = hold_out(&train.labels, train.groups.as_ref(), n_classes, 20.0, 0)?;
    let how = match train.groups {
        Some(_) => "groups with about a fifth of each class held out as test set, seed 0",
        None => "a fifth of each class held out as test set, seed 0",
    };
    let part = |rows: &[u32]| -> Result<Features> {
        let mut part = train.select(rows).map_err(|error| error.answered_by("test"))?;
        part.provenance = format!("{}; {how}", train.provenance);
        Ok(part)
    };
    if test.is_empty() {
        let expected =
            "a class with at least two samples, or groups, from which a test set is held out";
        return Err(Error::data("training set", expected, "none", "").answered_by("test").into());
    }
    Ok((part(&kept)?, part(&test)?))
}

/// Refuses folds of a training set that the given head has fitted, or a test set held out of it: they
/// show nothing.
pub(crate) fn check_folds(data: &DataSet, args: &DataArgs) -> Result<()> {
    let given = args.head.is_some() || args.train.is_empty();
    if !given || args.allow_training_features_as_validation {
        return Ok(());
    }
    let Some(percent) = fitted_percent(data)? else { return Ok(()) };
    let expected =
        "a training set that backbone and head have not been trained on, to hold samples out";
    let found = format!("a head that is right on {percent:.1} % of it");
    let remedy = "give a test set and select cross-fitted or on a validation set, or override with \
                  --allow-training-features-as-validation";
    Err(Error::usage("training set", expected, found, remedy).into())
}

/// Each file has an option of its own for its labels.
pub(super) fn naming(error: Error, option: &'static str) -> Error {
    if error.option() == Some("labels") { error.answered_by(option) } else { error }
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

/// Refuses a validation set of training features: the backbone has fitted them, so they select nothing. A
/// few may be there by chance, as the same picture or sentence twice, and are warned of.
fn check_validation(train: &Features, validation: &Features, args: &DataArgs) -> Result<()> {
    let shared = shared_rows(train, validation)?;
    let Some(&(in_train, in_validation)) = shared.first() else { return Ok(()) };
    let by_chance = shared.len() <= validation.len() / 10;
    if by_chance || args.allow_training_features_as_validation {
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
