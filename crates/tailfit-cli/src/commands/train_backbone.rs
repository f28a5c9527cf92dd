//! `tailfit train-backbone`.
use anyhow::Result;
use tailfit::metrics::Accuracy;
use tailfit_backbone::{BackboneRecipe, End, Event, LAST, Run, best, device, set_threads};

use super::images::image_data;
use super::interrupt::stop_on_interrupt;
use crate::args::Cli;
use crate::args_images::TrainBackboneArgs;
use crate::printer::Printer;

pub(crate) fn run(args: &TrainBackboneArgs, cli: &Cli, printer: &Printer) -> Result<()> {
    if let Some(threads) = cli.threads {
        set_threads(threads);
    }
    let mut recipe = match &args.config {
        Some(path) => {
            BackboneRecipe::from_toml(&fs_err::read_to_string(path)?, &path.display().to_string())?
        }
        None => BackboneRecipe::default(),
    };
    recipe.precision = cli.precision.or(recipe.precision);
    let data = image_data(&args.images, &args.used, printer)?;
    let stop = stop_on_interrupt()?;
    let bar = std::cell::OnceCell::new();
    let report = |event: Event<'_>| match event {
        Event::Begun { done, all } => {
            bar.get_or_init(|| printer.progress_from(done, all));
        }
        Event::Batch { loss } => {
            if let Some(bar) = bar.get() {
                indicatif::ProgressBar::set_message(bar, format!("loss {loss:.3}"));
                bar.inc(1);
            }
        }
        Event::Epoch(epoch) => {
            if let (Some(plain), Some(mirrored)) = (&epoch.accuracy, &epoch.mirrored_accuracy) {
                let line = format!(
                    "epoch {}: loss {:.4}, {}; mirror-averaged {:.2}",
                    epoch.epoch + 1,
                    epoch.train_loss,
                    text(plain),
                    mirrored.overall_percent
                );
                match bar.get().filter(|bar| !bar.is_hidden()) {
                    Some(bar) => bar.println(line),
                    None => printer.remark(&line),
                }
            }
        }
    };
    let run = Run {
        recipe: &recipe,
        seed: args.seed,
        data: &data,
        device: device(&args.device)?,
        folder: &args.out,
        stop: &stop,
        report: &report,
    };
    let (_, state, end) = run.train()?;
    if let Some(bar) = bar.get() {
        bar.finish_and_clear();
    }
    if end == End::Stopped {
        printer.remark(&format!(
            "stopped in epoch {} after {} batches and saved; run the same command to resume",
            state.epoch + 1,
            state.step
        ));
        // What waits for a trained backbone is not to go on.
        std::process::exit(130);
    }
    let last = state.log.last().and_then(|epoch| Some((epoch.accuracy.as_ref()?, epoch)));
    if let Some((plain, epoch)) = last {
        let held_out = if data.has_validation() { "validation" } else { "test" };
        printer.data(&format!(
            "epoch {} of {} (the last), seed {}, {held_out} images: {}; mirror-averaged {}; best scored epoch {}\n{}\n",
            epoch.epoch + 1,
            recipe.sgd.epochs,
            args.seed,
            text(plain),
            epoch.mirrored_accuracy.as_ref().map_or(String::new(), text),
            best(&state.log).map_or(0, |epoch| epoch + 1),
            args.out.join(LAST).display(),
        ));
    }
    Ok(())
}

fn text(accuracy: &Accuracy) -> String {
    let percent = |value: Option<f64>| value.map_or("–".to_owned(), |v| format!("{v:.2}"));
    format!(
        "all {:.2} (many {}, medium {}, few {})",
        accuracy.overall_percent,
        percent(accuracy.many_percent),
        percent(accuracy.medium_percent),
        percent(accuracy.few_percent)
    )
}
