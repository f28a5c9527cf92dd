//! The program `tailfit` as a function: re-train classifier heads for long-tailed recognition.

mod args;
mod args_data;
mod args_images;
mod args_predict;
mod args_reproduce;
mod commands;
mod printer;
mod progress;
mod reproduce;

use std::ffi::OsString;

use clap::Parser;

use crate::args::{Cli, Command};

/// Runs the program with these words, the first of which is its name. Returns its exit code: 0 done,
/// 1 failed, 2 bad usage.
pub fn run(words: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(words) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output; if it cannot, there is nobody to tell.
            let _ = error.print();
            return u8::try_from(error.exit_code()).unwrap_or(2);
        }
    };
    let printer = printer::Printer::new(cli.quiet);
    let result = start_threads(cli.threads).and_then(|()| command(&cli, &printer));
    match result {
        Ok(()) if printer.is_lost() => 1,
        Ok(()) => 0,
        Err(error) => {
            printer.error(&error);
            let usage = error
                .chain()
                .any(|cause| matches!(cause.downcast_ref(), Some(tailfit::error::Error::Usage(_))));
            if usage { 2 } else { 1 }
        }
    }
}

/// Starts the threads of the run; the default is all cores.
fn start_threads(threads: Option<usize>) -> anyhow::Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.unwrap_or(0));
    pool.build_global().map_err(|error| {
        let found = threads.map_or("too few".to_owned(), |n| format!("{n} asked for"));
        let remedy = "lower --threads, or raise the limit of processes (ulimit -u)";
        let expected = "as many threads as the system allows";
        tailfit::error::Error::usage("threads", expected, format!("{found}: {error}"), remedy)
            .into()
    })
}

fn command(cli: &Cli, printer: &printer::Printer) -> anyhow::Result<()> {
    #[cfg(feature = "backbone")]
    return tailfit_backbone::caught(|| chosen(cli, printer))?;
    #[cfg(not(feature = "backbone"))]
    chosen(cli, printer)
}

fn chosen(cli: &Cli, printer: &printer::Printer) -> anyhow::Result<()> {
    match &cli.command {
        Command::Compare(args) => commands::compare::run(args, cli, printer),
        Command::TrainHead(args) => commands::train_head::run(args, cli, printer),
        Command::Evaluate(args) => commands::evaluate::run(args, printer),
        Command::Predict(args) => commands::predict::run(args, printer),
        Command::Average(args) => commands::average::run(args, printer),
        Command::Split(args) => commands::split::run(args, printer),
        #[cfg(feature = "backbone")]
        Command::TrainBackbone(args) => commands::train_backbone::run(args, cli, printer),
        #[cfg(feature = "backbone")]
        Command::ExtractFeatures(args) => commands::extract_features::run(args, cli, printer),
        Command::Reproduce(args) => reproduce::run(args, cli, printer),
        Command::Report(args) => commands::report::run(args, printer),
        Command::List(args) => commands::list::run(args, printer),
    }
}
