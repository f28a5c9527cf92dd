//! Figure 4: accuracy over the smooth factor, for several imbalance ratios.

use anyhow::Result;
use serde::Deserialize;
use serde_json::json;
use tailfit::compare::{RunRecord, Selection};
use tailfit::figures::{Axis, Chart, Marks, Point, Series};
use tailfit::methods::{self, Method};
use tailfit::report::{Spread, Table};

use super::paper::{Paper, claim};
use super::table_1::spread;

#[derive(Deserialize)]
struct Config {
    #[serde(rename = "smooth-factor")]
    smooth_factor: SmoothFactor,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SmoothFactor {
    features: Vec<(u32, String)>,
    deltas: Vec<f64>,
    lr: Vec<f64>,
    seeds: u64,
}

/// Label over-smoothing with this smooth factor, over learning rates.
pub(super) fn los(delta: f64, lr: &[f64]) -> Result<Method> {
    let recipe = methods::find("los")?.recipe.with("loss.delta", &json!(delta))?;
    let rates = lr.iter().map(|lr| json!(lr)).collect();
    Ok(Method::new("los", "", recipe, [("lr".to_owned(), rates)]))
}

pub(super) fn run(paper: &Paper<'_>) -> Result<()> {
    let text = include_str!("../../../../configs/paper/figures.toml");
    let Config { smooth_factor: config } = Paper::config("figures.toml", text)?;
    let bar = paper.progress("fig4", config.features.len() * config.deltas.len());
    let (mut rows, mut series) = (Vec::new(), Vec::new());
    for (colour, (ratio, name)) in config.features.iter().enumerate() {
        let Some(data) = paper.data(name)? else { continue };
        let (mut lines, mut kept) = ([Vec::new(), Vec::new()], Vec::new());
        for &delta in &config.deltas {
            let method = los(delta, &config.lr)?;
            let records = paper.records(&data, Selection::CrossFitted, &method, config.seeds)?;
            let of = |record: &RunRecord| record.evaluation.accuracy.macro_percent;
            let honest = Spread::of(&records.iter().map(of).collect::<Vec<_>>());
            let (Some(honest), Some(claimed)) = (honest, claim(&records)) else { continue };
            let claimed = claimed.macro_percent;
            lines[0]
                .push(Point { error: honest.sd.unwrap_or(0.0), ..Point::new(delta, honest.mean) });
            lines[1].push(Point::new(delta, claimed));
            rows.push(vec![
                ratio.to_string(),
                delta.to_string(),
                spread(honest),
                format!("{claimed:.2}"),
            ]);
            kept.extend(records);
            bar.inc(1);
        }
        paper.keep("fig4", &format!("{name}.jsonl"), &kept)?;
        let [honest, claimed] = lines;
        series.push(Series {
            name: format!("imbalance ratio {ratio}"),
            marks: Marks::LineAndDots,
            colour,
            points: honest,
        });
        series.push(Series {
            name: format!("{ratio}, best on test*"),
            marks: Marks::Dashed,
            colour,
            points: claimed,
        });
    }
    bar.finish_and_clear();
    let chart = Chart {
        title: "Figure 4: accuracy over the smooth factor".to_owned(),
        x: Axis::new("smooth factor"),
        y: Axis::new("class mean (%)"),
        series,
    };
    paper.figure("fig4", "fig4", &chart.svg())?;
    let columns = ["imbalance ratio", "smooth factor", "cross-fitted", "best on test*"];
    let table = Table {
        caption: format!(
            "Figure 4: class mean in percent of LOS over the smooth factor (0 is cross-entropy), learning rate and epoch \
             chosen for each; {} seeds.",
            config.seeds
        ),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
        notes: vec![
            "Cross-fitted: chosen on one half of the test set, scored on the other, mean ± standard deviation. *: chosen on \
             the test set, best seed, as in the paper: too good by construction."
                .to_owned(),
        ],
    };
    paper.table("fig4", "fig4", &table)
}
