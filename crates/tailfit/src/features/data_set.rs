//! A data set ready for re-training: features, labels, counts and the stage-1 head.

use super::{Features, HeadFile, check_pair, embedded, shared_rows};
use crate::class_counts::ClassCounts;
use crate::error::{Error, Result};
use crate::shots::ShotThresholds;

/// Training, test and optional validation features, with the stage-1 head.
///
/// ```
/// use ndarray::array;
/// use tailfit::features::{DataSet, Features};
/// use tailfit::shots::ShotThresholds;
///
/// let train = Features::new(array![[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]], vec![0, 0, 1])?;
/// let test = Features::new(array![[1.0, 0.2], [0.1, 1.0]], vec![0, 1])?;
/// let mut data = DataSet::new("mine", train, test, None, None, ShotThresholds::default())?;
/// assert_eq!(data.counts.as_slice(), [2, 1]);
/// tailfit::train::train_stage_1(&mut data)?;
/// # Ok::<(), tailfit::error::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct DataSet {
    /// Name, for display and file names.
    pub name: String,
    /// Training features.
    pub train: Features,
    /// Test features.
    pub test: Features,
    /// Validation features, of samples the backbone was not trained on.
    pub validation: Option<Features>,
    /// Number of validation samples that are test samples too; if there are any, selection by
    /// validation is optimistic, and marked so.
    pub validation_in_test: usize,
    /// The stage-1 head, if there is one.
    pub stage_1: Option<HeadFile>,
    /// Where the stage-1 head came from, in words.
    pub stage_1_origin: String,
    /// Training samples per class.
    pub counts: ClassCounts,
    /// Boundaries of the shots.
    pub thresholds: ShotThresholds,
}

impl DataSet {
    /// The data set embedded in the program.
    ///
    /// # Errors
    ///
    /// Only if the program was built from damaged files.
    pub fn embedded(thresholds: ShotThresholds) -> Result<Self> {
        let (train, test, head) = embedded::load()?;
        Self::new(embedded::NAME, train, test, None, Some(head), thresholds)
    }

    /// Checks that the parts match each other, and loads test and validation features into memory;
    /// training features may stay in their file.
    ///
    /// # Errors
    ///
    /// If a class has no training samples, a label is out of range, or the parts differ in D
    /// or K.
    pub fn new(
        name: &str,
        train: Features,
        test: Features,
        validation: Option<Features>,
        stage_1: Option<HeadFile>,
        thresholds: ShotThresholds,
    ) -> Result<Self> {
        let seen = train.labels.iter().max().map_or(0, |&max| max as usize + 1);
        let named = train.class_names.as_ref().map(Vec::len);
        let n_classes =
            stage_1.as_ref().map(|file| file.head.n_classes()).or(named).unwrap_or(seen);
        if n_classes > train.len() {
            return Err(Error::data(
                "training labels",
                format!("at most {} classes, one sample each", train.len()),
                format!("{n_classes} classes"),
                "number the classes 0, 1, 2, … without gaps",
            ));
        }
        let counts = ClassCounts::from_labels(&train.labels, n_classes)?;
        if let Some(file) = &stage_1
            && file.head.dim() != train.dim()
        {
            return Err(Error::data(
                "stage-1 head",
                format!("{} features, as in the training set", train.dim()),
                format!("weight of shape [{}, {}]", file.head.n_classes(), file.head.dim()),
                "give the head of the backbone that made the features",
            ));
        }
        if let Some(names) = named.filter(|&names| names != n_classes) {
            return Err(Error::data("class names", format!("{n_classes} names"), names, ""));
        }
        let scored = |set: Features, name: &str| {
            let set = set.into_memory()?.in_order_of(&train, name)?;
            check_pair(&train, &set, n_classes, name)?;
            Ok::<_, Error>(set)
        };
        let test = scored(test, "test set")?;
        let validation = validation.map(|set| scored(set, "validation set")).transpose()?;
        let mut validation_in_test = 0;
        if let Some(validation) = &validation {
            validation_in_test = shared_rows(&test, validation)?.len();
            if validation_in_test == validation.len() {
                return Err(Error::data(
                    "validation set",
                    "samples that are not test samples",
                    format!("{validation_in_test} of {validation_in_test} rows that are"),
                    "hold out samples of their own, or leave the validation set out: selection is \
                     then cross-fitted",
                ));
            }
        }
        let stage_1_origin = if stage_1.is_some() { "given" } else { "none" }.to_owned();
        let name = name.to_owned();
        Ok(Self {
            name,
            train,
            test,
            validation,
            validation_in_test,
            stage_1,
            stage_1_origin,
            counts,
            thresholds,
        })
    }
}
