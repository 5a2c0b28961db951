//! ESC/POS bytes back to the text that a person would read on paper. Shares nothing with the program that made them.

/// One printed line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DecodedLine {
    /// What is on it, without the spaces at its end.
    pub text: String,
    /// True where some of it is bold.
    pub bold: bool,
    /// True where some of it has double height.
    pub tall: bool,
    /// True where some of it has double width.
    pub wide: bool,
}

/// A printed job.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct DecodedReceipt {
    /// Its lines.
    pub lines: Vec<DecodedLine>,
    /// How often the paper was cut.
    pub cuts: usize,
    /// What this decoder does not know, in words. Empty for all that we print.
    pub unknown: Vec<String>,
}

impl DecodedReceipt {
    /// The lines as text.
    #[must_use]
    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{}\n", line.text)).collect()
    }
}

/// The upper half of a table of characters; `\u{fffd}` for a hole.
#[derive(Clone, Copy)]
enum Page {
    Pc437,
    Wpc1252,
    Pc858,
}

impl Page {
    fn char(self, byte: u8) -> char {
        let index = usize::from(byte & 0x7f);
        match self {
            // What a printer starts with. Our jobs choose a page before they print such a byte.
            Self::Pc437 => '\u{fffd}',
            Self::Wpc1252 if byte >= 0xa0 => char::from(byte),
            Self::Wpc1252 => WPC1252_80_TO_9F.get(index).copied().unwrap_or('\u{fffd}'),
            Self::Pc858 => PC858_80_TO_FF.chars().nth(index).unwrap_or('\u{fffd}'),
        }
    }
}

/// As in the WHATWG index for windows-1252, holes marked.
const WPC1252_80_TO_9F: [char; 32] = [
    '\u{20ac}', '\u{fffd}', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}', '\u{2c6}',
    '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\u{fffd}', '\u{17d}', '\u{fffd}', '\u{fffd}', '\u{2018}',
    '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}', '\u{2122}', '\u{161}',
    '\u{203a}', '\u{153}', '\u{fffd}', '\u{17e}', '\u{178}',
];

/// As Python's codec cp858 decodes the bytes 0x80 to 0xFF.
const PC858_80_TO_FF: &str = "\
    ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒáíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐\
    └┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈ€ÍÎÏ┘┌█▄¦Ì▀ÓßÔÒõÕµþÞÚÛÙýÝ¯´\u{ad}±‗¾¶§÷¸°¨·¹³²■\u{a0}";

/// What the printer remembers between bytes.
struct Printer {
    page: Page,
    bold: bool,
    /// The parameter of `GS !`: width in the upper, height in the lower half.
    size: u8,
    line: DecodedLine,
    receipt: DecodedReceipt,
}

/// Decodes a job.
#[must_use]
pub fn decode(bytes: &[u8]) -> DecodedReceipt {
    let line = DecodedLine::default();
    let mut printer = Printer { page: Page::Pc437, bold: false, size: 0, line, receipt: DecodedReceipt::default() };
    let mut rest = bytes;
    while let Some(taken) = printer.step(rest) {
        rest = rest.get(taken..).unwrap_or_default();
    }
    if printer.line != DecodedLine::default() {
        printer.receipt.unknown.push("text without an end of line".to_owned());
        printer.feed();
    }
    printer.receipt
}

impl Printer {
    /// Takes the next command or character; gives the bytes that it has, nothing at the end.
    fn step(&mut self, bytes: &[u8]) -> Option<usize> {
        Some(match bytes {
            [] => return None,
            [0x1b, b'@', ..] => {
                (self.page, self.bold, self.size) = (Page::Pc437, false, 0);
                2
            }
            [0x1b, b't', 16, ..] => self.turn_to(Page::Wpc1252),
            [0x1b, b't', 19, ..] => self.turn_to(Page::Pc858),
            [0x1b, b'E', on @ (0 | 1), ..] => {
                self.bold = *on == 1;
                3
            }
            [0x1d, b'!', size @ (0x00 | 0x01 | 0x10 | 0x11), ..] => {
                self.size = *size;
                3
            }
            [0x1d, b'V', b'A', _, ..] => {
                self.receipt.cuts = self.receipt.cuts.saturating_add(1);
                4
            }
            [b'\n', ..] => {
                self.feed();
                1
            }
            [byte @ (b' '..=b'~' | 0x80..=0xff), ..] => {
                self.print(*byte);
                1
            }
            [byte, ..] => {
                let following: Vec<String> = bytes.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
                self.receipt.unknown.push(following.join(" "));
                if matches!(byte, 0x1b | 0x1d) { 2 } else { 1 }
            }
        })
    }

    fn turn_to(&mut self, page: Page) -> usize {
        self.page = page;
        3
    }

    fn print(&mut self, byte: u8) {
        let c = if byte < 0x80 { char::from(byte) } else { self.page.char(byte) };
        if c == '\u{fffd}' {
            self.receipt.unknown.push(format!("character {byte:02x}"));
        }
        self.line.text.push(c);
        self.line.bold |= self.bold;
        self.line.tall |= self.size & 0x0f != 0;
        self.line.wide |= self.size & 0xf0 != 0;
    }

    fn feed(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        line.text.truncate(line.text.trim_end_matches(' ').len());
        self.receipt.lines.push(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_can_be_read_again() {
        let receipt =
            decode(b"\x1b@\x1bt\x10\xe9\xe8 \x80 \x9c  \n\x1bE\x01\x1d!\x01Total\n\x1bE\x00\x1d!\x00\n\x1dVA\x00");
        let line = |text: &str, strong| DecodedLine { text: text.to_owned(), bold: strong, tall: strong, wide: false };
        let lines = vec![line("éè € œ", false), line("Total", true), line("", false)];
        assert_eq!(receipt, DecodedReceipt { lines, cuts: 1, unknown: vec![] });
        assert_eq!(decode(b"\x1b@\x1bt\x13\x82\x8a \xd5\n").text(), "éè €\n");
    }

    #[test]
    fn what_is_not_known_is_told() {
        for bytes in
            [&b"\x1bp\x00\x19\xfa"[..], b"\x07", b"\xe9\n", b"\x1bt\x02", b"abc", b"\x1d(k", b"\x1b", b"\x10\x04\x01"]
        {
            assert_ne!(decode(bytes).unknown, Vec::<String>::new(), "{bytes:02x?}");
        }
    }
}
