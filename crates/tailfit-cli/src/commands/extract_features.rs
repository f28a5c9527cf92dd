//! `tailfit extract-features`.

use anyhow::Result;
use tailfit::features::save_head;
use tailfit::precision::Precision;
use tailfit_backbone::{
    Extraction, NormMode, Part, State, Stored, device, set_threads, stage_1_head,
};

use super::train_backbone::image_data;
use crate::args::Cli;
use crate::args_images::{ExtractFeaturesArgs, NormRule, Number};
use crate::printer::Printer;

pub(crate) fn run(args: &ExtractFeaturesArgs, cli: &Cli, printer: &Printer) -> Result<()> {
    if let Some(threads) = cli.threads {
        set_threads(threads);
    }
    let data = image_data(&args.images, &args.split)?;
    let (state, network) = State::restore(&args.run, args.best, &data, device(&args.device)?)?;
    let provenance = state.provenance(&data);
    let plain = Extraction {
        norm: if args.norm == NormRule::Batch { NormMode::Batch } else { NormMode::Evaluate },
        half: cli.precision.or(state.recipe.precision) == Precision::Bf16,
        mirror: false,
        views: args.views,
        seed: args.seed,
        stored: if args.stored == Number::F16 { Stored::F16 } else { Stored::F32 },
    };
    let mirrored = Extraction { mirror: true, views: 0, ..plain };
    let mut files = vec![("train", Part::Train, plain), ("test", Part::Test, mirrored)];
    if data.has_validation() {
        files.push(("val", Part::Validation, mirrored));
    }
    let passes = |(_, part, e): &(&str, Part, Extraction)| {
        data.len(*part) * (1 + usize::from(e.mirror) + e.views)
    };
    let bar = printer.progress(files.iter().map(passes).sum());
    for (name, part, extraction) in files {
        let path = args.out.join(format!("{name}.safetensors"));
        let report = |done| bar.inc(done as u64);
        extraction.write(&network, &data, part, &path, &provenance, &report)?;
    }
    bar.finish_and_clear();
    save_head(&args.out.join("head.safetensors"), &stage_1_head(&network, state.recipe.head))?;
    printer.data(&format!("{provenance}\n{}\n", args.out.display()));
    Ok(())
}
