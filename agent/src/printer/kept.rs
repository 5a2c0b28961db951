//! Receipts and closings of which no byte could be sent: kept in memory until a person asks for them, never printed by surprise.

use super::Content;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;
use tracing::warn;

/// Receipts that are kept; the oldest goes.
pub const KEPT_MAX: usize = 8;

/// The receipts that are kept, and how many.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    receipts: Arc<Mutex<VecDeque<Content>>>,
    count: watch::Sender<usize>,
}

impl Default for Kept {
    fn default() -> Self {
        Self { receipts: Arc::default(), count: watch::channel(0).0 }
    }
}

impl Kept {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Content>> {
        self.receipts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, count: usize) {
        self.count.send_if_modified(|now| {
            let changed = *now != count;
            *now = count;
            changed
        });
    }

    /// Keeps a receipt, behind the others.
    pub(super) fn keep(&self, receipt: Content) {
        let mut receipts = self.lock();
        receipts.push_back(receipt);
        if receipts.len() > KEPT_MAX {
            receipts.pop_front();
            warn!(
                kept = KEPT_MAX,
                "the oldest receipt that waits for the printer was dropped; it can be printed again"
            );
        }
        self.tell(receipts.len());
    }

    /// Puts a receipt back where it was taken from.
    pub(super) fn put_back(&self, receipt: Content) {
        let mut receipts = self.lock();
        receipts.push_front(receipt);
        receipts.truncate(KEPT_MAX);
        self.tell(receipts.len());
    }

    /// Takes the oldest.
    pub(super) fn take(&self) -> Option<Content> {
        let mut receipts = self.lock();
        let receipt = receipts.pop_front();
        self.tell(receipts.len());
        receipt
    }

    pub(super) fn clear(&self) {
        let mut receipts = self.lock();
        receipts.clear();
        self.tell(0);
    }

    /// How many are kept, and its changes.
    pub(super) fn count(&self) -> watch::Receiver<usize> {
        self.count.subscribe()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is the test's failure")]
    use super::super::{PrinterConfig, PrinterTarget, QUEUE_MAX, QueueFull, start};
    use super::*;
    use crate::core::receipt::{Language, Receipt, ReceiptParts, ReceiptTexts, ReceiptTime};
    use cabas_protocol::{Stan, TerminalId};
    use std::io::Read as _;
    use std::net::TcpListener;

    fn receipt(number: u32) -> Receipt {
        Receipt::new(ReceiptParts {
            shop: format!("Shop {number}"),
            fund: String::new(),
            helpline: None,
            at: ReceiptTime { year: 2026, month: 7, day: 5, hour: 9, minute: 4 },
            terminal: TerminalId::new(1),
            stan: Stan::FIRST,
            till_ref: None,
            lines: vec![],
            duplicate: None,
            training: false,
            show_not_proven: false,
            language: Language::French,
            texts: ReceiptTexts::default(),
        })
        .unwrap()
    }

    fn shop_of(kept: Option<Content>) -> String {
        let Some(Content::Receipt(receipt)) = kept else { return format!("{kept:?}") };
        receipt.parts().shop.clone()
    }

    #[tokio::test]
    async fn what_could_not_begin_waits_until_somebody_asks() {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let target = PrinterTarget::Tcp { host: String::from("127.0.0.1"), port };
        let printer = start(PrinterConfig { target, ..PrinterConfig::default() }).unwrap();
        for number in 1..=2 {
            printer.print_and_tell(receipt(number)).unwrap().1.await.unwrap();
        }
        assert_eq!(*printer.kept().borrow(), 2);
        // The printer comes back: nothing comes out of it by itself.
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        printer.check();
        let mut state = printer.state();
        let mute = tokio::task::spawn_blocking(move || {
            let mut papers = Vec::new();
            for _ in 0..3 {
                let mut paper = Vec::new();
                listener.accept().unwrap().0.read_to_end(&mut paper).unwrap();
                papers.push(String::from_utf8_lossy(&paper).into_owned());
            }
            papers
        });
        state.wait_for(|state| *state == super::super::PrinterState::ReadyMute).await.unwrap();
        assert_eq!(*printer.kept().borrow(), 2, "only a person asks for them");
        assert_eq!(printer.print_kept(), Ok(2));
        let papers = mute.await.unwrap();
        assert!(!papers[0].contains("Shop"), "{papers:?}");
        assert!(papers[1].contains("Shop 1") && papers[2].contains("Shop 2"), "{papers:?}");
        assert_eq!(*printer.kept().borrow(), 0);
        assert_eq!(printer.print_kept(), Ok(0));
    }

    #[tokio::test]
    async fn what_is_kept_has_an_end_and_can_be_thrown_away() {
        let printer = start(PrinterConfig::default()).unwrap();
        for number in 1..=u32::try_from(KEPT_MAX).unwrap() + 3 {
            printer.kept.keep(Content::Receipt(Box::new(receipt(number))));
        }
        assert_eq!(*printer.kept().borrow(), KEPT_MAX);
        assert_eq!(shop_of(printer.kept.take()), "Shop 4", "the oldest went");
        printer.discard_kept();
        assert_eq!(*printer.kept().borrow(), 0);
    }

    #[test]
    fn what_finds_no_place_in_the_queue_stays_kept() {
        let (commands, _kept) = std::sync::mpsc::sync_channel(QUEUE_MAX);
        let (state, _) = watch::channel(super::super::PrinterState::Unknown);
        let handle = super::super::PrinterHandle {
            commands,
            state,
            stopping: Arc::default(),
            last_job: std::sync::atomic::AtomicU64::new(0),
            kept: Kept::default(),
        };
        for number in 1..=4 {
            handle.kept.keep(Content::Receipt(Box::new(receipt(number))));
            handle.print(receipt(9)).unwrap();
            handle.print(receipt(9)).unwrap();
        }
        assert_eq!(handle.print_kept(), Err(QueueFull));
        assert_eq!(*handle.kept().borrow(), 4);
        assert_eq!(shop_of(handle.kept.take()), "Shop 1", "in their order");
    }
}
