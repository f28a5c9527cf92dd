//! What can be typed about images: stage 1.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    /// Class k has n_max ratio^(-k / (K - 1)) images.
    Exponential,
    /// The second half of the classes has n_max / ratio images each.
    Step,
}

// Images named by lists. (No doc comment: clap would print it in place of the command's own.)
#[derive(Debug, Args)]
#[allow(clippy::struct_field_names, reason = "they are the names of the options")]
pub(crate) struct Lists {
    /// List of training images, one "path label" per line, or iNaturalist's JSON.
    #[arg(long, value_name = "FILE", requires = "images")]
    pub(crate) train_list: Option<PathBuf>,
    /// List of validation images.
    #[arg(long, value_name = "FILE", requires = "train_list")]
    pub(crate) val_list: Option<PathBuf>,
    /// List of test images.
    #[arg(long, value_name = "FILE", requires = "train_list")]
    pub(crate) test_list: Option<PathBuf>,
}

impl Lists {
    /// Every file that is read.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &Path> {
        let Self { train_list, val_list, test_list } = self;
        [train_list, val_list, test_list].into_iter().flatten().map(PathBuf::as_path)
    }
}

/// Cut a balanced set of images down to a long-tailed one, or hold out a test set.
///
/// Writes which images are kept, with counts, shot groups and a hash. Class 0 is the largest.
/// Without --numpy-seed, the first images of each class in file order are kept (LTWB, LOS); with
/// it, those chosen by `np.random.seed(N)` and a shuffle per class (LDAM-DRW and most others,
/// N = 0).
///
/// Examples:
///
///   tailfit split --images cifar-100-binary --out split.json
///   tailfit split --images cifar-100-binary --imbalance-ratio 50 --numpy-seed 0
///   tailfit split --images cifar-100-binary --validation-per-class 20
///
/// Data that is long-tailed by nature needs no cutting, but often has no test set of its own: with
/// --hold-out, that share of every class is held out, of images or of features. Then the split of
/// images names them, and features are written to train.safetensors and test.safetensors.
///
///   tailfit split --images birds --hold-out 20 --out split.json
///   tailfit split --features birds.csv --hold-out 20 --out birds
#[derive(Debug, Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct SplitArgs {
    /// Folder with CIFAR's binary files, with IDX files, or with train/ and test/ (or val/), each
    /// holding one folder per class; for lists, the folder that their paths are relative to.
    #[arg(long, value_name = "DIR", required_unless_present = "features")]
    pub(crate) images: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) lists: Lists,
    /// Features with labels instead: safetensors, npz, npy or csv.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "hold_out", conflicts_with = "images")]
    pub(crate) features: Vec<PathBuf>,
    /// Labels of the features, if in a file of their own for each.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "features")]
    pub(crate) labels: Vec<PathBuf>,
    /// CSV: the column of the labels, by its name, or by its number from 0 if there is no header.
    #[arg(long, value_name = "NAME", requires = "features")]
    pub(crate) label_column: Option<String>,
    /// Which samples belong together, and are held out together: a column of CSV, or an array of
    /// safetensors and npz, where `groups` is found by itself.
    #[arg(long, value_name = "NAME", requires = "features")]
    pub(crate) group_column: Option<String>,
    /// The number of the first class in the labels.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "features")]
    pub(crate) label_base: u32,
    /// Hold out this percentage of every class for testing, and cut nothing.
    #[arg(long, value_name = "PERCENT", conflicts_with_all = ["profile", "imbalance_ratio", "numpy_seed", "validation_per_class"])]
    pub(crate) hold_out: Option<f64>,
    /// Which of a class are held out.
    #[arg(long, value_name = "N", default_value_t = 0, requires = "hold_out")]
    pub(crate) seed: u64,
    /// How the number of images decreases from class to class.
    #[arg(long, value_enum, default_value_t = Shape::Exponential)]
    pub(crate) profile: Shape,
    /// Number of images in the largest class divided by that in the smallest.
    #[arg(long, value_name = "RATIO", default_value_t = 100.0)]
    pub(crate) imbalance_ratio: f64,
    /// Shuffle each class as numpy does with this seed, instead of keeping file order.
    #[arg(long, value_name = "N")]
    pub(crate) numpy_seed: Option<u32>,
    /// Hold out this many images of each class (EWB-FDR: 20); neither stage is trained on them.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub(crate) validation_per_class: usize,
    /// Classes with more training images than this are many-shot.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) many_above: usize,
    /// Classes with fewer training images than this are few-shot.
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) few_below: usize,
    /// File for the split, split.json if not given; for features, the folder for their parts.
    #[arg(long, value_name = "PATH", required_unless_present = "images")]
    pub(crate) out: Option<PathBuf>,
}

