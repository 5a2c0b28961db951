//! A printed job as a page that a browser draws: each character in a cell of 12 by 24 dots, as printers with 203 dots an
//! inch print font A. One dot is one pixel.

use super::DecodedReceipt;
use crate::browser::Browser;
use serde_json::Value;

/// Dots of one character across.
pub const CELL_DOTS: usize = 12;

/// The paper, as the body of a page; `columns` is how many characters it is wide. Nothing is wrapped: what is too long
/// sticks out.
#[must_use]
pub fn html(receipt: &DecodedReceipt, columns: usize) -> String {
    let mut lines = String::new();
    for line in &receipt.lines {
        let text = line.text.replace('&', "&amp;").replace('<', "&lt;");
        let class = match (line.bold, line.tall) {
            (false, false) => "",
            (true, false) => "bold",
            (false, true) => "tall",
            (true, true) => "bold tall",
        };
        lines.push_str(&format!("<div class=\"line {class}\"><span>{text}</span></div>"));
    }
    let cuts = "<div class=\"cut\"></div>".repeat(receipt.cuts);
    format!("<div class=\"paper\" style=\"width: {}px\">{lines}{cuts}</div>", columns.saturating_mul(CELL_DOTS))
}

/// Shows papers in a browser; gives the lines that stick out of theirs.
///
/// # Errors
/// Where the browser does not do it.
pub async fn sticking_out(browser: &Browser, papers: &str) -> anyhow::Result<Value> {
    let page = Value::from(format!("<style>{STYLE}</style>{papers}"));
    let script = format!(
        "document.body.innerHTML = {page};
         return [...document.querySelectorAll('.line')].filter((line) =>
             line.firstChild.getBoundingClientRect().width > line.parentNode.clientWidth + 1)
             .map((line) => line.textContent);"
    );
    browser.script(&script).await
}

/// The style of the page. DejaVu Sans Mono is 0.602 times as wide as it is high: at 19.93 pixels a cell has its 12.
const STYLE: &str = "
    body { margin: 0; padding: 12px; display: flex; gap: 24px; align-items: start; background: #bbb; }
    .paper { background: #fff; padding: 12px 0; overflow: visible; color: #000; font: 19.93px/24px 'DejaVu Sans Mono'; }
    .line { height: 24px; white-space: pre; }
    .line.bold { font-weight: bold; }
    .line.tall { height: 48px; }
    .line.tall span { display: inline-block; transform: scaleY(2); transform-origin: top; }
    .cut { border-top: 3px dashed #888; margin-top: 12px; }
";
