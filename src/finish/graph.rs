//! The filter graph: one decode, marked and split as many ways as there are files to make. Pure.
//!
//! Not here: places (`place`), the rest of the command (`plan`).

use super::clip::{Clip, seconds};
use super::place::{Canvas, SizedLogo, Spot, TextBox, place};
use super::words::escaped;
use crate::config::Corner;

/// What is drawn into the picture.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Marks<'a> {
    pub logos: Vec<SizedLogo<'a>>,
    pub text: Option<Lettering<'a>>,
}

/// A line of text with its font.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lettering<'a> {
    pub text: &'a str,
    pub corner: Corner,
    pub font: &'a str,
}

/// What the graph gives: labels `[marked]`, `[vertical]`, `[thumbnail]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GraphOutputs {
    pub marked: bool,
    pub vertical: bool,
    /// The frame on screen at this time becomes the thumbnail.
    pub thumbnail_90k: u64,
}

/// A thumbnail is at most so wide.
const THUMBNAIL_WIDTH: u32 = 1280;

/// The size of the picture that is encoded.
pub fn canvas(clip: &Clip) -> Canvas {
    let even = |size: u32| (size / 2 * 2).max(2);
    Canvas {
        width: even(clip.canvas.width),
        height: even(clip.canvas.height),
        ..clip.canvas
    }
}

/// Input 0 is the clip, 1 and up are the logos in their order.
pub fn graph(clip: &Clip, marks: &Marks<'_>, wanted: GraphOutputs) -> String {
    let whole = canvas(clip);
    let mut chains = logos(clip, whole, marks, wanted);
    // The thumbnail shows what people will see: the mark too, where there is one.
    let from_clip = [
        wanted.marked.then_some("wide"),
        wanted.vertical.then_some("tall"),
        (!wanted.marked).then_some("still"),
    ];
    let from_clip: Vec<&str> = from_clip.into_iter().flatten().collect();
    chains.push(format!(
        "[0:v:0]{},{}",
        prepared(clip, whole),
        split(&from_clip)
    ));
    if wanted.marked {
        let drawn = drawn(whole, marks, "w");
        chains.push(format!("[wide]{drawn}{}", split(&["marked", "still"])));
    }
    if wanted.vertical {
        let cut = whole.vertical();
        let Spot {
            x,
            y,
            width,
            height,
        } = cut;
        let drawn = drawn(inside(whole, cut), marks, "t");
        chains.push(format!(
            "[tall]crop={width}:{height}:{x}:{y},{drawn}null[vertical]"
        ));
    }
    chains.push(format!(
        "[still]{}[thumbnail]",
        still(whole, wanted.thumbnail_90k)
    ));
    chains.join(";")
}

/// One frame of a clip, unmarked, for a graph of its own.
pub fn still_alone(clip: &Clip, at_90k: u64) -> String {
    let whole = canvas(clip);
    format!("{},{}", prepared(clip, whole), still(whole, at_90k))
}

fn inside(whole: Canvas, cut: Spot) -> Canvas {
    Canvas {
        width: cut.width,
        height: cut.height,
        ..whole
    }
}

fn split(labels: &[&str]) -> String {
    let names: String = labels.iter().map(|label| format!("[{label}]")).collect();
    match labels.len() {
        1 => format!("null{names}"),
        n => format!("split={n}{names}"),
    }
}

/// To the pixels that the encoder takes. Costs nothing where they are that already.
fn prepared(clip: &Clip, whole: Canvas) -> String {
    let Canvas { width, height, .. } = whole;
    let times = match clip.paced_90k {
        Some(apart_90k) => format!("settb=1/90000,setpts=N*{apart_90k},"),
        None => String::new(),
    };
    if clip.several_sizes || clip.full_range {
        // The graph is not built anew when the picture changes: this scales whatever comes.
        return format!("{times}scale={width}:{height}:out_range=tv,format=yuv420p");
    }
    match (clip.canvas.width, clip.canvas.height) == (width, height) {
        true => format!("{times}format=yuv420p"),
        false => format!("{times}crop={width}:{height}:0:0,format=yuv420p"),
    }
}

