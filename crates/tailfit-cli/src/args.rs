//! What can be typed.

use std::path::PathBuf;

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use tailfit::PrecisionChoice;
use tailfit::compare::{Effort, Selection};

pub(crate) use crate::args_data::{DataArgs, Switch};
use crate::args_images::SplitArgs;
#[cfg(feature = "backbone")]
use crate::args_images::{ExtractFeaturesArgs, LiveArgs, TrainBackboneArgs};
pub(crate) use crate::args_predict::{AverageArgs, Bias, EvaluateArgs, PredictArgs};
pub(crate) use crate::args_reproduce::{Part, ReproduceArgs};

/// Re-train classifier heads for long-tailed recognition, and compare the methods
/// honestly.
///
/// Stage 1 trains a network on the long-tailed data as it is; stage 2, the main job of
/// this program, freezes its features and re-trains only the classifier head. Without files
/// of your own, compare, train-head and evaluate use embedded features of CIFAR-100-LT.
#[derive(Debug, Parser)]
#[command(name = "tailfit", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print only results, warnings and errors: no progress, no remarks.
    #[arg(long, short, global = true, display_order = 900)]
    pub(crate) quiet: bool,
    /// Number of threads; all cores if not given. Heads are bit-identical for any number.
    #[arg(long, global = true, display_order = 901, value_name = "N", value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=1024))]
    pub(crate) threads: Option<usize>,
    /// Number format of matrix products in training: f32 gives bit-identical heads on every machine
    /// with fused multiply-add, bf16 is faster where the machine has instructions for it, auto
    /// picks the faster.
    #[arg(
        long,
        global = true,
        display_order = 902,
        value_name = "f32|bf16|auto",
        default_value = "auto"
    )]
    pub(crate) precision: PrecisionChoice,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one, made once")]
pub(crate) enum Command {
    Compare(CompareArgs),
    TrainHead(TrainHeadArgs),
    Evaluate(EvaluateArgs),
    Predict(PredictArgs),
    Average(AverageArgs),
    Split(SplitArgs),
    #[cfg(feature = "backbone")]
    TrainBackbone(TrainBackboneArgs),
    #[cfg(feature = "backbone")]
    ExtractFeatures(ExtractFeaturesArgs),
    Report(ReportArgs),
    Reproduce(ReproduceArgs),
    List(ListArgs),
}

/// The selection rules by their names in the library.
fn selections() -> impl TypedValueParser<Value = Selection> {
    let values = Selection::ALL
        .map(Selection::rule)
        .map(|rule| PossibleValue::new(rule.name).help(rule.help));
    PossibleValuesParser::new(values).map(|name| {
        let named = |selection: &Selection| selection.rule().name == name;
        Selection::ALL.into_iter().find(named).expect("one of the possible values")
    })
}

fn efforts() -> impl TypedValueParser<Value = Effort> {
    let values = Effort::ALL.map(|effort| PossibleValue::new(effort.name()).help(effort.help()));
    PossibleValuesParser::new(values).map(|name| {
        let named = |effort: &Effort| effort.name() == name;
        Effort::ALL.into_iter().find(named).expect("one of the possible values")
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// Select on the validation set if there is one, by cross-validation where there are only training
    /// features, else by cross-fitting.
    Honest,
    /// As in the paper: best epoch and hyper-parameters on the test set, mirror-averaged,
    /// best of five seeds; every score is starred.
    Paper,
}

/// Compare methods on one data set: the main job.
///
/// Every method that searches has a grid of 20 points, on features as they are and, where that
/// makes a difference, standardised; many heads are trained at once, and every epoch of every
/// head is scored. The table shows what each method does to the many-, medium- and few-shot
/// classes and, beside each honest score, what choosing on the test set would have claimed.
///
/// Examples:
///
///   tailfit compare
///   tailfit compare --methods los,balanced-softmax --protocol paper
///   tailfit compare --train train.safetensors --test test.safetensors --head head.safetensors
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct CompareArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Names of methods, separated by commas. If not given, those of the literature's usual comparison,
    /// with --effort quick a few, with --effort full all but `balanced-meta-softmax`, and with --effort
    /// thorough combinations too. See `tailfit list methods`.
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) methods: Vec<String>,
    /// Your own method in TOML: name, `[recipe]`, `[search]`. May be given several times.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// How epoch and hyper-parameters are chosen, overriding the protocol's rule.
    #[arg(long, value_name = "RULE", value_parser = selections())]
    pub(crate) select: Option<Selection>,
    /// Evaluation protocol.
    #[arg(long, value_enum, default_value_t = Protocol::Honest)]
    pub(crate) protocol: Protocol,
    /// How much is spent on each method.
    ///
    /// [default: standard, or full for the paper's protocol]
    #[arg(long, value_name = "EFFORT", value_parser = efforts())]
    pub(crate) effort: Option<Effort>,
    /// Number of seeds.
    ///
    /// [default: 5, or 1 for --effort quick]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: Option<u64>,
    /// Folder for tables, records, heads and curves. It belongs to one run: what an earlier one
    /// wrote there is replaced or removed.
    #[arg(long, value_name = "DIR", default_value = "tailfit-out")]
    pub(crate) out: PathBuf,
    /// Print all records as one JSON list instead of the table.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Train one head, or replay a record.
///
/// Trains the method's default recipe with one seed and takes the last epoch, unless told
/// otherwise. With --config RECORD.json, replays that record exactly.
///
/// Examples:
///
///   tailfit train-head --method los --set lr=1e-4 --set loss.delta=0.95
///   tailfit train-head --config tailfit-out/records/los-seed0.json --out head.safetensors
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct TrainHeadArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Name of the method.
    #[arg(long, value_name = "NAME", conflicts_with = "config")]
    pub(crate) method: Option<String>,
    /// A recipe in TOML, or a record in JSON to replay.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Change one value of the recipe, such as loss.delta=0.95. May be given several times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// How the epoch is chosen.
    ///
    /// [default: last]
    #[arg(long, value_name = "RULE", value_parser = selections())]
    pub(crate) select: Option<Selection>,
    /// Seed of the run [default: 0]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
    /// File for the head; its record is written beside it as JSON.
    #[arg(long, value_name = "FILE", default_value = "retrained.safetensors")]
    pub(crate) out: PathBuf,
    /// Print the record as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[cfg(feature = "backbone")]
    #[command(flatten)]
    pub(crate) live: LiveArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Plain text for the terminal.
    Text,
    Markdown,
    Csv,
    /// Using the booktabs package.
    Latex,
    /// A page to look at, with figures.
    Html,
}

/// Make tables, or a page to look at, from records.
///
/// Examples:
///
///   tailfit report tailfit-out/records --format latex
///   tailfit report tailfit-out/records --html > report.html
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ReportArgs {
    /// Records, folders of records, or folders that `compare` has written.
    #[arg(required = true, value_name = "PATH")]
    pub(crate) records: Vec<PathBuf>,
    /// Format of the table.
    #[arg(long, value_enum, default_value_t = Form::Text)]
    pub(crate) format: Form,
    /// Short for --format html.
    #[arg(long, conflicts_with_all = ["format", "json"])]
    pub(crate) html: bool,
    /// Print the records as one JSON list.
    #[arg(long)]
    pub(crate) json: bool,
}

/// List methods, losses, file formats and embedded data.
#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// What to list.
    #[arg(value_enum, default_value_t = Topic::All)]
    pub(crate) topic: Topic,
    /// Print as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Topic {
    All,
    Methods,
    Losses,
    Formats,
    Data,
}