#[cfg(feature = "backbone")]
pub(crate) use self::backbone::{
    ExtractFeaturesArgs, LiveArgs, NormRule, Number, TrainBackboneArgs, UsedImages,
};

#[cfg(feature = "backbone")]
mod backbone {
    use super::{Args, Lists, PathBuf, ValueEnum};

    // Which of the images are used. (No doc comment, as above.)
    #[derive(Debug, Args)]
    pub(crate) struct UsedImages {
        #[command(flatten)]
        pub(crate) lists: Lists,
        /// File written by `tailfit split`; all training images are used if not given.
        #[arg(long, value_name = "FILE", requires = "images")]
        pub(crate) split: Option<PathBuf>,
        /// Try every image first, then name and leave out those that cannot be read, instead of
        /// stopping at the first.
        #[arg(long, requires = "images")]
        pub(crate) skip_unreadable: bool,
    }

    /// Train a backbone on the images of a split.
    ///
    /// Every epoch is saved. The same command resumes an interrupted run; on the CPU, with the same
    /// number of threads, the final weights are bit-identical to those of an uninterrupted run.
    /// --precision applies to the convolutions; auto means the recipe's precision.
    ///
    /// Examples:
    ///
    ///   tailfit train-backbone --images cifar-100-binary --split split.json --out run --precision bf16
    ///   tailfit train-backbone --images cifar-100-binary --split split.json --config configs/stage-1/ltwb.toml --out run
    #[derive(Debug, Args)]
    #[command(verbatim_doc_comment)]
    pub(crate) struct TrainBackboneArgs {
        /// Folder with CIFAR's binary files, with IDX files, or with train/ and test/ (or val/), each
        /// holding one folder per class; for lists, the folder that their paths are relative to.
        #[arg(long, value_name = "DIR")]
        pub(crate) images: PathBuf,
        #[command(flatten)]
        pub(crate) used: UsedImages,
        /// Recipe in TOML; cross-entropy on a ResNet-32 if not given.
        #[arg(long, value_name = "FILE")]
        pub(crate) config: Option<PathBuf>,
        /// Seed for weights, order and augmentation.
        #[arg(long, value_name = "N", default_value_t = 0)]
        pub(crate) seed: u64,
        /// Device: cpu, cuda or cuda:N.
        #[arg(long, value_name = "DEVICE", default_value = "cpu")]
        pub(crate) device: String,
        /// Folder of the run, for checkpoint, weights and log.
        #[arg(long, value_name = "DIR")]
        pub(crate) out: PathBuf,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
    pub(crate) enum NormRule {
        /// Running statistics of training.
        Evaluate,
        /// Statistics of each batch.
        Batch,
    }

    #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
    pub(crate) enum Number {
        F16,
        F32,
    }

