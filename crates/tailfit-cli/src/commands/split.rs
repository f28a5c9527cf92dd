//! `tailfit split`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use tailfit::error::Error;
use tailfit::features::{Features, Reading};
use tailfit::files::write_atomically;
use tailfit::images::{Kept, LongTail, Profile, Split, hold_out};
use tailfit::shots::ShotThresholds;

use super::images::image_set;
use super::output;
use crate::args_images::{Shape, SplitArgs};
use crate::printer::Printer;

pub(crate) fn run(args: &SplitArgs, printer: &Printer) -> Result<()> {
    if let (Some(percent), Some(folder), [_, ..]) = (args.hold_out, &args.out, &args.features[..]) {
        return of_features(args, percent, folder, printer);
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("split.json"));
    output::check_file(&out, &args.lists.inputs().collect::<Vec<_>>())?;
    let folder = args.images.as_deref().unwrap_or(Path::new("."));
    let set = image_set(folder, &args.lists)?;
    if args.hold_out.is_some() && !set.test.is_empty() {
        let expected = "images without test images, from which some are held out";
        let remedy =
            "move them away, or train without a split: val/ alone beside train/ holds test images";
        let found = format!("{} test images", set.test.len());
        return Err(Error::usage("hold-out", expected, found, remedy).into());
    }
    let images = set.train;
    let thresholds = ShotThresholds { many_above: args.many_above, few_below: args.few_below };
    let (labels, k) = (&images.labels, images.n_classes);
    let split = if let Some(percent) = args.hold_out {
        let split = Split::hold_out(labels, k, percent, args.seed, thresholds)?;
        something_held_out("images", split.test.len())?;
        split
    } else {
        let profile = match args.profile {
            Shape::Exponential => Profile::Exponential,
            Shape::Step => Profile::Step,
        };
        let rule = LongTail { profile, imbalance_ratio: args.imbalance_ratio };
        let kept = args.numpy_seed.map_or(Kept::FirstN, |seed| Kept::NumpyShuffle { seed });
        Split::cut(labels, k, rule, kept, args.validation_per_class, thresholds)?
    };
    write_atomically(&out, split.to_json().as_bytes())?;
    let [many, medium, few] = split.shot_sizes;
    printer.data(&format!(
        "{} training images of {} classes, {} to {} each ({many} many, {medium} medium, {few} few); {} held out\n\
         sha256 {}\n{}\n",
        split.train.len(),
        split.counts.len(),
        split.counts.iter().max().unwrap_or(&0),
        split.counts.iter().min().unwrap_or(&0),
        split.validation.len() + split.test.len(),
        split.train_sha256,
        out.display(),
    ));
    Ok(())
}

fn something_held_out(of: &str, test: usize) -> Result<()> {
    if test == 0 {
        let expected = "a class with at least two samples, or groups";
        return Err(Error::data(of, expected, "none", "nothing can be held out").into());
    }
    Ok(())
}

/// Features in two files, of the samples kept and of those held out.
fn of_features(args: &SplitArgs, percent: f64, folder: &Path, printer: &Printer) -> Result<()> {
    let inputs: Vec<&Path> =
        args.features.iter().chain(&args.labels).map(PathBuf::as_path).collect();
    let files = ["train", "test"].map(|part| folder.join(format!("{part}.safetensors")));
    for file in &files {
        output::check_file(file, &inputs)?;
    }
    let reading = Reading {
        labels: &args.labels,
        label_column: args.label_column.as_deref(),
        group_column: args.group_column.as_deref(),
        label_base: args.label_base,
        ..Reading::default()
    };
    let all = Features::read(&args.features, &reading)?;
    let n_classes = all.labels.iter().max().map_or(0, |&largest| largest as usize + 1);
    let (train, test) = hold_out(&all.labels, all.groups.as_ref(), n_classes, percent, args.seed)?;
    something_held_out("features", test.len())?;
    for (file, rows) in files.iter().zip([&train, &test]) {
        all.select(rows)?.save(file)?;
    }
    printer.data(&format!(
        "{} training samples and {} test samples of {n_classes} classes\n{}\n{}\n",
        train.len(),
        test.len(),
        files[0].display(),
        files[1].display(),
    ));
    Ok(())
}
