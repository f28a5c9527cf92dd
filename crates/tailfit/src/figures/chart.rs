//! Draws charts.

use std::fmt::Write as _;

use super::scale::Scale;
use super::{Axis, Chart, Marks, NEUTRAL, Point, Series, escape, number, open};

const WIDTH: f64 = 560.0;
const PLOT_HEIGHT: f64 = 270.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 548.0;
/// Mean width of a character, for room in the legend.
const CHARACTER: f64 = 7.2;

impl Chart {
    /// Whether no series with a name has a point to draw.
    pub fn is_empty(&self) -> bool {
        let named = self.series.iter().filter(|series| !series.name.is_empty());
        !named.flat_map(|series| &series.points).any(Point::is_finite)
    }

    /// The chart with title, legend and style, to stand alone.
    pub fn svg(&self) -> String {
        self.draw(true)
    }

    /// The chart without title, legend and style, for a page that has them.
    pub fn inline(&self) -> String {
        self.draw(false)
    }

    fn draw(&self, alone: bool) -> String {
        let (legend, legend_height) = if alone { self.legend() } else { (String::new(), 0.0) };
        let top = if alone { 32.0 + legend_height } else { 10.0 };
        let bottom = top + PLOT_HEIGHT;
        let points = || self.series.iter().flat_map(|series| &series.points);
        // Bars and areas begin at 0.
        let grounded = |s: &&Series| matches!(s.marks, Marks::Bars | Marks::Area);
        let ground = self.series.iter().find(grounded).map(|_| 0.0);
        let around = |p: &Point| [p.y - p.error, p.y + p.error];
        let x = self.x.scale(points().map(|p| p.x), (LEFT, RIGHT));
        let y = self.y.scale(points().flat_map(around).chain(ground), (bottom, top));
        let mut out = open(&self.title, (WIDTH, bottom + 48.0), alone);
        if alone {
            let _ = write!(
                out,
                "<text class=\"title\" x=\"{LEFT}\" y=\"20\">{}</text>",
                escape(&self.title)
            );
        }
        out += &legend;
        axes(&mut out, (&self.x, &x), (&self.y, &y), (top, bottom));
        for (index, series) in self.series.iter().enumerate() {
            let colour = series.colour.min(NEUTRAL);
            let _ = write!(out, "<g class=\"series c{colour}\" data-series=\"{index}\">");
            draw(&mut out, series, &x, &y);
            out += "</g>";
        }
        out + "</svg>\n"
    }

    /// Swatches and names in as many lines as they take, and their height.
    fn legend(&self) -> (String, f64) {
        let (mut out, mut left, mut line) = (String::new(), LEFT, 0.0);
        let named: Vec<&Series> = self.series.iter().filter(|s| !s.name.is_empty()).collect();
        for series in &named {
            let width = 26.0 + CHARACTER * series.name.chars().count() as f64;
            if left + width > WIDTH && left > LEFT {
                (left, line) = (LEFT, line + 18.0);
            }
            let (at, colour) = (38.0 + line, series.colour.min(NEUTRAL));
            let (end, middle) = (left + 13.0, at - 4.0);
            let class = if series.marks == Marks::Dashed { "line dashed" } else { "swatch" };
            let (text, name) = (left + 17.0, escape(&series.name));
            let _ = write!(
                out,
                "<g class=\"c{colour}\"><path class=\"{class}\" d=\"M{left:.1} {middle:.1}H{end:.1}\"/></g>\
                 <text x=\"{text:.1}\" y=\"{at:.1}\">{name}</text>"
            );
            left += width;
        }
        (out, if named.is_empty() { 0.0 } else { line + 18.0 })
    }
}

