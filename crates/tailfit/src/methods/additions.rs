//! What can be added to a method.

/// Something that can be added to a method.
pub(super) struct Addition {
    pub(super) name: &'static str,
    pub(super) help: &'static str,
    /// Recipe keys and their values.
    pub(super) changes: &'static [(&'static str, &'static str)],
    /// A number that is searched with the method's first axis, in place of its others.
    pub(super) search: Option<(&'static str, &'static [f64])>,
    /// Whether it changes training, so that there must be some.
    pub(super) trains: bool,
}

const STRENGTHS: &[f64] = &[0.25, 0.5, 1.0, 1.5];

const SHARES: &[f64] = &[3.0, 10.0, 30.0, 100.0];

/// The addition that takes the method's own course away, and with it rates and epochs.
pub(super) const CONVERGED: &str = "converged";

/// What the name of an average with another method's head begins with.
pub(super) const WITH: &str = "with-";

pub(super) const ADDITIONS: [Addition; 10] = [
    Addition {
        name: "class-balanced",
        help: "every sample weighted by 1 / n of its class, divided by the sum of the weights",
        changes: &[("class_weights", r#"{"power": {"rho": 1.0}}"#), ("mean", r#""by-weight""#)],
        search: None,
        trains: true,
    },
    Addition {
        name: "class-balanced-sampling",
        help: "batches in which every class is as frequent",
        changes: &[("sampler", r#""class-balanced""#)],
        search: None,
        trains: true,
    },
    Addition {
        name: "square-root-sampling",
        help: "batches in which a class is as frequent as the square root of its count",
        changes: &[("sampler", r#""square-root""#)],
        search: None,
        trains: true,
    },
    Addition {
        name: "progressive-sampling",
        help: "batches that go over from the data's frequencies to equal ones",
        changes: &[("sampler", r#""progressive""#)],
        search: None,
        trains: true,
    },
    Addition {
        name: "tau-norm",
        help: "the trained weights divided by their norms to the power of tau, bias kept",
        changes: &[("normalise", r#"{"tau": 0.5, "bias": "keep"}"#)],
        search: Some(("normalise.tau", STRENGTHS)),
        trains: false,
    },
    Addition {
        name: "logit-adjustment",
        help: "tau log prior subtracted from the trained head's logits",
        changes: &[("adjustment", r#"{"tau": 0.5, "form": "additive"}"#)],
        search: Some(("adjustment.tau", STRENGTHS)),
        trains: false,
    },
    Addition {
        name: "zero-shot",
        help: "a multiple of the class vectors added to the trained head",
        changes: &[("zero_shot", "10.0")],
        search: Some(("zero_shot", SHARES)),
        trains: false,
    },
    Addition {
        name: "gla",
        help: "the same, less the log of the encoder's own prior, estimated on training samples of which all classes count \
               the same: Zhu et al., NeurIPS 2023",
        changes: &[("zero_shot", "10.0"), ("zero_shot_debiased", "true")],
        search: Some(("zero_shot", SHARES)),
        trains: false,
    },
    Addition {
        name: CONVERGED,
        help: "trained to the minimum by a solver, weight decay searched in place of rates and epochs; the bias is free",
        changes: &[("solver", r#""lbfgs""#), ("start", r#""zero""#), ("decay_bias", "false")],
        search: None,
        trains: true,
    },
    Addition {
        name: "averaged",
        help: "the mean of four heads, each of a seed of its own; a quarter of the trials",
        changes: &[("runs", "4")],
        // Five values of the first axis with four heads each: twenty heads, as in every search.
        search: Some(("runs", &[4.0])),
        trains: true,
    },
];

/// What [`WITH`] and the name of a method add.
const WITH_HELP: &str = "averaged, at one scale, with the head of another method as its defaults train it (last in the \
                         name; los+with-stage-1: after WiSE-FT of Wortsman et al., CVPR 2022)";

/// Name and meaning of everything that can be added to a method by `+`.
pub fn additions() -> impl Iterator<Item = (&'static str, &'static str)> + Clone {
    let all = ADDITIONS.iter().map(|addition| (addition.name, addition.help));
    all.chain([("with-METHOD", WITH_HELP)])
}
