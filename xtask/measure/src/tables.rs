//! `cargo xtask tables`: README table and results from the records of a finished
//! `tailfit compare`.

use anyhow::{Context, Result};
use tailfit::compare::RunRecord;
use tailfit::{methods, report};

use crate::docs;

const RECORDS: &str = "tailfit-out/records";
const RESULTS: &str = "results/cifar100-lt-ir100-resnet32";

pub(crate) fn run() -> Result<()> {
    let mut records = Vec::new();
    for entry in fs_err::read_dir(RECORDS)? {
        let path = entry?.path();
        let text = fs_err::read_to_string(&path)?;
        records.push(RunRecord::from_json(&text, &path.display().to_string())?);
    }
    let order: Vec<String> = methods::all().into_iter().map(|method| method.name).collect();
    let rank = |name: &str| order.iter().position(|known| known == name);
    records.sort_by_key(|r| (rank(&r.method), r.seed));
    let data = &records.first().context("no records; run `tailfit compare` first")?.data;
    let rows = report::summarise(&records)?;
    let mut table = report::summary_table(&rows, data);
    table.notes.extend(report::edges_note(&methods::all(), &records));
    let table = table.markdown();

    docs::put("README.md", "table", &format!("\n{table}"))?;

    fs_err::create_dir_all(RESULTS)?;
    fs_err::copy("tailfit-out/report.md", format!("{RESULTS}/report.md"))?;
    fs_err::copy("tailfit-out/summary.csv", format!("{RESULTS}/summary.csv"))?;
    let lines: String = records.iter().map(RunRecord::to_short_line).collect();
    fs_err::write(format!("{RESULTS}/records.jsonl"), lines)?;
    Ok(())
}
