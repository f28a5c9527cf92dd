//! What can be typed about the paper.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Reproduce a table, figure or proposition of the paper.
///
/// Sun et al., "Rethinking Classifier Re-Training in Long-Tailed Recognition", ICLR 2025: our numbers
/// beside the paper's. Records of the tables and of Figures 3 and 4, and the courses of Figure 5 and
/// of the path, are kept in --out, and taken from there when it is run again on the same data with
/// the same version; delete them to train anew.
/// Features of other backbones than the embedded one are taken from --features, which
/// `tailfit extract-features` fills.
///
/// Examples:
///
///   tailfit reproduce table1
///   tailfit reproduce all --features features --out paper
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct ReproduceArgs {
    /// What to reproduce.
    #[arg(value_enum)]
    pub(crate) part: Part,
    /// Folder with a folder of features for each backbone, such as features/ldam-drw with
    /// train.safetensors, test.safetensors and head.safetensors.
    #[arg(long, value_name = "DIR", default_value = "features")]
    pub(crate) features: PathBuf,
    /// Number of seeds of the tables.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) seeds: u64,
    /// Folder for tables and figures, one folder for each part, and the records that they are made from.
    #[arg(long, value_name = "DIR", default_value = "tailfit-out/paper")]
    pub(crate) out: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Everything below.
    All,
    /// Classifier re-training methods on one backbone.
    Table1,
    /// Whole systems on CIFAR-100-LT, and LOS on the features of each.
    Table2,
    /// Backbones trained in four ways, heads fine-tuned in six.
    Table4,
    /// Logits of a test image under cross-entropy and LOS.
    Fig1,
    /// Logits of true and other classes, many- and few-shot.
    Fig2,
    /// Logits Magnitude and Regularised Standard Deviation of every method, and their correlation with accuracy.
    Fig3,
    /// Accuracy over the smooth factor.
    Fig4,
    /// Accuracy over learning rate and weight decay.
    Fig5,
    /// Beyond the paper: LOS epoch by epoch, from the given head to its optimum.
    Path,
    /// Convexity in the bias.
    Prop1,
    /// What a common shift of the weights changes.
    Prop2,
    /// What perturbations of logits do to probabilities.
    Prop3,
    /// The approximation behind Proposition 3.
    AppendixC,
}
