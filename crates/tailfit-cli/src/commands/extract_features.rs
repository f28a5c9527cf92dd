//! `tailfit extract-features`.

use anyhow::{Result, bail};
use tailfit::Precision;
use tailfit::features::save_head;
use tailfit::files::OwnedFolder;
use tailfit_backbone::systems::AnySystem;
use tailfit_backbone::{
    BackboneRecipe, Extraction, Extractor, NormMode, Script, State, StoredAs, Subset, device,
    set_threads, stage_1_head,
};

use super::images::image_data;
use crate::args::Cli;
use crate::args_images::{ExtractFeaturesArgs, NormRule, Number};
use crate::printer::Printer;

const HEAD: &str = "head";
const PREDICTION: &str = "prediction";

fn file_name(name: &str) -> String {
    format!("{name}.safetensors")
}

pub(crate) fn run(args: &ExtractFeaturesArgs, cli: &Cli, printer: &Printer) -> Result<()> {
    if let Some(threads) = cli.threads {
        set_threads(threads);
    }
    let data = image_data(&args.images, &args.used, printer)?;
    let device = device(&args.device)?;
    let bf16 = |own: Precision| cli.precision.or(own) == Precision::Bf16;
    let restored = match &args.run {
        Some(run) => Some(State::restore(run, args.best, &data, device)?),
        None => None,
    };
    let script = match &args.network {
        Some(path) => Some(Script::load(path, device)?),
        None => None,
    };
    let (source, provenance, preparation, bf16) = match (&restored, &script) {
        (Some((state, network)), _) => (
            Extractor::Network(network),
            state.provenance(&data),
            state.recipe.preparation(),
            bf16(state.recipe.precision),
        ),
        (None, Some(script)) => {
            let recipe = match &args.config {
                Some(path) => BackboneRecipe::from_toml(
                    &fs_err::read_to_string(path)?,
                    &path.display().to_string(),
                )?,
                None => BackboneRecipe::default(),
            };
            let about = script.provenance(&data, recipe.preparation());
            (Extractor::Script(script), about, recipe.preparation(), bf16(Precision::F32))
        }
        (None, None) => bail!("expected --run or --network, found neither"),
    };
    let system = match (&restored, args.strength) {
        (Some((state, _)), None) => state.recipe.system,
        (Some((state, _)), Some(strength)) => Some(state.recipe.with_strength(strength)?),
        (None, _) => None,
    };
    let plain = Extraction {
        preparation,
        norm: if args.norm == NormRule::Batch { NormMode::Batch } else { NormMode::Evaluate },
        bf16,
        mirror: false,
        views: args.views,
        seed: args.seed,
        stored: if args.stored == Number::F16 { StoredAs::F16 } else { StoredAs::F32 },
    };
    let mirrored = Extraction { mirror: true, views: 0, ..plain };
    let mut files = vec![("train", Subset::Train, plain), ("test", Subset::Test, mirrored)];
    if data.has_validation() {
        files.push(("val", Subset::Validation, mirrored));
    }
    let passes = |(_, part, e): &(&str, Subset, Extraction)| {
        data.len(*part) * (1 + usize::from(e.mirror) + e.views)
    };
    // What an earlier extraction into the same folder left would be taken for this one's.
    let prediction = system.filter(AnySystem::predicts);
    let planned = files.iter().map(|(name, ..)| *name).chain(restored.as_ref().map(|_| HEAD));
    let planned = planned.chain(prediction.map(|_| PREDICTION)).map(file_name).collect();
    let mut folder = OwnedFolder::claim(&args.out, "extract-features", planned, None)?;
    folder.remove_earlier()?;
    let stale = args.out.join(file_name(PREDICTION));
    if stale.is_file() {
        // Of versions that list no files.
        fs_err::remove_file(stale)?;
    }
    let bar = printer.progress(files.iter().map(passes).sum());
    for (name, part, extraction) in files {
        let path = folder.file(&file_name(name));
        let report = |done| bar.inc(done as u64);
        extraction.write(source, &data, part, &path, &provenance, &report)?;
    }
    bar.finish_and_clear();
    if let Some((_, network)) = &restored {
        save_head(&folder.file(&file_name(HEAD)), &stage_1_head(network, None, &data))?;
        if let Some(system) = prediction {
            let mut head = stage_1_head(network, Some(&system), &data);
            head.metadata.insert("system".to_owned(), system.to_string());
            save_head(&folder.file(&file_name(PREDICTION)), &head)?;
        }
    }
    folder.finish()?;
    printer.data(&format!("{provenance}\n{}\n", args.out.display()));
    Ok(())
}
