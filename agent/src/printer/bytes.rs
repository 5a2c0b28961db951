//! Lines to ESC/POS bytes, built by the `escpos` crate and only recorded: sending is ours.

use super::charset::encode;
use super::layout::{Emphasis, PrintLine};
use super::{CodePage, PrinterFault};
use escpos::driver::Driver;
use escpos::errors::Result as BuildResult;
use escpos::printer::Printer;
use escpos::utils::Protocol;
use std::cell::RefCell;
use std::rc::Rc;

/// A job at the most: some 1,300 lines.
pub(super) const JOB_BYTES_MAX: usize = 64 * 1024;
/// ESC t n chooses the table of characters. The crate's own tables are not used: ours also replace and clean.
const ESC_T: [u8; 2] = [0x1b, b't'];

/// Takes what the crate would send.
#[derive(Clone, Default)]
struct Recorder(Rc<RefCell<Vec<u8>>>);

impl Driver for Recorder {
    fn name(&self) -> String {
        "recorder".to_owned()
    }

    fn write(&self, data: &[u8]) -> BuildResult<()> {
        self.0.borrow_mut().extend_from_slice(data);
        Ok(())
    }

    fn read(&self, _: &mut [u8]) -> BuildResult<usize> {
        Ok(0)
    }

    fn flush(&self) -> BuildResult<()> {
        Ok(())
    }
}

/// The bytes of a whole job: it begins with a reset of the printer and ends with a cut.
pub(super) fn job(lines: &[PrintLine], page: CodePage) -> Result<Vec<u8>, PrinterFault> {
    let recorder = Recorder::default();
    build(&recorder, lines, page).map_err(|_| PrinterFault::NotPrintable)?;
    let bytes = recorder.0.take();
    if bytes.len() > JOB_BYTES_MAX { Err(PrinterFault::NotPrintable) } else { Ok(bytes) }
}

fn build(recorder: &Recorder, lines: &[PrintLine], page: CodePage) -> BuildResult<()> {
    let mut printer = Printer::new(recorder.clone(), Protocol::default(), None);
    let [esc, t] = ESC_T;
    printer.init()?.custom(&[esc, t, page.number()])?;
    let mut emphasis = Emphasis::Plain;
    for line in lines {
        if line.emphasis != emphasis {
            emphasis = line.emphasis;
            printer.bold(emphasis != Emphasis::Plain)?.size(1, if emphasis == Emphasis::Tall { 2 } else { 1 })?;
        }
        let mut text = encode(&line.text, page);
        // LF and not the crate's ESC d, which simple printers do not take for the end of a line.
        text.push(b'\n');
        printer.custom(&text)?;
    }
    printer.bold(false)?.size(1, 1)?.custom(b"\n")?.cut()?.print()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::*;

    #[test]
    fn a_job_is_reset_page_text_and_cut() {
        let line = |text: &str, emphasis| PrintLine { text: text.to_owned(), emphasis };
        let lines = [line("é €", Emphasis::Plain), line("Total", Emphasis::Tall), line("x", Emphasis::Plain)];
        let bytes = job(&lines, CodePage::Wpc1252).unwrap();
        let expected: &[&[u8]] = &[
            b"\x1b@\x1bt\x10",
            b"\xe9 \x80\n",
            b"\x1bE\x01\x1d!\x01Total\n",
            b"\x1bE\x00\x1d!\x00x\n",
            b"\x1bE\x00\x1d!\x00\n",
            b"\x1dVA\x00",
        ];
        assert_eq!(bytes, expected.concat());
        assert!(job(&lines, CodePage::Pc858).unwrap().starts_with(b"\x1b@\x1bt\x13\x82 \xd5\n"));
    }

    #[test]
    fn a_job_has_a_largest_size() {
        let line = PrintLine { text: "x".repeat(48), emphasis: Emphasis::Plain };
        assert!(job(&vec![line.clone(); 1000], CodePage::Wpc1252).is_ok());
        assert_eq!(job(&vec![line; 2000], CodePage::Wpc1252), Err(PrinterFault::NotPrintable));
    }
}
