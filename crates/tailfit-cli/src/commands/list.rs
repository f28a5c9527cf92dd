//! `tailfit list`.

use std::fmt::Write as _;

use anyhow::Result;
use serde_json::json;
use tailfit::features::{FORMATS, embedded};
use tailfit::losses::AnyLoss;
use tailfit::methods;

use crate::args::{ListArgs, Topic};
use crate::printer::Printer;

pub(crate) fn run(args: &ListArgs, printer: &Printer) -> Result<()> {
    let all = args.topic == Topic::All;
    let wanted = |topic| all || args.topic == topic;
    if args.json {
        let mut tree = json!({});
        if wanted(Topic::Methods) {
            let describe = |m: methods::Method| {
                let search: serde_json::Map<_, _> =
                    m.search.iter().map(|axis| (axis.path.clone(), json!(axis.values))).collect();
                json!({"name": m.name, "group": m.group(), "uses": m.uses(), "formula": m.recipe.cost.loss.formula(), "source": m.source, "recipe": m.recipe, "search": search})
            };
            tree["methods"] = listed()?.into_iter().map(describe).collect();
        }
        if wanted(Topic::Losses) {
            let describe = |l: AnyLoss| json!({"name": l.name(), "formula": l.formula(), "source": l.source(), "defaults": l});
            tree["losses"] = AnyLoss::all().into_iter().map(describe).collect();
        }
        if wanted(Topic::Formats) {
            tree["formats"] = FORMATS
                .iter()
                .map(|f| json!({"extension": f.extension, "holds": f.holds}))
                .collect();
        }
        if wanted(Topic::Data) {
            tree["data"] = json!([{"name": embedded::NAME, "bytes": embedded::SIZE, "provenance": embedded::PROVENANCE}]);
        }
        printer.data(&(serde_json::to_string_pretty(&tree)? + "\n"));
        return Ok(());
    }
    let mut out = String::new();
    if wanted(Topic::Methods) {
        out += &methods_by_group()?;
        out += "ADDITIONS, as in los+class-balanced\n\n";
        for (name, help) in methods::additions() {
            let _ = writeln!(out, "{name}\n    {help}");
        }
        out.push('\n');
    }
    if wanted(Topic::Losses) {
        out += "LOSSES\n\n";
        for loss in AnyLoss::all() {
            let defaults = serde_json::to_value(loss)?;
            let _ = writeln!(
                out,
                "{}\n    {}\n    {}\n    defaults: {defaults}",
                loss.name(),
                loss.formula(),
                loss.source()
            );
        }
        out.push('\n');
    }
    if wanted(Topic::Formats) {
        out += "FEATURE FILE FORMATS\n\n";
        for format in FORMATS {
            let _ = writeln!(out, "{}\n    {}", format.extension, format.holds);
        }
        out.push('\n');
    }
    if wanted(Topic::Data) {
        let _ = writeln!(
            out,
            "EMBEDDED DATA\n\n{} ({:.1} MB)\n    {}",
            embedded::NAME,
            embedded::SIZE as f64 / 1e6,
            embedded::PROVENANCE
        );
    }
    printer.data(&out);
    Ok(())
}

/// Every method, also the one that needs class vectors.
fn listed() -> Result<Vec<methods::Method>> {
    let mut all = methods::all();
    all.push(methods::find("zero-shot")?);
    Ok(all)
}

/// Every method, group by group.
fn methods_by_group() -> Result<String> {
    let (mut out, all) = (String::new(), listed()?);
    for group in methods::GROUPS {
        let _ = writeln!(out, "METHODS: {group}\n");
        for method in all.iter().filter(|method| method.group() == group) {
            let _ = writeln!(out, "{}\n    {}", method.name, method.source);
            if method.recipe.sgd.epochs > 0 {
                let _ = writeln!(out, "    loss: {}", method.recipe.cost.loss.formula());
            }
            let uses = method.uses();
            if !uses.is_empty() {
                let _ = writeln!(out, "    uses: {}", uses.join(", "));
            }
            for axis in &method.search {
                let values: Vec<String> = axis.values.iter().map(ToString::to_string).collect();
                let _ = writeln!(out, "    searched: {} in {}", axis.path, values.join(", "));
            }
        }
        out.push('\n');
    }
    Ok(out)
}
