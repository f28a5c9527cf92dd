//! `tailfit`: re-train classifier heads for long-tailed recognition.

mod args;
mod args_data;
mod args_images;
mod args_predict;
mod commands;
mod printer;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};

/// libtorch's tensors come and go by the megabyte; with the system's allocator each is paged in
/// anew.
#[cfg(feature = "backbone")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = printer::Printer::new(cli.quiet);
    let result = start_threads(cli.threads).and_then(|()| run(&cli, &printer));
    match result {
        Ok(()) if printer.is_lost() => ExitCode::FAILURE,
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            printer.error(&error);
            let usage = error
                .chain()
                .any(|cause| matches!(cause.downcast_ref(), Some(tailfit::error::Error::Usage(_))));
            ExitCode::from(if usage { 2 } else { 1 })
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

fn run(cli: &Cli, printer: &printer::Printer) -> anyhow::Result<()> {
    match &cli.command {
        Command::Compare(args) => commands::compare::run(args, cli, printer),
        Command::TrainHead(args) => commands::train_head::run(args, cli, printer),
        Command::Evaluate(args) => commands::evaluate::run(args, printer),
        Command::Predict(args) => commands::predict::run(args, printer),
        Command::Split(args) => commands::split::run(args, printer),
        #[cfg(feature = "backbone")]
        Command::TrainBackbone(args) => commands::train_backbone::run(args, cli, printer),
        #[cfg(feature = "backbone")]
        Command::ExtractFeatures(args) => commands::extract_features::run(args, cli, printer),
        Command::Report(args) => commands::report::run(args, printer),
        Command::List(args) => commands::list::run(args, printer),
    }
}
