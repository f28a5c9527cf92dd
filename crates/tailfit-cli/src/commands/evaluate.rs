//! `tailfit evaluate`.

use anyhow::{Context, Result};
use serde_json::json;
use tailfit::compare::DataRecord;
use tailfit::error::Error;
use tailfit::files::write_atomically;
use tailfit::head::Head;
use tailfit::metrics::{Evaluation, EvaluationSet, class_reports, evaluate};
use tailfit::recipe::{AdjustmentForm, BiasRule, LogitAdjustment, TauNorm};
use tailfit::report::{Table, per_class_csv};

use super::probabilities::{self, Part};
use super::{input, output};
use crate::args::{Bias, EvaluateArgs};
use crate::printer::Printer;

pub(crate) fn run(args: &EvaluateArgs, printer: &Printer) -> Result<()> {
    for file in args.out.iter().chain(&args.per_class) {
        output::check_file(file, &args.data.inputs())?;
    }
    if !args.data.train.is_empty() && args.data.test.is_empty() {
        let remedy = "the head may have been trained on all samples, so that none can be held out";
        return Err(Error::usage("evaluate", "--test", "none", remedy).into());
    }
    if args.data.class_vectors.is_some() {
        let remedy = "give the head that was made with them as --head";
        return Err(Error::usage("evaluate", "no class vectors", "--class-vectors", remedy).into());
    }
    let data = input::data_set(&args.data, true, printer)?;
    let file = data.stage_1.as_ref().context("the data set has no stage-1 head")?;
    let head = &file.head;
    let set = EvaluationSet::of(&data.test)?;
    let score = |name: String, head: &Head| {
        let evaluation = evaluate(head, &set, &data.counts, data.thresholds);
        (name, evaluation)
    };
    let mut scored = vec![score("as it is".to_owned(), head)];
    let bias = match args.bias {
        Bias::Drop => BiasRule::Drop,
        Bias::Keep => BiasRule::Keep,
        Bias::Rescale => BiasRule::Rescale,
    };
    if head.gate.is_some() && !args.tau_norm.is_empty() {
        let expected = "a head without a gate, whose shift has no norm";
        return Err(Error::usage("--tau-norm", expected, "one with a gate", "").into());
    }
    for &tau in &args.tau_norm {
        let mut changed = head.clone();
        TauNorm { tau, bias }.apply(&mut changed);
        scored.push(score(format!("tau-norm {tau}"), &changed));
    }
    for &tau in &args.logit_adjustment {
        let mut changed = head.clone();
        LogitAdjustment { tau, form: AdjustmentForm::Additive }.apply(&mut changed, &data.counts);
        scored.push(score(format!("logit-adjustment {tau}"), &changed));
    }
    let mut parts: Vec<Part> = probabilities::binary(&data, head)?.into_iter().collect();
    if args.temperature {
        parts.push(probabilities::temperature(args, &data, file)?);
    }
    if !args.target_prior.is_empty() {
        parts.push(probabilities::priors(args, &data, head)?);
    }
    if let Some(path) = &args.per_class {
        let names = data.train.class_names.as_deref();
        let reports = class_reports(head, &set);
        let csv = per_class_csv(&reports, &data.counts, data.thresholds, names);
        write_atomically(path, csv.as_bytes())?;
    }
    let record = DataRecord::of(&data)?;
    if args.json {
        let variants: Vec<_> = scored
            .iter()
            .map(|(name, evaluation)| json!({ "name": name, "evaluation": evaluation }))
            .collect();
        let mut all = json!({ "data": record, "variants": variants });
        for part in parts {
            all[part.name] = part.json;
        }
        printer.data(&(serde_json::to_string_pretty(&all)? + "\n"));
        return Ok(());
    }
    let [many, medium, few] = record.shot_sizes;
    let columns = [
        "head",
        "all",
        "macro",
        &format!("many ({many})"),
        &format!("medium ({medium})"),
        &format!("few ({few})"),
        "NLL",
        "ECE",
        "LoMa CV",
        "LoMa few/many",
    ];
    let table = Table {
        caption: String::new(),
        columns: columns.map(str::to_owned).to_vec(),
        rows: scored.iter().map(|(name, evaluation)| row(name, evaluation)).collect(),
        notes: vec![],
    };
    let mirror = if record.mirror { ", mirror-averaged" } else { "" };
    printer.remark(&format!(
        "{}: {} test samples{mirror}, accuracy in percent",
        record.name, record.n_test
    ));
    printer.data(&table.text());
    for part in parts {
        printer.data(&format!("\n{}", part.table.text()));
    }
    for path in args.out.iter().chain(&args.per_class) {
        printer.remark(&format!("written: {}", path.display()));
    }
    Ok(())
}

fn row(name: &str, evaluation: &Evaluation) -> Vec<String> {
    let accuracy = &evaluation.accuracy;
    let number = |value: Option<f64>, digits: usize| {
        value.map_or("–".to_owned(), |v| format!("{v:.digits$}"))
    };
    vec![
        name.to_owned(),
        format!("{:.2}", accuracy.overall_percent),
        format!("{:.2}", accuracy.macro_percent),
        number(accuracy.many_percent, 2),
        number(accuracy.medium_percent, 2),
        number(accuracy.few_percent, 2),
        format!("{:.3}", evaluation.calibration.nll),
        format!("{:.1}", evaluation.calibration.ece_percent),
        number(evaluation.loma_cv, 3),
        number(evaluation.loma_few_over_many, 3),
    ]
}
