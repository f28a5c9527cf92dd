//! Figure 5: accuracy over learning rate and weight decay, for LOS and for cross-entropy.

use anyhow::Result;
use serde::Deserialize;
use serde_json::json;
use tailfit::figures::HeatMap;
use tailfit::methods::Method;
use tailfit::report::Table;

use super::course::Course;
use super::figure_4::los;
use super::paper::Paper;

#[derive(Deserialize)]
struct Config {
    sensitivity: Sensitivity,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Sensitivity {
    features: String,
    deltas: Vec<f64>,
    lr: Vec<f64>,
    weight_decay: Vec<f64>,
}

pub(super) fn run(paper: &Paper<'_>) -> Result<()> {
    let text = include_str!("../../../../configs/paper/figures.toml");
    let Config { sensitivity: config } = Paper::config("figures.toml", text)?;
    let data = paper.needed(&config.features)?;
    let bar = paper.progress("fig5", config.deltas.len());
    let mut rows = Vec::new();
    for &delta in &config.deltas {
        let of = los(delta, &config.lr)?;
        let numbers = |values: &[f64]| values.iter().map(|v| json!(v)).collect();
        let axes = [
            ("lr".to_owned(), numbers(&config.lr)),
            ("weight_decay".to_owned(), numbers(&config.weight_decay)),
        ];
        let method = Method::new("los", "", of.recipe, axes);
        let name = if delta > 0.0 {
            format!("LOS, smooth factor {delta}")
        } else {
            "cross-entropy".to_owned()
        };
        let file = if delta > 0.0 { "los" } else { "cross-entropy" };
        let courses = paper.courses(("fig5", &format!("{file}.jsonl")), &data, 1, &method)?;
        bar.inc(1);
        for (what, title, which) in [
            ("best", "best epoch*", best_epoch as fn(&Course) -> f64),
            ("last", "last epoch", last_epoch as fn(&Course) -> f64),
        ] {
            let values: Vec<Vec<f64>> = config
                .weight_decay
                .iter()
                .map(|&decay| {
                    let at = |&lr: &f64| {
                        let of = |course: &&Course| {
                            course.recipe.sgd.lr == lr && course.recipe.sgd.weight_decay == decay
                        };
                        courses.iter().find(of).map_or(f64::NAN, which)
                    };
                    config.lr.iter().map(at).collect()
                })
                .collect();
            let map = HeatMap {
                title: format!("Figure 5: {name}, {title}: class mean (%)"),
                x: "learning rate".to_owned(),
                y: "weight decay".to_owned(),
                columns: config.lr.iter().map(|&v| short(v)).collect(),
                rows: config.weight_decay.iter().map(|&v| short(v)).collect(),
                values,
                digits: 1,
            };
            paper.figure("fig5", &format!("fig5-{file}-{what}"), &map.svg())?;
            rows.push(line(&name, title, &map.values));
        }
    }
    bar.finish_and_clear();
    let columns =
        ["loss", "epoch", "best", "worst", "median", "share within 0.5 points of the best (%)"];
    let table = Table {
        caption: format!(
            "Figure 5: class mean in percent over {} learning rates and {} weight decays, seed 0 ({}).",
            config.lr.len(),
            config.weight_decay.len(),
            data.name
        ),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
        notes: vec![
            "*: the best epoch of each cell on the test set; beside it the last epoch, for which nothing is chosen. The \
             paper does not say which epoch its cells show, nor the values of its axes, on which the share depends."
                .to_owned(),
        ],
    };
    paper.table("fig5", "fig5", &table)
}

/// A number without a row of zeros.
fn short(value: f64) -> String {
    if value != 0.0 && value < 1e-3 { format!("{value:e}") } else { value.to_string() }
}

fn best_epoch(course: &Course) -> f64 {
    // Epoch 0 is the head as given.
    course.macro_percent.iter().skip(1).copied().fold(f64::MIN, f64::max)
}

fn last_epoch(course: &Course) -> f64 {
    course.macro_percent.last().copied().unwrap_or(f64::NAN)
}

fn line(name: &str, epoch: &str, values: &[Vec<f64>]) -> Vec<String> {
    let mut all: Vec<f64> = values.iter().flatten().copied().filter(|v| v.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    let (Some(&worst), Some(&best)) = (all.first(), all.last()) else {
        let mut none = vec![name.to_owned(), epoch.to_owned()];
        none.resize(6, "–".to_owned());
        return none;
    };
    let median = f64::midpoint(all[(all.len() - 1) / 2], all[all.len() / 2]);
    let near = all.iter().filter(|&&v| v >= best - 0.5).count();
    let share = 100.0 * near as f64 / all.len() as f64;
    let [best, worst, median] = [best, worst, median].map(|v| format!("{v:.2}"));
    vec![name.to_owned(), epoch.to_owned(), best, worst, median, format!("{share:.0}")]
}
