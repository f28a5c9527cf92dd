//! What can be typed about features.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

// Features and the stage-1 head; the embedded data without --train and --test. (No doc
// comment: clap would print it in place of the command's own.)
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArgs {
    /// Training features with labels: safetensors, npz, npy or csv; several files are taken one
    /// after the other.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub(crate) train: Vec<PathBuf>,
    /// Test features with labels; where training features are given without them, compare and train-head
    /// hold out a fifth of each class.
    #[arg(long, value_name = "FILE", requires = "train", num_args = 1..)]
    pub(crate) test: Vec<PathBuf>,
    /// Validation features with labels, from images the backbone was not trained on.
    #[arg(long, value_name = "FILE", requires = "train", num_args = 1..)]
    pub(crate) val: Vec<PathBuf>,
    /// Labels of the training features, if in a file of their own for each (npy or text).
    #[arg(long, value_name = "FILE", requires = "train", num_args = 1..)]
    pub(crate) train_labels: Vec<PathBuf>,
    /// Labels of the test features, if in a file of their own.
    #[arg(long, value_name = "FILE", requires = "test", num_args = 1..)]
    pub(crate) test_labels: Vec<PathBuf>,
    /// Labels of the validation features, if in a file of their own.
    #[arg(long, value_name = "FILE", requires = "val", num_args = 1..)]
    pub(crate) val_labels: Vec<PathBuf>,
    /// CSV: the column of the labels, by its name, or by its number from 0 if there is no header.
    #[arg(long, value_name = "NAME", requires = "train")]
    pub(crate) label_column: Option<String>,
    /// Which samples belong together, such as pictures of one patient: a column of CSV, or an array of
    /// safetensors and npz, where `groups` is found by itself. Halves, folds and held-out sets keep them
    /// together.
    #[arg(long, value_name = "NAME", requires = "train")]
    pub(crate) group_column: Option<String>,
    /// The number of the first class in the labels.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "train")]
    pub(crate) label_base: u32,
    /// Training features that take more than this as f32 stay in their files (safetensors or npy)
    /// and are read as needed; the results are the same.
    #[arg(long, value_name = "GiB", default_value_t = 4.0, requires = "train", value_parser = gib)]
    pub(crate) memory: f64,
    /// Memory-map such files instead of reading them row by row. Whoever truncates one meanwhile
    /// ends this program; any other change is found, as without it, and is an error.
    #[arg(long, requires = "train")]
    pub(crate) mmap: bool,
    /// Names of the classes, one per line, class 0 first.
    #[arg(long, value_name = "FILE", requires = "train")]
    pub(crate) class_names: Option<PathBuf>,
    /// The stage-1 head (safetensors or npz), from which most methods start; if features are given but
    /// no head, one is trained with cross-entropy where it is needed.
    #[arg(long, value_name = "FILE")]
    pub(crate) head: Option<PathBuf>,
    /// Prefix of the head's tensors, such as fc for fc.weight; detected if not given.
    #[arg(long, value_name = "KEY", requires = "head")]
    pub(crate) head_key: Option<String>,
    /// A vector for each class, such as the text encoder's of its name, for the method zero-shot and the
    /// combinations with `+zero-shot` and `+gla`. Read like features, class 0 first.
    #[arg(long, value_name = "FILE", requires = "train")]
    pub(crate) class_vectors: Option<PathBuf>,
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
    /// Accept validation features that also appear in the training set, and folds of it although the
    /// given head has fitted them.
    #[arg(long)]
    pub(crate) allow_training_features_as_validation: bool,
}

impl DataArgs {
    /// Every file that is read.
    pub(crate) fn inputs(&self) -> Vec<&Path> {
        let Self { train, test, val, train_labels, test_labels, val_labels, .. } = self;
        let files = [train, test, val, train_labels, test_labels, val_labels];
        let others = [&self.class_names, &self.head, &self.class_vectors].into_iter().flatten();
        files.into_iter().flatten().chain(others).map(PathBuf::as_path).collect()
    }
}

/// A size in GiB.
pub(crate) fn gib(text: &str) -> Result<f64, String> {
    let size = text.parse().ok().filter(|size: &f64| *size >= 0.0);
    size.ok_or_else(|| "expected a number of GiB, at least 0".to_owned())
}

/// A finite number.
pub(crate) fn finite(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| number.is_finite());
    number.ok_or_else(|| "expected a finite number".to_owned())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    On,
    Off,
}