    // The official second stage, on images. (No doc comment: clap would print it in place of the
    // command's own.)
    #[derive(Debug, Args)]
    #[command(next_help_heading = "Live training, as in the official code")]
    pub(crate) struct LiveArgs {
        /// Re-train the head of the backbone in this folder on augmented images, with batch
        /// normalisation in train mode, instead of on features extracted once.
        #[arg(long, value_name = "DIR", requires = "images", conflicts_with_all = ["train", "test", "head", "select", "views", "mirror"])]
        pub(crate) live: Option<PathBuf>,
        /// Folder with CIFAR's binary files, with IDX files, or with train/ and test/ (or val/), each
        /// holding one folder per class; for lists, the folder that their paths are relative to.
        #[arg(long, value_name = "DIR", requires = "live")]
        pub(crate) images: Option<PathBuf>,
        #[command(flatten)]
        pub(crate) used: UsedImages,
        /// Device: cpu, cuda or cuda:N.
        #[arg(long, value_name = "DEVICE", default_value = "cpu")]
        pub(crate) device: String,
    }

    /// Extract the features of a trained backbone, and its head.
    ///
    /// Writes train.safetensors, test.safetensors (plain and mirrored), val.safetensors if there
    /// are validation images, and head.safetensors, for `compare` and `train-head` to read. Of systems
    /// that do something to their head's predictions (TDE, RBL, EWB-FDR), head.safetensors is the head
    /// as trained, from which stage 2 starts, and prediction.safetensors what they predict. A network
    /// of your own is given as TorchScript that maps images [B, 3, H, W] to features [B, D]. No head
    /// is written for it, and --config says how its images are prepared, with the keys image_size,
    /// image_mean, image_std and augmentation of a backbone's recipe. --precision applies to the
    /// convolutions; auto means that of the run, and f32 for a network of your own.
    ///
    /// Examples:
    ///
    ///   tailfit extract-features --images cifar-100-binary --split split.json --run run --out features
    ///   tailfit extract-features --images photos --network mine.pt --config images.toml --out features
    #[derive(Debug, Args)]
    #[command(verbatim_doc_comment)]
    pub(crate) struct ExtractFeaturesArgs {
        /// Folder with CIFAR's binary files, with IDX files, or with train/ and test/ (or val/), each
        /// holding one folder per class; for lists, the folder that their paths are relative to.
        #[arg(long, value_name = "DIR")]
        pub(crate) images: PathBuf,
        #[command(flatten)]
        pub(crate) used: UsedImages,
        /// Folder of a finished run.
        #[arg(long, value_name = "DIR", required_unless_present = "network")]
        pub(crate) run: Option<PathBuf>,
        /// Your own network in TorchScript, instead of a run.
        #[arg(long, value_name = "FILE", requires = "config", conflicts_with_all = ["run", "best", "norm"])]
        pub(crate) network: Option<PathBuf>,
        /// How images are prepared for your own network, in TOML.
        #[arg(long, value_name = "FILE", requires = "network")]
        pub(crate) config: Option<PathBuf>,
        /// Take the best scored epoch instead of the last; epochs are scored on the test images if
        /// there are no validation images.
        #[arg(long)]
        pub(crate) best: bool,
        /// How strongly the run's system changes what its head predicts, instead of the recipe's
        /// `strength`: the direction that TDE leaves out, the prior that RBL and EWB-FDR take out.
        #[arg(long, value_name = "X", allow_negative_numbers = true, conflicts_with = "network")]
        pub(crate) strength: Option<f64>,
        /// Statistics that batch normalisation uses.
        #[arg(long, value_enum, default_value_t = NormRule::Evaluate)]
        pub(crate) norm: NormRule,
        /// Number of augmented views of the training images.
        #[arg(long, value_name = "M", default_value_t = 0)]
        pub(crate) views: usize,
        /// Seed for the views.
        #[arg(long, value_name = "N", default_value_t = 0)]
        pub(crate) seed: u64,
        /// Number format of the stored features.
        #[arg(long, value_enum, default_value_t = Number::F16)]
        pub(crate) stored: Number,
        /// Device: cpu, cuda or cuda:N.
        #[arg(long, value_name = "DEVICE", default_value = "cpu")]
        pub(crate) device: String,
        /// Folder for the files.
        #[arg(long, value_name = "DIR")]
        pub(crate) out: PathBuf,
    }
}
