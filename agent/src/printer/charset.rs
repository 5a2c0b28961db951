//! Text to the printer's characters, and nothing that a printer could take for a command.
//!
//! Everything that comes from outside (names, labels, a till's reference) passes [`clean`] before it is laid out.

use super::CodePage;

/// What stands in for a character that the page lacks.
const UNKNOWN: char = '?';
const NO_BREAK_SPACE: char = '\u{a0}';

/// 0x80 to 0x9F of Windows-1252; spaces are holes. From 0xA0 on it is Latin-1.
const WPC1252_FROM_80: &str = "€ ‚ƒ„…†‡ˆ‰Š‹Œ Ž  ‘’“”•–—˜™š›œ žŸ";

/// 0x80 to 0xFF of PC858, the soft hyphen at 0xF0 as a hole, the no-break space at 0xFF as such.
const PC858_FROM_80: &str = concat!(
    "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜø£Ø×ƒ",
    "áíóúñÑªº¿®¬½¼¡«»░▒▓│┤ÁÂÀ©╣║╗╝¢¥┐",
    "└┴┬├─┼ãÃ╚╔╩╦╠═╬¤ðÐÊËÈ€ÍÎÏ┘┌█▄¦Ì▀",
    "ÓßÔÒõÕµþÞÚÛÙýÝ¯´ ±‗¾¶§÷¸°¨·¹³²■\u{a0}",
);

/// Text that has only characters of the page: no control character, no line end, no mark that turns or hides text.
pub(super) fn clean(text: &str, page: CodePage) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for given in text.chars() {
        let c = match given {
            '\t' | '\n' | '\u{b}' | '\u{c}' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}' => ' ',
            '\u{2000}'..='\u{200a}' | '\u{205f}' | '\u{3000}' => ' ',
            '\u{202f}' => NO_BREAK_SPACE,
            c if c.is_control() || is_invisible(c) => continue,
            c => c,
        };
        if byte(c, page).is_some() {
            cleaned.push(c);
        } else {
            match substitute(c) {
                Some(text) => cleaned.push_str(text),
                None => cleaned.push(UNKNOWN),
            }
        }
    }
    cleaned
}

/// The bytes of a text: one per character, `?` for those that the page lacks.
pub(super) fn encode(text: &str, page: CodePage) -> Vec<u8> {
    text.chars().map(|c| byte(c, page).unwrap_or(b'?')).collect()
}

fn byte(c: char, page: CodePage) -> Option<u8> {
    match (c, page) {
        (' '..='~', _) => u8::try_from(c).ok(),
        ('\u{a0}'..='\u{ac}' | '\u{ae}'..='\u{ff}', CodePage::Wpc1252) => u8::try_from(c).ok(),
        (_, CodePage::Wpc1252) => upper_half(c, WPC1252_FROM_80),
        (_, CodePage::Pc858) => upper_half(c, PC858_FROM_80),
    }
}

fn upper_half(c: char, table: &str) -> Option<u8> {
    let index = table.chars().position(|in_table| in_table == c && c > '~')?;
    u8::try_from(index).ok()?.checked_add(0x80)
}

/// Marks that print nothing by themselves: combining accents, soft hyphen, direction and width marks.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{300}'..='\u{36f}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// Plainer signs for what a page lacks.
fn substitute(c: char) -> Option<&'static str> {
    Some(match c {
        'œ' => "oe",
        'Œ' => "OE",
        '‘' | '’' | 'ʼ' | '′' => "'",
        '“' | '”' | '„' | '″' => "\"",
        '…' => "...",
        '‐' | '‑' | '‒' | '–' | '—' | '―' | '−' => "-",
        '•' | '✓' | '✔' => "*",
        'ᵉ' => "e",
        'ʳ' => "r",
        'Ÿ' => "Y",
        '™' => "TM",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_french_needs_is_on_both_pages() {
        for (text, wpc1252, pc858) in [
            ("é", &[0xe9][..], &[0x82][..]),
            ("è", &[0xe8], &[0x8a]),
            ("à", &[0xe0], &[0x85]),
            ("ç", &[0xe7], &[0x87]),
            ("É", &[0xc9], &[0x90]),
            ("œ", &[0x9c], b"oe"),
            ("Œ", &[0x8c], b"OE"),
            ("€", &[0x80], &[0xd5]),
            ("’", &[0x92], b"'"),
            ("…", &[0x85], b"..."),
            ("–", &[0x96], b"-"),
            ("−", b"-", b"-"),
            ("‑", b"-", b"-"),
            ("-", b"-", b"-"),
            (".", b".", b"."),
            ("\u{202f}", &[0xa0], &[0xff]),
            ("\u{a0}", &[0xa0], &[0xff]),
            ("\u{2009}", b" ", b" "),
            ("Ÿ", &[0x9f], b"Y"),
            ("8ᵉ", b"8e", b"8e"),
            ("« x »", b"\xab x \xbb", b"\xae x \xaf"),
            ("漢", b"?", b"?"),
            ("🍎", b"?", b"?"),
            ("e\u{301}", b"e", b"e"),
            ("x\u{ad}y", b"xy", b"xy"),
            ("\u{202e}abc\u{202c}", b"abc", b"abc"),
        ] {
            assert_eq!(encode(&clean(text, CodePage::Wpc1252), CodePage::Wpc1252), wpc1252, "{text} on 16");
            assert_eq!(encode(&clean(text, CodePage::Pc858), CodePage::Pc858), pc858, "{text} on 19");
        }
    }

    #[test]
    fn text_from_outside_becomes_no_command() {
        for (text, cleaned) in [
            ("\u{1b}@", "@"),
            ("\u{1d}V\u{0}", "V"),
            ("\u{10}\u{4}\u{1}", ""),
            ("\u{1b}[31mrouge\u{1b}[0m", "[31mrouge[0m"),
            ("\u{9b}31m", "31m"),
            ("a\nb\r\nc\td", "a b  c d"),
            ("\u{7f}\u{8}", ""),
            ("a\u{85}b\u{2028}c", "a b c"),
        ] {
            for page in [CodePage::Wpc1252, CodePage::Pc858] {
                assert_eq!(clean(text, page), cleaned, "{text:?}");
            }
        }
    }

    #[test]
    fn no_character_at_all_gives_a_control_byte() {
        for c in ('\0'..='\u{ffff}').chain('\u{1f300}'..='\u{1f6ff}').chain('\u{e0000}'..='\u{e0fff}') {
            for page in [CodePage::Wpc1252, CodePage::Pc858] {
                let cleaned = clean(&c.to_string(), page);
                let bytes = encode(&cleaned, page);
                assert!(bytes.iter().all(|byte| *byte >= 0x20 && *byte != 0x7f), "{c:?}: {bytes:02x?}");
                assert_eq!(bytes.len(), cleaned.chars().count(), "{c:?}");
                assert_eq!(clean(&cleaned, page), cleaned, "{c:?}: clean text stays as it is");
            }
        }
    }
}
