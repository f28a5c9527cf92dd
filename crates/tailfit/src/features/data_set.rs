//! A data set ready for re-training: features, labels, counts and the stage-1 head.

use ndarray::Array2;

use super::{Features, HeadFile, check_pair, embedded, shared_rows};
use crate::class_counts::ClassCounts;
use crate::error::{Error, Result, plain};
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
    /// A vector of norm 1 for each class, `[K, D]`, if there are any; see [`DataSet::with_class_vectors`].
    pub class_vectors: Option<Array2<f64>>,
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

    /// What is wrong with groups that are in two sets, in words: what is learned or chosen on a group
    /// tells about its other samples.
    pub fn shared_groups(&self) -> Vec<String> {
        let sets = [
            (Some(&self.test), "test set", &self.train, "training", "scores on them are too good"),
            (
                self.validation.as_ref(),
                "validation set",
                &self.train,
                "training",
                "they choose what fits them",
            ),
            (
                self.validation.as_ref(),
                "validation set",
                &self.test,
                "the test set",
                "scores on them are too good",
            ),
        ];
        let shared =
            |(set, name, other, of, so): (Option<&Features>, &str, &Features, &str, &str)| {
                let groups = set?.groups.as_ref()?;
                let shared = groups.shared_with(other.groups.as_ref()?);
                let first = shared.first()?;
                Some(format!(
                    "{} of the {name}'s {} groups are in {of} too (first: `{first}`); {so}",
                    shared.len(),
                    groups.n_groups(),
                ))
            };
        sets.into_iter().filter_map(shared).collect()
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
        if !train.labels.contains(&0) && seen > 1 {
            let remedy = "number them from 0, or say that they are numbered from 1";
            return Err(Error::data(
                "training labels",
                "classes from 0",
                "none of class 0",
                remedy,
            )
            .answered_by("label_base"));
        }
        if let Some(file) = &stage_1 {
            check_head(file, &train, seen)?;
        }
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
        let mut counts = ClassCounts::from_labels(&train.labels, n_classes)?;
        if let Some(weights) = &train.weights {
            counts = counts.with_weights(&train.labels, weights)?;
        }
        if let Some(names) = named.filter(|&names| names != n_classes) {
            return Err(Error::data("class names", format!("{n_classes} names"), names, ""));
        }
        let scored = |set: Features, name: &str| {
            let set = set.into_memory()?.like(&train, name)?;
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
        let stage_1_origin = match &stage_1 {
            None => "none",
            Some(file) if file.has_bias => "given",
            Some(_) => "given, without a bias",
        };
        let (stage_1_origin, name) = (stage_1_origin.to_owned(), plain(name, 200));
        Ok(Self {
            name,
            train,
            test,
            validation,
            validation_in_test,
            stage_1,
            stage_1_origin,
            class_vectors: None,
            counts,
            thresholds,
        })
    }
}

impl DataSet {
    /// The same with a vector for each class, `[K, D]`, as a text encoder gives for the classes' names:
    /// a zero-shot head, from which training can start, and with which heads can be combined. They are
    /// divided by their norms.
    ///
    /// # Errors
    ///
    /// If the shape is not that of a head, or a vector is 0 or not finite.
    pub fn with_class_vectors(self, mut vectors: Array2<f64>) -> Result<Self> {
        let expected = (self.counts.n_classes(), self.train.dim());
        if vectors.dim() != expected {
            let remedy = "one vector for each class, from the encoder that goes with the features";
            let [expected, found] = [expected, vectors.dim()].map(|(k, d)| format!("[{k}, {d}]"));
            return Err(Error::data("class vectors", expected, found, remedy));
        }
        for (class, mut row) in vectors.rows_mut().into_iter().enumerate() {
            let norm = row.dot(&row).sqrt();
            if !(norm.is_finite() && norm > 0.0) {
                let place = format!("class vectors, class {class}");
                return Err(Error::data(place, "a finite norm above 0", norm, ""));
            }
            row /= norm;
        }
        Ok(Self { class_vectors: Some(vectors), ..self })
    }
}

/// Checks a head against the training set, whose labels go up to `seen`, exclusively.
fn check_head(file: &HeadFile, train: &Features, seen: usize) -> Result<()> {
    let (k, d) = (file.head.n_classes(), file.head.dim());
    let shape = format!("weight of shape [{k}, {d}]");
    let fault =
        |expected: String, remedy: &str| Err(Error::data("stage-1 head", expected, &shape, remedy));
    if d != train.dim() {
        let expected = format!("{} features, as in the training set", train.dim());
        let transposed = k == train.dim();
        return fault(
            expected,
            if transposed {
                "is it transposed? save weight.T"
            } else {
                "give the head of the backbone that made the features"
            },
        );
    }
    if k != seen {
        let expected = format!("{seen} classes, as in the training labels");
        if (k, seen) == (1, 2) {
            let remedy = "of two classes, scikit-learn keeps one row: save np.vstack([-w / 2, w / 2]), and the bias \
                          likewise";
            return fault(expected, remedy);
        }
        return fault(
            expected,
            "every class needs training samples: leave the head out, so that one is trained, or keep \
             the rows of the classes that have some, weight[classes] and bias[classes]",
        );
    }
    match (file.class_names(), &train.class_names) {
        (Some(of_head), Some(of_train)) if of_head != *of_train => {
            let at = of_head.iter().zip(of_train).position(|(a, b)| a != b).unwrap_or(0);
            let name = |names: &[String]| names.get(at).map_or("none", String::as_str).to_owned();
            let expected = format!("class {at} to be `{}`, as in training", name(of_train));
            let remedy = "put the rows of its weight and bias in the order of the classes";
            Err(Error::data("stage-1 head", expected, format!("`{}`", name(&of_head)), remedy))
        }
        _ => Ok(()),
    }
}
