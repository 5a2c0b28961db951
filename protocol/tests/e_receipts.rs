//! Receipts without paper: small, of their row alone, read as people paste them.
#![allow(
    clippy::unwrap_used,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "test code"
)]

mod samples;

use cabas_protocol::e_receipt::{EReceipt, EReceiptKind, EReceiptLine, TEXT_CHARS_MAX, of_text, to_text};
use cabas_protocol::row::{LINES_MAX, Reversal};
use cabas_protocol::sign::SignError;
use cabas_protocol::*;
use proptest::prelude::*;
use samples::{CONTEXT, HASH, PURSE, cents, e_receipt, hub, row_of, sale, terminal};

#[test]
fn a_receipt_of_three_categories_has_two_hundred_bytes_at_the_most() {
    let line = EReceiptLine { category: CategoryId::new(200), fund: cents(65_535), member: cents(65_535) };
    let receipt = EReceipt {
        terminal: TerminalId::new(60_000),
        epoch: Epoch::new(200),
        seq: Seq::new(16_000_000),
        stan: Stan::new(Stan::MAX).unwrap(),
        lines: vec![line; 3],
        ..e_receipt()
    };
    let signed = terminal().sign(&receipt);
    assert!(signed.as_bytes().len() <= 200, "{} bytes", signed.as_bytes().len());
    let largest =
        EReceiptLine { category: CategoryId::new(u16::MAX), fund: cents(60_000_000_000), member: cents(2_000_000_000) };
    let largest = EReceipt {
        terminal: TerminalId::new(u32::MAX),
        epoch: Epoch::new(u32::MAX),
        seq: Seq::new(u32::MAX),
        at: Timestamp::new(u64::MAX),
        lines: vec![largest; LINES_MAX],
        ..receipt
    };
    let text = to_text(&terminal().sign(&largest));
    assert!(text.len() <= TEXT_CHARS_MAX, "{} characters", text.len());
    assert_eq!(of_text(&text).unwrap().verify(terminal().public(), CONTEXT.fund).unwrap().into_payload(), largest);
}

#[test]
fn a_receipt_says_what_its_row_says_and_not_who() {
    let row = row_of(2, HASH, RowBody::Sale(sale()));
    let receipt = EReceipt::of_row(&row, None).unwrap();
    assert_eq!((receipt.kind, receipt.seq, receipt.stan), (EReceiptKind::Sale, Seq::new(2), sale().stan));
    assert_eq!((receipt.fund().unwrap(), receipt.member().unwrap()), (cents(875), cents(375)));
    assert_eq!(receipt.at, row.time.wall);
    let bytes = terminal().sign(&receipt).into_bytes();
    for secret in [PURSE.as_bytes(), sale().card.as_bytes(), samples::REQUEST.as_bytes()] {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret), "{secret:02x?}");
    }
    let reversal = Reversal {
        stan: Stan::new(43).unwrap(),
        sale: Seq::new(2),
        purse: PURSE,
        cents: cents(875),
        reversed_after: cents(875),
    };
    let undone = row_of(3, HASH, RowBody::Reversal(reversal));
    let receipt = EReceipt::of_row(&undone, Some(&row)).unwrap();
    assert_eq!((receipt.kind, receipt.stan.get(), receipt.fund().unwrap()), (EReceiptKind::Reversal, 43, cents(875)));
    let other = row_of(9, HASH, RowBody::Sale(sale()));
    assert_eq!((EReceipt::of_row(&undone, None), EReceipt::of_row(&undone, Some(&other))), (None, None));
    for body in samples::bodies() {
        let has_one = matches!(body, RowBody::Sale(_) | RowBody::RefundRequest(_));
        assert_eq!(EReceipt::of_row(&row_of(5, HASH, body.clone()), None).is_some(), has_one, "{body:?}");
    }
}

#[test]
fn a_forged_a_bent_and_a_borrowed_receipt_do_not_verify() {
    let signed = terminal().sign(&e_receipt());
    let verify = |text: &str| of_text(text).unwrap().verify(terminal().public(), CONTEXT.fund);
    assert!(verify(&to_text(&signed)).is_ok());
    assert!(matches!(verify(&to_text(&hub().sign(&e_receipt()))), Err(SignError::UnknownKey(_))));
    for index in 0..signed.as_bytes().len() {
        let mut bent = signed.as_bytes().to_vec();
        bent[index] ^= 1;
        let bent = Signed::<EReceipt>::from_bytes(bent).unwrap();
        assert!(bent.verify(terminal().public(), CONTEXT.fund).is_err(), "byte {index}");
    }
    // The same key signs rows: none of them passes for a receipt.
    let row = terminal().sign(&row_of(2, HASH, RowBody::Sale(sale())));
    let as_receipt = Signed::<EReceipt>::from_bytes(row.into_bytes()).unwrap();
    assert!(as_receipt.verify(terminal().public(), CONTEXT.fund).is_err());
}

#[test]
fn what_people_paste_is_read_and_what_is_none_is_told() {
    let signed = terminal().sign(&e_receipt());
    let text = to_text(&signed);
    let broken: String = text.chars().flat_map(|letter| [letter, '\n']).collect();
    for pasted in [text.clone(), format!("https://hub.example.org/r#{text}"), format!("  {text} \r\n"), broken] {
        assert_eq!(of_text(&pasted).unwrap(), signed, "{pasted}");
    }
    let long = "A".repeat(TEXT_CHARS_MAX + 1);
    for pasted in ["https://hub.example.org/r#é", "a+b/", "A===", "A", long.as_str()] {
        assert!(of_text(pasted).is_err(), "{pasted}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_pasted_breaks_the_reader(pasted in any::<String>()) {
        if let Ok(signed) = of_text(&pasted) {
            prop_assert!(signed.verify(terminal().public(), CONTEXT.fund).is_err());
        }
    }
}
