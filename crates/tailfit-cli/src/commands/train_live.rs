//! `tailfit train-head --live`.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::json;
use tailfit::Precision;
use tailfit::features::save_head;
use tailfit::files::write_atomically;
use tailfit::methods::Method;
use tailfit_backbone::{Live, LiveEpoch, NormMode, State, device, set_threads, stage_1_head};

use super::images::image_data;
use super::output::record_beside;
use crate::args::{Cli, TrainHeadArgs};
use crate::printer::Printer;

pub(crate) fn run(
    args: &TrainHeadArgs,
    folder: &Path,
    method: &Method,
    cli: &Cli,
    printer: &Printer,
) -> Result<()> {
    if let Some(threads) = cli.threads {
        set_threads(threads);
    }
    let images = args.live.images.as_deref().context("expected --images, found none")?;
    let data = image_data(images, &args.live.used, printer)?;
    let device = device(&args.live.device)?;
    let (state, network) = State::restore(folder, false, &data, device)?;
    let bar = std::cell::OnceCell::new();
    let report = || {
        if let Some(bar) = bar.get() {
            indicatif::ProgressBar::inc(bar, 1);
        }
    };
    let seed = args.seed.unwrap_or(0);
    let live = Live {
        recipe: &method.recipe,
        seed,
        data: &data,
        network: &network,
        norm: NormMode::Train,
        preparation: state.recipe.preparation(),
        bf16: cli.precision.or(state.recipe.precision) == Precision::Bf16,
        report: &report,
    };
    let bar = bar.get_or_init(|| printer.progress(live.batches()));
    let epochs = live.train()?;
    bar.finish_and_clear();

    save_head(&args.out, &stage_1_head(&network, None, &data))?;
    let log = json!({
        "method": method.name, "recipe": method.recipe, "seed": seed, "backbone": state.recipe,
        "backbone_seed": state.seed, "split_sha256": state.split_sha256, "epochs": epochs,
    });
    let text = serde_json::to_string_pretty(&log)? + "\n";
    write_atomically(&record_beside(&args.out), text.as_bytes())?;
    if args.json {
        printer.data(&text);
    } else {
        printer.data(&table(&epochs));
        printer.data(&format!(
            "head: {} (the network's batch statistics drifted during training)\n",
            args.out.display()
        ));
    }
    Ok(())
}

/// Accuracy on the test images after each epoch.
fn table(epochs: &[LiveEpoch]) -> String {
    let percent = |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{v:.2}"));
    let row = |epoch: &LiveEpoch| {
        let mirrored = &epoch.mirrored_accuracy;
        vec![
            epoch.epoch.to_string(),
            epoch.train_loss.map_or("–".to_owned(), |loss| format!("{loss:.4}")),
            format!("{:.2}", epoch.accuracy.overall_percent),
            format!("{:.2}", mirrored.overall_percent),
            percent(mirrored.many_percent),
            percent(mirrored.medium_percent),
            percent(mirrored.few_percent),
        ]
    };
    let columns = ["epoch", "loss", "plain", "mirror-averaged", "many", "medium", "few"];
    tailfit::report::Table {
        caption: String::new(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: epochs.iter().map(row).collect(),
        notes: vec![],
    }
    .text()
}