/// Each logo at its opacity, once for every picture that it goes into, in that picture's colours.
fn logos(clip: &Clip, whole: Canvas, marks: &Marks<'_>, wanted: GraphOutputs) -> Vec<String> {
    let mut pictures = Vec::new();
    if wanted.marked {
        pictures.push(("w", whole));
    }
    if wanted.vertical {
        pictures.push(("t", inside(whole, whole.vertical())));
    }
    let placed = |canvas| place(canvas, &marks.logos, text_of(marks)).0;
    let pictures: Vec<_> = pictures
        .into_iter()
        .map(|(name, canvas)| (name, placed(canvas)))
        .collect();
    let mut chains = Vec::new();
    for (n, sized) in marks.logos.iter().enumerate() {
        let opacity = sized.logo.opacity;
        let names: Vec<String> = pictures.iter().map(|(p, _)| format!("raw{p}{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        chains.push(format!(
            "[{}:v:0]format=rgba,colorchannelmixer=aa={opacity:.3},{}",
            n + 1,
            split(&names)
        ));
        for (picture, spots) in &pictures {
            let Spot { width, height, .. } = spots[n];
            chains.push(format!(
                "[raw{picture}{n}]scale={width}:{height}:flags=bicubic:out_color_matrix={}:out_range=tv,format=yuva420p[logo{picture}{n}]",
                clip.matrix.name()
            ));
        }
    }
    chains
}

fn text_of(marks: &Marks<'_>) -> Option<(Corner, usize)> {
    let text = marks.text?;
    Some((text.corner, text.text.chars().count()))
}

/// The marks drawn one after the other. Begins and ends within a chain: a filter, then a comma.
fn drawn(canvas: Canvas, marks: &Marks<'_>, picture: &str) -> String {
    let (spots, line) = place(canvas, &marks.logos, text_of(marks));
    let mut out = String::from("null");
    for (n, Spot { x, y, .. }) in spots.iter().enumerate() {
        let before = format!("[b{picture}{n}]");
        out.push_str(&format!(
            "{before};{before}[logo{picture}{n}]overlay={x}:{y}:format=yuv420:eof_action=repeat"
        ));
    }
    if let (Some(text), Some(line)) = (marks.text, line) {
        out.push(',');
        out.push_str(&lettering(text, line));
    }
    out.push(',');
    out
}

fn lettering(text: Lettering<'_>, line: TextBox) -> String {
    let TextBox {
        margin, y, font_px, ..
    } = line;
    let x = match line.corner {
        Corner::TopLeft | Corner::BottomLeft => format!("{margin}"),
        Corner::TopRight | Corner::BottomRight => format!("w-tw-{margin}"),
        Corner::Center => "(w-tw)/2".to_owned(),
    };
    let border = (font_px / 12).max(1);
    format!(
        "drawtext=fontfile={}:text={}:expansion=none:fontsize={font_px}:fontcolor=white@0.9:borderw={border}:bordercolor=black@0.6:x={x}:y={y}",
        escaped(text.font),
        escaped(text.text)
    )
}

/// The first frame from this time on, small enough for a page, in a JPEG's colours and square pixels.
fn still(whole: Canvas, at_90k: u64) -> String {
    // Half a tick early: times come as decimals.
    let from = (seconds(at_90k) - 0.5 / 90_000.0).max(0.0);
    let shown = f64::from(whole.width) * whole.pixel_aspect;
    let width = super::place::even(shown.min(f64::from(THUMBNAIL_WIDTH)));
    let height = super::place::even(f64::from(width) * f64::from(whole.height) / shown);
    format!(
        "select=gte(t\\,{from:.6})*isnan(prev_selected_t),scale={width}:{height}:out_range=pc,setsar=1,format=yuvj420p"
    )
}