/// Grid, ticks and labels.
fn axes(out: &mut String, x: (&Axis, &Scale), y: (&Axis, &Scale), (top, bottom): (f64, f64)) {
    for (value, text) in ticks(x.0, x.1, 8) {
        let Some(at) = x.1.at(value) else { continue };
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{at:.1}\" y1=\"{top}\" x2=\"{at:.1}\" y2=\"{bottom}\"/>\
             <text class=\"middle\" x=\"{at:.1}\" y=\"{:.1}\">{text}</text>",
            bottom + 17.0
        );
    }
    for (value, text) in ticks(y.0, y.1, 6) {
        let Some(at) = y.1.at(value) else { continue };
        let _ = write!(
            out,
            "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{at:.1}\" x2=\"{RIGHT}\" y2=\"{at:.1}\"/>\
             <text class=\"end\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
            LEFT - 6.0,
            at + 4.0
        );
    }
    let middle = f64::midpoint(top, bottom);
    let _ = write!(
        out,
        "<line class=\"axis\" x1=\"{LEFT}\" y1=\"{bottom}\" x2=\"{RIGHT}\" y2=\"{bottom}\"/>\
         <text class=\"middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
         <text class=\"middle\" transform=\"translate(14 {middle:.1}) rotate(-90)\">{}</text>",
        f64::midpoint(LEFT, RIGHT),
        bottom + 38.0,
        escape(&x.0.label),
        escape(&y.0.label),
    );
}

fn ticks(axis: &Axis, scale: &Scale, wanted: usize) -> Vec<(f64, String)> {
    if axis.names.is_empty() {
        return scale.ticks(wanted).into_iter().map(|v| (v, number(v))).collect();
    }
    let every = axis.names.len().div_ceil(12);
    let named = axis.names.iter().enumerate().step_by(every);
    named.map(|(at, name)| (at as f64, escape(name))).collect()
}

fn draw(out: &mut String, series: &Series, x: &Scale, y: &Scale) {
    match series.marks {
        Marks::Line | Marks::Dashed => line(out, series, x, y),
        Marks::Dots => dots(out, series, x, y),
        Marks::LineAndDots => {
            line(out, series, x, y);
            dots(out, series, x, y);
        }
        Marks::Bars => bars(out, series, x, y),
        Marks::Area => area(out, series, x, y),
    }
}

fn place(point: &Point, x: &Scale, y: &Scale) -> Option<(f64, f64)> {
    if point.is_finite() { x.at(point.x).zip(y.at(point.y)) } else { None }
}

fn line(out: &mut String, series: &Series, x: &Scale, y: &Scale) {
    let places: Vec<_> = series.points.iter().map(|point| place(point, x, y)).collect();
    let class = if series.marks == Marks::Dashed { "line dashed" } else { "line" };
    for run in places.split(Option::is_none).filter(|run| run.len() > 1) {
        let points = run.iter().flatten().map(|(x, y)| format!("{x:.1},{y:.1}"));
        let points: Vec<String> = points.collect();
        let _ = write!(out, "<polyline class=\"{class}\" points=\"{}\"/>", points.join(" "));
    }
}

fn dots(out: &mut String, series: &Series, x: &Scale, y: &Scale) {
    for point in &series.points {
        let Some((at, height)) = place(point, x, y) else { continue };
        let ends = (y.at(point.y - point.error), y.at(point.y + point.error));
        if let (true, (Some(low), Some(high))) = (point.error > 0.0, ends) {
            let _ = write!(
                out,
                "<line class=\"line\" x1=\"{at:.1}\" y1=\"{low:.1}\" x2=\"{at:.1}\" y2=\"{high:.1}\"/>"
            );
        }
        let _ = write!(
            out,
            "<circle class=\"fill\" cx=\"{at:.1}\" cy=\"{height:.1}\" r=\"3\">{}</circle>",
            hover(&point.text)
        );
    }
}

fn bars(out: &mut String, series: &Series, x: &Scale, y: &Scale) {
    let width = match (x.at(0.0), x.at(1.0)) {
        (Some(a), Some(b)) => (0.8 * (b - a)).abs().clamp(1.0, 40.0),
        _ => 4.0,
    };
    for point in &series.points {
        let Some((at, height)) = place(point, x, y) else { continue };
        let base = y.base();
        let _ = write!(
            out,
            "<rect class=\"faint\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\">{}</rect>",
            at - width / 2.0,
            base.min(height),
            (base - height).abs(),
            hover(&point.text)
        );
    }
}

fn area(out: &mut String, series: &Series, x: &Scale, y: &Scale) {
    let places: Vec<_> = series.points.iter().filter_map(|point| place(point, x, y)).collect();
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return };
    let along: Vec<String> = places.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
    let (base, along) = (y.base(), along.join(" "));
    let _ = write!(
        out,
        "<polygon class=\"faint\" points=\"{:.1},{base:.1} {along} {:.1},{base:.1}\"/>\
         <polyline class=\"line\" points=\"{along}\"/>",
        first.0, last.0
    );
}

fn hover(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<title>{}</title>", escape(text)) }
}
