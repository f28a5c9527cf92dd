//! `tailfit average`.

use std::collections::HashMap;

use anyhow::Result;
use tailfit::compare::head_sha256;
use tailfit::error::Error;
use tailfit::features::{HeadFile, load_head, save_head};
use tailfit::head::Head;

use super::output;
use crate::args::AverageArgs;
use crate::printer::Printer;

/// What files of heads must agree in, and what the new one takes over.
const SHARED: [&str; 3] = ["class_names", "columns", "class_counts"];

pub(crate) fn run(args: &AverageArgs, printer: &Printer) -> Result<()> {
    let inputs: Vec<_> = args.heads.iter().map(std::path::PathBuf::as_path).collect();
    output::check_file(&args.out, &inputs)?;
    let load = |path: &std::path::PathBuf| load_head(path, args.head_key.as_deref());
    let files: Vec<HeadFile> =
        args.heads.iter().map(load).collect::<tailfit::error::Result<_>>()?;
    let mut metadata = HashMap::new();
    for key in SHARED {
        let said = files
            .iter()
            .zip(&args.heads)
            .filter_map(|(file, path)| file.metadata.get(key).map(|said| (said, path)));
        let said: Vec<_> = said.collect();
        if let Some((_, path)) = said.iter().find(|(other, _)| *other != said[0].0) {
            let expected = format!("the {key} of {}", said[0].1.display());
            return Err(Error::data(path.display(), expected, "others", "").into());
        }
        if let Some((value, _)) = said.first() {
            metadata.insert(key.to_owned(), (*value).clone());
        }
    }
    let heads: Vec<Head> = files.iter().map(|file| file.head.clone()).collect();
    let weights = (!args.weights.is_empty()).then_some(&args.weights[..]);
    let head = Head::average(&heads, weights)?;
    let of: Vec<String> = heads.iter().map(head_sha256).collect();
    metadata.insert("average_of_sha256".to_owned(), serde_json::to_string(&of)?);
    metadata.insert("made_by".to_owned(), format!("tailfit {}", env!("CARGO_PKG_VERSION")));
    save_head(&args.out, &HeadFile::new(head, &files[0].key, metadata))?;
    printer.data(&format!("mean of {} heads: {}\n", heads.len(), args.out.display()));
    Ok(())
}
