//! The agent's printer thread against a printer that fails in every way a printer can.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed unwrap is the test's failure")]

use cabas_agent::core::receipt::{Language, Receipt, ReceiptLine, ReceiptParts, ReceiptTexts, ReceiptTime};
use cabas_agent::printer::{
    self, CodePage, JobOutcome, PaperWidth, PrinterConfig, PrinterFault, PrinterHandle, PrinterState, PrinterTarget,
    QUEUE_MAX, QueueFull, TestPageTexts,
};
use cabas_protocol::{Cents, Stan, TerminalId};
use cabas_tests::ports::free_port;
use cabas_tests::program::{WAIT, wait_for};
use cabas_tests::virtual_printer::{Mood, VirtualPrinter, decode};
use tokio::time::timeout;

#[tokio::test]
async fn a_receipt_comes_out_as_it_was_meant() {
    for (width, page, columns) in [(PaperWidth::Mm58, CodePage::Wpc1252, 32), (PaperWidth::Mm80, CodePage::Pc858, 48)] {
        let paper = VirtualPrinter::start().unwrap();
        let printer = start(&paper, width, page);
        assert_eq!(print(&printer).await, JobOutcome::Printed);
        let receipts = paper.wait_for_receipts(1).unwrap();
        let [receipt] = receipts.as_slice() else { panic!("{receipts:?}") };
        assert_eq!(receipt.unknown, Vec::<String>::new());
        assert_eq!(receipt.cuts, 1);
        let text = receipt.text().replace('\u{a0}', " ");
        for words in ["Épicerie du Marché", "Reçu de paiement", "N° 000042", "05/07/2026 09:04", "Pâtes, légumes"]
        {
            assert!(text.contains(words), "{words} in\n{text}");
        }
        let oe = if page == CodePage::Wpc1252 { "cœur" } else { "coeur" };
        assert!(text.contains(oe), "{text}");
        assert!(receipt.lines.iter().all(|line| line.text.chars().count() <= columns), "{text}");
        let part = receipt.lines.iter().find(|line| line.text.starts_with("Part du fonds")).unwrap();
        assert!(part.tall && part.bold && part.text.ends_with("8,75\u{a0}€"), "{part:?}");
        assert!(receipt.lines.iter().any(|line| line.text.ends_with(" 12,50\u{a0}€")), "{text}");
    }
}

#[tokio::test]
async fn a_test_page_is_a_job_like_any_other() {
    let paper = VirtualPrinter::start().unwrap();
    let printer = start(&paper, PaperWidth::Mm58, CodePage::Wpc1252);
    let texts = TestPageTexts { title: "Page d’essai".to_owned(), check: "Tout se lit bien ?".to_owned() };
    let (_, outcome) = printer.test_page(texts).unwrap();
    assert_eq!(outcome.await.unwrap(), JobOutcome::Printed);
    let receipts = paper.wait_for_receipts(1).unwrap();
    assert!(receipts.iter().all(|receipt| receipt.unknown.is_empty() && receipt.cuts == 1));
    assert!(receipts.iter().any(|receipt| receipt.text().contains("é è à ç œ € - – ’ …")));
}

