//! `tailfit reproduce`: the paper's tables, figures and propositions, each from one configuration.

mod course;
mod figure_4;
mod figure_5;
mod instance;
mod magnitudes;
mod missing;
mod paper;
mod propositions;
mod sgd_path;
mod table_1;
mod table_2;
mod table_4;

use anyhow::Result;

use self::paper::Paper;
use crate::args::{Cli, Part, ReproduceArgs};
use crate::commands::output::check_folder;
use crate::printer::Printer;

/// In the order of `all`: what others build on first.
const EACH: [Part; 13] = [
    Part::Table1,
    Part::Table2,
    Part::Table4,
    Part::Fig1,
    Part::Fig2,
    Part::Fig3,
    Part::Fig4,
    Part::Fig5,
    Part::Path,
    Part::Prop1,
    Part::Prop2,
    Part::Prop3,
    Part::AppendixC,
];

pub(crate) fn run(args: &ReproduceArgs, cli: &Cli, printer: &Printer) -> Result<()> {
    check_folder(&args.out, &[&args.features])?;
    let paper = Paper::new(args, cli.precision.resolve()?, printer);
    let parts = if args.part == Part::All { &EACH[..] } else { std::slice::from_ref(&args.part) };
    for part in parts {
        one(*part, &paper)?;
    }
    for what in paper.missing() {
        printer.warning(&what);
    }
    printer.remark(&format!("tables and figures are in {}", args.out.display()));
    Ok(())
}

fn one(part: Part, paper: &Paper<'_>) -> Result<()> {
    match part {
        Part::All => Ok(()),
        Part::Table1 => table_1::run(paper),
        Part::Table2 => table_2::run(paper),
        Part::Table4 => table_4::run(paper),
        Part::Fig1 => instance::logits_of_an_image(paper),
        Part::Fig2 => instance::distributions(paper),
        Part::Fig3 => magnitudes::run(paper),
        Part::Fig4 => figure_4::run(paper),
        Part::Fig5 => figure_5::run(paper),
        Part::Path => sgd_path::run(paper),
        Part::Prop1 => propositions::convexity(paper),
        Part::Prop2 => propositions::common_shift(paper),
        Part::Prop3 => propositions::perturbation(paper),
        Part::AppendixC => propositions::approximation(paper),
    }
}
