//! What can be typed about features.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

// Features and the stage-1 head; the embedded data without --train and --test. (No doc
// comment: clap would print it in place of the command's own.)
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArgs {
    /// Training features with labels: safetensors, npz, npy or csv.
    #[arg(long, value_name = "FILE", requires = "test")]
    pub(crate) train: Option<PathBuf>,
    /// Test features with labels.
    #[arg(long, value_name = "FILE", requires = "train")]
    pub(crate) test: Option<PathBuf>,
    /// Validation features with labels, from images the backbone was not trained on.
    #[arg(long, value_name = "FILE", requires = "train")]
    pub(crate) val: Option<PathBuf>,
    /// Labels of the training features, if in a separate file (npy or text).
    #[arg(long, value_name = "FILE", requires = "train")]
    pub(crate) train_labels: Option<PathBuf>,
    /// Labels of the test features, if in a separate file.
    #[arg(long, value_name = "FILE", requires = "test")]
    pub(crate) test_labels: Option<PathBuf>,
    /// Labels of the validation features, if in a separate file.
    #[arg(long, value_name = "FILE", requires = "val")]
    pub(crate) val_labels: Option<PathBuf>,
    /// Training features that take more than this as f32 stay in their file (safetensors or npy)
    /// and are read as needed; the results are the same.
    #[arg(long, value_name = "GiB", default_value_t = 4.0, requires = "train")]
    pub(crate) memory: f64,
    /// Memory-map such a file instead of reading it row by row.
    #[arg(long, requires = "train")]
    pub(crate) mmap: bool,
    /// Names of the classes, one per line, class 0 first.
    #[arg(long, value_name = "FILE", requires = "train")]
    pub(crate) class_names: Option<PathBuf>,
    /// The stage-1 head (safetensors), from which most methods start; if features are given but
    /// no head, one is trained with cross-entropy.
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Option<PathBuf>,
    /// Prefix of the head's tensors, such as fc for fc.weight; detected if not given.
    #[arg(long, value_name = "KEY", requires = "head")]
    pub(crate) head_key: Option<String>,
    /// Whether to use augmented training views, if the file has them.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub(crate) views: Switch,
    /// Whether to average test logits over plain and mirrored images, if the file has both.
    #[arg(long, value_enum, default_value_t = Switch::On)]
    pub(crate) mirror: Switch,
    /// Classes with more training samples than this are many-shot.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) many_above: usize,
    /// Classes with fewer training samples than this are few-shot.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) few_below: usize,
    /// Accept validation features that also appear in the training set.
    #[arg(long)]
    pub(crate) allow_training_features_as_validation: bool,
}

impl DataArgs {
    /// Every file that is read.
    pub(crate) fn inputs(&self) -> Vec<&Path> {
        let Self { train, test, val, train_labels, test_labels, val_labels, .. } = self;
        let files = [train, test, val, train_labels, test_labels, val_labels];
        let others = [&self.class_names, &self.head];
        files.into_iter().chain(others).filter_map(|file| file.as_deref()).collect()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}