#[tokio::test]
async fn without_paper_nothing_is_sent() {
    for (mood, fault, state) in [
        (Mood::PaperOut, PrinterFault::PaperOut, PrinterState::PaperOut),
        (Mood::CoverOpen, PrinterFault::CoverOpen, PrinterState::CoverOpen),
    ] {
        let paper = VirtualPrinter::start().unwrap();
        paper.set(mood);
        let printer = start(&paper, PaperWidth::Mm80, CodePage::Wpc1252);
        assert_eq!(print(&printer).await, JobOutcome::NotSent(fault));
        reach(&printer, state).await;
        assert_eq!(paper.held().len(), 0, "a printer that got the job would print it when paper comes");
        paper.set(Mood::Well);
        printer.check();
        reach(&printer, PrinterState::Ready).await;
        assert_eq!(print(&printer).await, JobOutcome::Printed);
        assert_eq!(paper.wait_for_receipts(1).unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_job_that_was_begun_is_never_sent_again() {
    for (mood, fault) in [
        (Mood::ClosesAfter(100), PrinterFault::Closed),
        (Mood::ClosesAfter(1), PrinterFault::Closed),
        (Mood::PaperOutAfter(100), PrinterFault::PaperOut),
    ] {
        let paper = VirtualPrinter::start().unwrap();
        paper.set(mood);
        let printer = start(&paper, PaperWidth::Mm80, CodePage::Wpc1252);
        let (job, outcome) = printer.print_and_tell(receipt()).unwrap();
        assert_eq!(outcome.await.unwrap(), JobOutcome::Unsure(fault), "{mood:?}");
        let unsure = PrinterState::LastJobUnsure { job, fault };
        reach(&printer, unsure).await;
        paper.set(Mood::Well);
        // What the printer says meanwhile does not settle it: only a person does.
        printer.check();
        printer.decide(cabas_agent::printer::JobId::new(job.get() + 1));
        assert_eq!(*printer.state().borrow(), unsure);
        printer.decide(job);
        reach(&printer, PrinterState::Ready).await;
        let printed_before = paper.wait_for_receipts(1).unwrap().len();
        assert_eq!(printed_before, 1, "the half that came out, and no more");
        assert_eq!(print(&printer).await, JobOutcome::Printed, "a person asked for it");
        assert_eq!(paper.wait_for_receipts(2).unwrap().len(), 2);
    }
}

#[tokio::test]
async fn a_printer_that_tells_nothing_is_noted() {
    let paper = VirtualPrinter::start().unwrap();
    paper.set(Mood::Mute);
    let printer = start(&paper, PaperWidth::Mm80, CodePage::Wpc1252);
    assert_eq!(print(&printer).await, JobOutcome::SentToMute);
    reach(&printer, PrinterState::ReadyMute).await;
    assert_eq!(paper.wait_for_receipts(1).unwrap().len(), 1);
}

#[tokio::test]
async fn a_printer_that_hangs_gets_no_job() {
    let paper = VirtualPrinter::start().unwrap();
    let printer = start(&paper, PaperWidth::Mm80, CodePage::Wpc1252);
    reach(&printer, PrinterState::Ready).await;
    paper.set(Mood::Hanging);
    assert_eq!(print(&printer).await, JobOutcome::NotSent(PrinterFault::Hanging));
    reach(&printer, PrinterState::Hanging).await;
    paper.set(Mood::Well);
    assert_eq!(print(&printer).await, JobOutcome::Printed);
    assert_eq!(paper.printed().len(), 1);
}

#[tokio::test]
async fn a_printer_that_is_off_is_found_again() {
    let port = free_port().unwrap();
    let target = PrinterTarget::Tcp { host: "localhost".to_owned(), port };
    let printer = printer::start(PrinterConfig { target, ..PrinterConfig::default() }).unwrap();
    assert_eq!(print(&printer).await, JobOutcome::NotSent(PrinterFault::Unreachable));
    reach(&printer, PrinterState::Unreachable).await;
    let paper = VirtualPrinter::start_at(port).unwrap();
    printer.check();
    reach(&printer, PrinterState::Ready).await;
    drop(paper);
    printer.check();
    reach(&printer, PrinterState::Unreachable).await;
}

#[tokio::test]
async fn without_a_printer_each_job_is_told_so() {
    let printer = printer::start(PrinterConfig::default()).unwrap();
    assert_eq!(*printer.state().borrow(), PrinterState::Off);
    assert_eq!(print(&printer).await, JobOutcome::NotSent(PrinterFault::Off));
    assert_eq!(*printer.state().borrow(), PrinterState::Off);
}

#[tokio::test]
async fn a_full_queue_says_so_and_keeps_its_jobs() {
    let paper = VirtualPrinter::start().unwrap();
    let printer = start(&paper, PaperWidth::Mm80, CodePage::Wpc1252);
    reach(&printer, PrinterState::Ready).await;
    paper.set(Mood::Hanging);
    let mut accepted = Vec::new();
    let refused = wait_for("a full queue", || match printer.print_and_tell(receipt()) {
        Ok((_, outcome)) => {
            accepted.push(outcome);
            Ok(None)
        }
        Err(refused) => Ok(Some(refused)),
    });
    assert_eq!(refused.unwrap(), QueueFull);
    assert!(accepted.len() >= QUEUE_MAX);
    paper.set(Mood::Well);
    let mut printed = 0;
    for outcome in accepted {
        if timeout(WAIT, outcome).await.unwrap().unwrap() == JobOutcome::Printed {
            printed += 1;
        }
    }
    assert!(printed > 0);
    assert_eq!(paper.wait_for_receipts(printed).unwrap().len(), printed);
}

#[tokio::test]
async fn jobs_that_wait_are_dropped_with_the_handle() {
    let paper = VirtualPrinter::start().unwrap();
    let printer = start(&paper, PaperWidth::Mm80, CodePage::Wpc1252);
    reach(&printer, PrinterState::Ready).await;
    paper.set(Mood::Hanging);
    let outcomes: Vec<_> = (0..3).map(|_| printer.print_and_tell(receipt()).unwrap().1).collect();
    drop(printer);
    for outcome in outcomes.into_iter().skip(1) {
        assert!(timeout(WAIT, outcome).await.unwrap().is_err());
    }
    assert_eq!(paper.printed().len(), 0);
}

#[tokio::test]
async fn a_device_file_is_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lp0");
    std::fs::File::create(&path).unwrap();
    let target = PrinterTarget::Device(path.clone());
    let printer = printer::start(PrinterConfig { target, ..PrinterConfig::default() }).unwrap();
    assert_eq!(print(&printer).await, JobOutcome::SentToMute);
    let receipt = decode(&std::fs::read(&path).unwrap());
    assert_eq!(receipt.unknown, Vec::<String>::new());
    assert!(receipt.text().contains("Reçu de paiement"), "{}", receipt.text());
}

fn start(paper: &VirtualPrinter, width: PaperWidth, code_page: CodePage) -> PrinterHandle {
    let target = PrinterTarget::Tcp { host: "127.0.0.1".to_owned(), port: paper.port() };
    printer::start(PrinterConfig { target, width, code_page }).unwrap()
}

async fn print(printer: &PrinterHandle) -> JobOutcome {
    let (_, outcome) = printer.print_and_tell(receipt()).unwrap();
    timeout(WAIT, outcome).await.unwrap().unwrap()
}

async fn reach(printer: &PrinterHandle, wanted: PrinterState) {
    let mut state = printer.state();
    let reached = timeout(WAIT, state.wait_for(|state| *state == wanted)).await.map(|reached| reached.is_ok());
    assert_eq!(reached, Ok(true), "{:?} instead of {wanted:?}", *printer.state().borrow());
}

fn receipt() -> Receipt {
    let cents = |cents| Cents::new(cents).unwrap();
    let texts = ReceiptTexts {
        title: "Reçu de paiement".to_owned(),
        not_an_invoice: "Reçu de paiement – ne vaut pas facture ni ticket de caisse".to_owned(),
        terminal: "Terminal".to_owned(),
        number: "N°".to_owned(),
        total: "Total".to_owned(),
        fund_part: "Part du fonds".to_owned(),
        member_part: "Part du membre".to_owned(),
        ..ReceiptTexts::default()
    };
    let line = ReceiptLine {
        label: "Pâtes, légumes".to_owned(),
        requested: cents(1250),
        fund: cents(875),
        member: cents(375),
    };
    Receipt::new(ReceiptParts {
        shop: "Épicerie du Marché".to_owned(),
        fund: "Le cœur de la caisse".to_owned(),
        helpline: None,
        at: ReceiptTime { year: 2026, month: 7, day: 5, hour: 9, minute: 4 },
        terminal: TerminalId::new(3),
        stan: Stan::new(42).unwrap(),
        till_ref: None,
        lines: vec![line],
        duplicate: None,
        training: false,
        show_not_proven: false,
        language: Language::French,
        texts,
    })
    .unwrap()
}
