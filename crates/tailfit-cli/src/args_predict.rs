//! What can be typed about scoring and predicting.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tailfit::probabilities::TargetPrior;

use crate::args_data::{DataArgs, finite, gib};

/// Score a head, as it is or with weight normalisation and logit adjustment.
///
/// Prints accuracy (over all samples, macro, and for many-, medium- and few-shot classes),
/// NLL, ECE and Logits Magnitude of the given head (or the embedded one), and of every
/// variant requested; for two classes also sensitivity, specificity, ROC AUC and others.
///
/// Examples:
///
///   tailfit evaluate --tau-norm 0.5,1,1.5,2 --logit-adjustment 0.5,1,1.5,2
///   tailfit evaluate --train train.npz --test test.npz --head head.safetensors --json
///   tailfit evaluate --temperature --target-prior forward-50,uniform,backward-50
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    pub(crate) data: DataArgs,
    /// Also score the head with tau-normalisation, once for each tau.
    #[arg(long, value_name = "TAUS", value_delimiter = ',', allow_negative_numbers = true, value_parser = finite)]
    pub(crate) tau_norm: Vec<f64>,
    /// What tau-normalisation does to the bias.
    #[arg(long, value_enum, default_value_t = Bias::Drop)]
    pub(crate) bias: Bias,
    /// Also score the head with post-hoc logit adjustment, once for each tau.
    #[arg(long, value_name = "TAUS", value_delimiter = ',', allow_negative_numbers = true, value_parser = finite)]
    pub(crate) logit_adjustment: Vec<f64>,
    /// Fit a temperature on the validation set, or if there is none on each half of the test set for
    /// the other, and print how good probabilities are before and after.
    #[arg(long)]
    pub(crate) temperature: bool,
    /// File for the head with the temperature folded in: weight and bias divided by it.
    #[arg(long, value_name = "FILE", requires = "temperature")]
    pub(crate) out: Option<PathBuf>,
    /// Also print the accuracy where classes have other frequencies, for each of these: uniform,
    /// as-trained, forward-R and backward-R (long-tailed with ratio R, the first in the order of the
    /// training set), or a file with one number for each class: the test set is re-weighted to each. With
    /// estimated, frequencies are estimated from the test features, and the test set stays as it is.
    #[arg(long, value_name = "PRIORS", value_delimiter = ',')]
    pub(crate) target_prior: Vec<TargetPrior>,
    /// The frequencies that the head assumes, from which it is adjusted to a target prior.
    #[arg(long, value_enum, default_value_t = HeadPrior::Uniform)]
    pub(crate) head_prior: HeadPrior,
    /// File (CSV) for precision, recall, F1 and confusions of every class.
    #[arg(long, value_name = "FILE")]
    pub(crate) per_class: Option<PathBuf>,
    /// Print everything as JSON, including all per-class values.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Bias {
    Drop,
    Keep,
    Rescale,
}

/// Class frequencies that a head assumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HeadPrior {
    /// All alike, as heads re-trained for balance do.
    Uniform,
    /// Those of the training set, as after plain cross-entropy.
    AsTrained,
}

impl HeadPrior {
    /// The same as a prior.
    pub(crate) fn prior(self) -> TargetPrior {
        match self {
            Self::Uniform => TargetPrior::Uniform,
            Self::AsTrained => TargetPrior::AsTrained,
        }
    }
}

/// Predict classes and probabilities of new samples with a re-trained head.
///
/// Writes a line for each sample: the most probable class, its name if known, and its
/// probability; with --top N the N most probable.
///
/// Examples:
///
///   tailfit predict --head tailfit-out/heads/los.safetensors --features new.npz
///   tailfit predict --head head.safetensors --features new.csv --target-prior estimated
///   tailfit predict --head head.safetensors --features new.csv --target-prior estimated --val val.csv
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct PredictArgs {
    /// The head (safetensors or npz), from the same network as the features.
    #[arg(long, value_name = "FILE")]
    pub(crate) head: PathBuf,
    /// Prefix of the head's tensors, such as fc for fc.weight; detected if not given.
    #[arg(long, value_name = "KEY")]
    pub(crate) head_key: Option<String>,
    /// Features: safetensors, npz, npy or csv; several files are taken one after the other. Labels
    /// in them are ignored.
    #[arg(long, value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) features: Vec<PathBuf>,
    /// The column of CSV that says which samples belong together, and is no feature.
    #[arg(long, value_name = "NAME")]
    pub(crate) group_column: Option<String>,
    /// Names of the classes, one per line, class 0 first; those in the head's file if not given.
    #[arg(long, value_name = "FILE")]
    pub(crate) class_names: Option<PathBuf>,
    /// How frequent classes are among these samples: uniform, as-trained, forward-R, backward-R,
    /// estimated (from the samples themselves), or a file with one number for each class. Without
    /// it the head's probabilities are taken as they are.
    #[arg(long, value_name = "PRIOR")]
    pub(crate) target_prior: Option<TargetPrior>,
    /// The frequencies that the head assumes, from which it is adjusted to the target prior.
    #[arg(long, value_enum, default_value_t = HeadPrior::Uniform, requires = "target_prior")]
    pub(crate) head_prior: HeadPrior,
    /// Labelled samples that the head was not trained on: the target prior is then estimated through
    /// the head's confusions on them (BBSE), whatever its probabilities are worth. Labels are names of
    /// the head's classes, or their numbers in its order.
    #[arg(long, value_name = "FILE", requires = "target_prior", num_args = 1..)]
    pub(crate) val: Vec<PathBuf>,
    /// Labels of these samples, if in a file of their own for each (npy or text).
    #[arg(long, value_name = "FILE", requires = "val", num_args = 1..)]
    pub(crate) val_labels: Vec<PathBuf>,
    /// CSV: the column of their labels, by its name, or by its number from 0 if there is no header; a
    /// column of that name is no feature of other files either.
    #[arg(long, value_name = "NAME", requires = "val")]
    pub(crate) label_column: Option<String>,
    /// The number of the first class in their labels.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "val")]
    pub(crate) label_base: u32,
    /// How many classes to write for each sample, the most probable first.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) top: usize,
    /// File for the predictions: csv, or npz with `classes` and `probabilities`.
    #[arg(long, value_name = "FILE", default_value = "predictions.csv")]
    pub(crate) out: PathBuf,
    /// Features that take more than this as f32 stay in their files (safetensors or npy) and are read
    /// as needed. Target priors are estimated from as many samples as probabilities fit into it.
    #[arg(long, value_name = "GiB", default_value_t = 4.0, value_parser = gib)]
    pub(crate) memory: f64,
}

/// Average heads on the same features into one, such as of several seeds or of two methods.
///
/// The mean of linear heads is a linear head, whose logits are the mean of theirs. Heads of much
/// larger logits decide alone: give them a temperature first, or small weights.
///
/// Examples:
///
///   tailfit average los-0.safetensors los-1.safetensors --out los.safetensors
///   tailfit average ours.safetensors theirs.safetensors --weights 2,1 --out both.safetensors
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct AverageArgs {
    /// The heads (safetensors or npz).
    #[arg(value_name = "HEAD", num_args = 1.., required = true)]
    pub(crate) heads: Vec<PathBuf>,
    /// What each head counts; all the same if not given.
    #[arg(long, value_name = "WEIGHTS", value_delimiter = ',', value_parser = finite)]
    pub(crate) weights: Vec<f64>,
    /// Prefix of the heads' tensors, such as fc for fc.weight; detected if not given.
    #[arg(long, value_name = "KEY")]
    pub(crate) head_key: Option<String>,
    /// File for the head (safetensors).
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
}
