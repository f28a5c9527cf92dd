//! Charts as SVG: what a report and the paper's figures are drawn with.
//!
//! Colours are CSS variables, so that one drawing suits light and dark pages and print; a mark's text
//! shows where the pointer rests. No scripts, no fonts of its own.

mod chart;
mod heat_map;
mod scale;

pub use self::heat_map::HeatMap;
use self::scale::Scale;

/// The style of all figures; [`Chart::svg`] and [`HeatMap::svg`] carry it along.
pub const STYLE: &str = include_str!("style.css");

/// Colours there are.
pub const COLOURS: usize = 8;

/// The colour of what others are measured against.
pub const NEUTRAL: usize = COLOURS;

/// Series over two axes.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// What it shows, for those who cannot see it, and above it where it stands alone.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// What is drawn, from the back to the front.
    pub series: Vec<Series>,
}

/// An axis.
#[derive(Clone, Debug, Default)]
pub struct Axis {
    /// What it measures, with its unit.
    pub label: String,
    /// Whether it is logarithmic; then values must be above 0, and others are left out.
    pub log: bool,
    /// The values at its ends; those of the series if not given.
    pub range: Option<(f64, f64)>,
    /// Names of the values 0, 1, 2, …; they replace the numbers.
    pub names: Vec<String>,
}

/// Points drawn in one way.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Its name in the legend; none if empty.
    pub name: String,
    /// How it is drawn.
    pub marks: Marks,
    /// Its colour, below [`COLOURS`], or [`NEUTRAL`].
    pub colour: usize,
    /// The points; where `y` is no finite number, a line is interrupted.
    pub points: Vec<Point>,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Marks {
    /// A line through the points.
    #[default]
    Line,
    /// A dashed line through the points.
    Dashed,
    /// A dot for each point.
    Dots,
    /// A line with dots.
    LineAndDots,
    /// A bar from 0 for each point.
    Bars,
    /// The area between the line and 0.
    Area,
}

/// A point of a series.
#[derive(Clone, Debug, Default)]
pub struct Point {
    /// Where.
    pub x: f64,
    /// Its value.
    pub y: f64,
    /// Half the length of its error bar; 0 for none.
    pub error: f64,
    /// What shows where the pointer rests on it; nothing if empty.
    pub text: String,
}

impl Point {
    /// A point with neither error bar nor text.
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, ..Self::default() }
    }

    fn is_finite(&self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }
}

impl Axis {
    /// An axis with this label that fits its series.
    pub fn new(label: impl Into<String>) -> Self {
        Self { label: label.into(), ..Self::default() }
    }

    /// The scale onto `from` to `to` of a drawing that holds these values.
    fn scale(&self, values: impl Iterator<Item = f64>, to: (f64, f64)) -> Scale {
        let fits = |v: &f64| v.is_finite() && (!self.log || *v > 0.0);
        let ends = values.filter(fits).fold(None, |ends: Option<(f64, f64)>, v| {
            Some(ends.map_or((v, v), |(low, high)| (low.min(v), high.max(v))))
        });
        let ends = self.range.or(ends).unwrap_or((if self.log { 0.1 } else { 0.0 }, 1.0));
        Scale::new(ends, self.range.is_some(), self.log, to)
    }
}

/// Text as it stands in SVG and HTML.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The beginning of a drawing; one that stands alone brings its style.
fn open(title: &str, (width, height): (f64, f64), alone: bool) -> String {
    let style = if alone { format!("<style>{STYLE}</style>") } else { String::new() };
    let title = escape(title);
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" viewBox=\"0 0 {width} {height}\" role=\"img\" \
         aria-label=\"{title}\">{style}"
    )
}

/// A number with as many digits as it takes.
fn number(value: f64) -> String {
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart() -> Chart {
        let points = vec![
            Point { text: "a < b".to_owned(), ..Point::new(1.0, 10.0) },
            Point::new(2.0, f64::NAN),
            Point::new(3.0, 30.0),
        ];
        let series = |name: &str, marks| Series {
            name: name.to_owned(),
            marks,
            colour: 1,
            points: points.clone(),
        };
        Chart {
            title: "A & B".to_owned(),
            x: Axis::new("epoch"),
            y: Axis::new("percent"),
            series: vec![series("dots", Marks::Dots), series("line", Marks::Line)],
        }
    }

    #[test]
    fn points_stand_where_the_axes_say_and_gaps_stay_open() {
        let svg = chart().svg();
        assert_eq!(svg.matches("<circle").count(), 2, "one of three has no value");
        assert_eq!(svg.matches("<polyline").count(), 0, "no two neighbours have values");
        assert!(svg.contains("a &lt; b") && svg.contains("aria-label=\"A &amp; B\""));
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
    }

    /// Nothing to draw, one value, and values that a logarithm has none of.
    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        let mut chart = chart();
        chart.series.truncate(1);
        for points in [vec![], vec![Point::new(0.0, 0.0)], vec![Point::new(-1.0, f64::INFINITY)]] {
            for log in [false, true] {
                chart.series[0].points = points.clone();
                chart.x.log = log;
                let svg = chart.svg();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}
