//! `tailfit split`.

use anyhow::Result;
use tailfit::files::write_atomically;
use tailfit::images::{Kept, LongTail, Profile, Split};
use tailfit::shots::ShotThresholds;

use super::images::image_set;
use crate::args_images::{Shape, SplitArgs};
use crate::printer::Printer;

pub(crate) fn run(args: &SplitArgs, printer: &Printer) -> Result<()> {
    let images = image_set(&args.images, &args.lists)?.train;
    let profile = match args.profile {
        Shape::Exponential => Profile::Exponential,
        Shape::Step => Profile::Step,
    };
    let rule = LongTail { profile, imbalance_ratio: args.imbalance_ratio };
    let kept = args.numpy_seed.map_or(Kept::FirstN, |seed| Kept::NumpyShuffle { seed });
    let thresholds = ShotThresholds { many_above: args.many_above, few_below: args.few_below };
    let held_out = args.validation_per_class;
    let split = Split::cut(&images.labels, images.n_classes, rule, kept, held_out, thresholds)?;
    write_atomically(&args.out, split.to_json().as_bytes())?;
    let [many, medium, few] = split.shot_sizes;
    printer.data(&format!(
        "{} training images of {} classes, {} to {} each ({many} many, {medium} medium, {few} few); {} held out\n\
         sha256 {}\n{}\n",
        split.train.len(),
        split.counts.len(),
        split.counts.iter().max().unwrap_or(&0),
        split.counts.iter().min().unwrap_or(&0),
        split.validation.len(),
        split.train_sha256,
        args.out.display(),
    ));
    Ok(())
}
