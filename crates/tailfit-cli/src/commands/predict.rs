//! `tailfit predict`.

use anyhow::Result;
use tailfit::error::Error;
use tailfit::features::{HeadFile, Storage, Unlabelled, load_head};
use tailfit::files::{read_text, write_atomically};
use tailfit::probabilities::{Predictions, mean_logits, predict, softmax};

use super::output;
use super::prior_shift::{self, shift};
use crate::args::PredictArgs;
use crate::printer::Printer;

pub(crate) fn run(args: &PredictArgs, printer: &Printer) -> Result<()> {
    let is_npz = extension(args)?;
    let inputs = args.features.iter().chain(&args.val).chain(&args.val_labels).chain([&args.head]);
    let inputs: Vec<_> = inputs.map(std::path::PathBuf::as_path).collect();
    output::check_file(&args.out, &inputs)?;
    prior_shift::check(args)?;
    let file = load_head(&args.head, args.head_key.as_deref())?;
    let k = file.head.n_classes();
    let names = names(args, &file)?;
    let memory = (args.memory * f64::from(1 << 30)) as u64;
    let columns = file.columns();
    let features = {
        let storage = Storage { memory, mmap: false };
        let others = [&args.label_column, &args.group_column].map(Option::as_deref);
        Unlabelled::read_without(&args.features, storage, others, columns.as_deref())?
    };
    let features = match &columns {
        Some(columns) => features.in_order_of(columns, "features")?,
        None => features,
    };
    features.check_dim(file.head.dim())?;
    let shift = shift(args, (&file, names.as_deref()), &features)?;
    let top = args.top.min(k);
    let mut predictions = Predictions::default();
    features.blocks(|plain, mirror| {
        let probabilities = softmax(mean_logits(&file.head, plain, mirror), &shift);
        predictions.extend(predict(probabilities.view(), top));
        Ok(())
    })?;
    let bytes =
        if is_npz { predictions.npz()? } else { predictions.csv(names.as_deref()).into_bytes() };
    write_atomically(&args.out, &bytes)?;
    let predicted = predictions.counts(k).into_iter().filter(|&n| n > 0).count();
    printer.data(&format!(
        "{} samples, {predicted} of {k} classes predicted: {}\n",
        predictions.len(),
        args.out.display()
    ));
    Ok(())
}

/// Whether the file to write is npz; else it is csv.
fn extension(args: &PredictArgs) -> Result<bool> {
    let extension = args.out.extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_lowercase).as_deref() {
        Some("npz") => Ok(true),
        Some("csv") => Ok(false),
        found => {
            let expected = "a file ending in csv or npz";
            let found = found.unwrap_or("no extension").to_owned();
            Err(Error::usage(args.out.display(), expected, found, "").into())
        }
    }
}

fn names(args: &PredictArgs, file: &HeadFile) -> Result<Option<Vec<String>>> {
    let Some(path) = &args.class_names else { return Ok(file.class_names()) };
    let names: Vec<String> = read_text(path)?.lines().map(str::to_owned).collect();
    let k = file.head.n_classes();
    if names.len() != k {
        let expected = format!("{k} names, one for each class of the head");
        return Err(Error::data(path.display(), expected, names.len(), "").into());
    }
    Ok(Some(names))
}
