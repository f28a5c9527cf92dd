//! Certified against true gap over passes.

use std::fmt::Write as _;

use anyhow::Result;

use super::FOLDER;
use super::ours::Ours;
use super::solver::{DECAYS, GAPS, SHAPES, solve};
use crate::docs;

/// Gap at which the minimum is taken to be reached.
const MINIMUM: f64 = 1e-6;

/// A curve: passes, certified gap and true gap for each gap asked for.
struct Curve {
    title: String,
    points: Vec<(usize, f64, f64)>,
}

/// The table and the figure, from the data that the comparison has made.
pub(super) fn run() -> Result<()> {
    let mut curves = vec![];
    for (name, dim) in SHAPES {
        let data = Ours::load(&format!("{FOLDER}/data"), name, dim)?.data;
        for decay in DECAYS {
            let minimum = solve(&data, decay, MINIMUM)?.objective;
            let mut points = vec![];
            for gap in GAPS {
                let fit = solve(&data, decay, gap)?;
                points.push((fit.passes, fit.gap, (fit.objective - minimum) / minimum));
            }
            curves.push(Curve { title: format!("{name}, weight decay {decay}"), points });
        }
    }
    let mut text = "\n| features | weight decay |".to_owned();
    for gap in GAPS {
        write!(text, " {gap} |")?;
    }
    text += "\n|:--|--:|";
    text += &"--:|".repeat(GAPS.len());
    text += "\n";
    for curve in &curves {
        write!(text, "| {} |", curve.title.replace(", weight decay ", " | "))?;
        for (passes, _, truth) in &curve.points {
            write!(text, " {passes} passes, {truth:.0e} |")?;
        }
        text += "\n";
    }
    docs::put("docs/performance.md", "gaps", &text)?;
    fs_err::create_dir_all("docs/figures")?;
    Ok(fs_err::write("docs/figures/gaps.svg", figure(&curves)?)?)
}

/// One panel per curve: the certified gap solid, the true gap dashed, both on a log scale.
fn figure(curves: &[Curve]) -> Result<String> {
    let (width, height, margin) = (240.0, 170.0, 40.0);
    let columns = DECAYS.len();
    let all = (width * columns as f64, height * curves.len().div_ceil(columns) as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" font-family=\"sans-serif\" font-size=\"9\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n",
        all.0, all.1
    );
    for (number, curve) in curves.iter().enumerate() {
        let (left, top) =
            (width * (number % columns) as f64 + margin, height * (number / columns) as f64 + 20.0);
        let (w, h) = (width - margin - 15.0, height - 50.0);
        let most = curve.points.iter().map(|point| point.0).max().unwrap_or(1) as f64;
        // From 1 at the top to 1e-6 at the bottom.
        let y = |gap: f64| top + h * (-gap.max(1e-6).log10() / 6.0).clamp(0.0, 1.0);
        let x = |passes: usize| left + w * passes as f64 / most;
        for (decade, label) in [(0, "1"), (2, "1e-2"), (4, "1e-4"), (6, "1e-6")] {
            let at = y(10_f64.powi(-decade));
            writeln!(
                svg,
                "<path d=\"M{left} {at:.1}h{w}\" stroke=\"#ddd\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
                left - 4.0,
                at + 3.0
            )?;
        }
        let bottom = top + h + 12.0;
        writeln!(
            svg,
            "<text x=\"{left}\" y=\"{bottom:.1}\">0</text><text x=\"{:.1}\" y=\"{bottom:.1}\" text-anchor=\"end\">{most} passes</text>",
            left + w
        )?;
        writeln!(
            svg,
            "<text x=\"{left}\" y=\"{:.1}\" font-weight=\"bold\">{}</text>",
            top - 6.0,
            curve.title
        )?;
        for (style, of) in [("", 1), (" stroke-dasharray=\"3 2\"", 2)] {
            let value = |point: &(usize, f64, f64)| if of == 1 { point.1 } else { point.2 };
            let points: Vec<String> =
                curve.points.iter().map(|p| format!("{:.1},{:.1}", x(p.0), y(value(p)))).collect();
            writeln!(
                svg,
                "<polyline points=\"{}\" fill=\"none\" stroke=\"#06c\"{style}/>",
                points.join(" ")
            )?;
        }
    }
    svg += "</svg>\n";
    Ok(svg)
}
