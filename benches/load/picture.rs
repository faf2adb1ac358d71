//! The ratios as a picture (SVG): for each scene, a bar for each proxy, with a line from the least to the most.

use std::fmt::Write;

use crate::figures::Range;

/// Scenes with their titles, and each proxy's cost there ÷ that of the base.
pub fn of(base: &str, scenes: &[(&str, Vec<(&str, Range)>)]) -> String {
    let caption = format!("CPU time per request, as multiples of “{}”: median and range", escaped(base));
    let highest = scenes.iter().flat_map(|(_, bars)| bars).map(|(_, range)| range.most).fold(1.0, f64::max);
    let scale = (WIDTH - LEFT - RIGHT) / highest;
    let x = |ratio: f64| LEFT + ratio * scale;
    let mut y = TOP;
    let mut shapes = String::new();
    for (title, bars) in scenes {
        let title = escaped(title);
        y += TITLE_HEIGHT;
        let _ = writeln!(shapes, r#"<text class="title" x="{MARGIN}" y="{:.1}">{title}</text>"#, y - 8.0);
        let one = x(1.0);
        let bottom = y + BAR_HEIGHT * bars.len() as f64;
        let _ = writeln!(shapes, r#"<line class="one" x1="{one:.1}" y1="{y:.1}" x2="{one:.1}" y2="{bottom:.1}"/>"#);
        for (name, range) in bars {
            let Range { median, least, most } = *range;
            let class = if name.contains("bcproxy") { "own" } else { "peer" };
            let (name, middle, width) = (escaped(name), y + BAR_HEIGHT / 2.0, median * scale);
            let (top, thickness, base) = (y + 3.0, BAR_HEIGHT - 6.0, middle + 4.0);
            let (from, to) = (x(least), x(most));
            let _ = write!(
                shapes,
                r#"<text x="{:.1}" y="{base:.1}" text-anchor="end">{name}</text>
<rect class="{class}" x="{LEFT}" y="{top:.1}" width="{width:.1}" height="{thickness:.1}"/>
<line class="range" x1="{from:.1}" y1="{middle:.1}" x2="{to:.1}" y2="{middle:.1}"/>
<text x="{:.1}" y="{base:.1}">{median:.2}</text>
"#,
                LEFT - 6.0,
                to + 6.0,
            );
            y += BAR_HEIGHT;
        }
    }
    let height = y + MARGIN;
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0}" width="{WIDTH}" height="{height:.0}" role="img">
<title>{caption}</title>
<style>{STYLE}</style>
<text x="{MARGIN}" y="{CAPTION}">{caption}</text>
{shapes}</svg>
"#
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Colors that are readable on white and on black; text follows the reader's scheme.
const STYLE: &str = "
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: bold }
.own { fill: #0969da }
.peer { fill: #8c959f }
.range { stroke: #1f2328; stroke-width: 1.5 }
.one { stroke: #8c959f; stroke-dasharray: 2 3 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3 }
  .own { fill: #4493f8 }
  .range { stroke: #e6edf3 }
}
";

/// Everything in pixels.
const WIDTH: f64 = 860.0;
const MARGIN: f64 = 12.0;
const CAPTION: f64 = 20.0;
const TOP: f64 = 28.0;
/// What names of proxies need.
const LEFT: f64 = 240.0;
/// What the number at the end of the longest bar needs.
const RIGHT: f64 = 60.0;
const TITLE_HEIGHT: f64 = 34.0;
const BAR_HEIGHT: f64 = 20.0;
