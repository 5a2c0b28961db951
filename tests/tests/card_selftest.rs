//! The self-test of a purse card: in process, torn anywhere and with cards that sum up otherwise; and by the real agent
//! through the real pcscd.
#![allow(clippy::unwrap_used, clippy::arithmetic_side_effects, clippy::indexing_slicing, reason = "test code")]

use cabas_card::issue::{self, CardKeys};
use cabas_card::layout::{APPLICATION, SLOTS, SPENT_FILE};
use cabas_card::selftest::{self, Left, PURCHASE, Report};
use cabas_card::{Answer, Exchange, Key, LinkLost};
use cabas_tests::hub::http_client;
use cabas_tests::shop::Shop;
use cabas_tests::virtual_card::desfire::{DesfireChip, Edition, MacForm};
use cabas_tests::virtual_card::{Reaction, Tear, VirtualCard};
use serde_json::{Value, json};

const UID: [u8; 7] = [0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66];

/// The card in the field: what is torn is gone.
struct Field {
    chip: DesfireChip,
    is_gone: bool,
}

impl Field {
    fn new(chip: &DesfireChip) -> Self {
        let mut chip = chip.clone();
        chip.power_off();
        Self { chip, is_gone: false }
    }
}

impl Exchange for Field {
    fn exchange(&mut self, apdu: &[u8]) -> Result<Answer, LinkLost> {
        if self.is_gone {
            return Err(LinkLost);
        }
        match self.chip.react(apdu) {
            Reaction::Answer(answer) => Answer::parse(&answer),
            Reaction::Leave | Reaction::Silence => {
                self.is_gone = true;
                Err(LinkLost)
            }
        }
    }
}

fn random(seed: u128) -> impl FnMut() -> [u8; 16] {
    let mut next = seed;
    move || {
        next += 0x9e37_79b9_7f4a_7c15;
        next.to_be_bytes()
    }
}

fn play(chip: &DesfireChip) -> Report {
    selftest::run(&mut Field::new(chip), UID, &mut random(1))
}

fn blank() -> DesfireChip {
    DesfireChip::new(UID, Edition::Ev2K4, 7)
}

fn application() -> u32 {
    let [a, b, c] = APPLICATION;
    u32::from_le_bytes([a, b, c, 0])
}

fn is_blank(chip: &DesfireChip) -> bool {
    chip.value(application(), SPENT_FILE).is_none()
}

fn differing(report: &Report) -> Vec<(&'static str, &str)> {
    let steps = report.steps.iter().filter(|step| !step.is_as_expected);
    steps.map(|step| (step.name, step.found.as_str())).collect()
}

#[test]
fn a_card_that_does_as_documented_passes_and_is_blank_again() {
    let chip = blank();
    let report = play(&chip);
    assert_eq!(differing(&report), []);
    assert_eq!((report.left, is_blank(&chip), report.records), (Left::Blank, true, Some(15)));
    assert_eq!(report.forms.iter().map(selftest::Form::differences).collect::<Vec<_>>(), [Vec::<&str>::new()]);
    assert_eq!(report.memory_bytes[0], Some(4096));
    assert_eq!(report.memory_bytes[1], report.memory_bytes[3], "all is free again");
    let purchase = report.steps.iter().find(|step| step.name == PURCHASE).unwrap();
    assert_eq!(purchase.apdus, 8);
    // It can be repeated, and the card issued afterwards.
    assert_eq!(differing(&play(&chip)), []);
}

#[test]
fn a_card_that_sums_up_otherwise_is_told_by_the_form_that_fits() {
    for (form, fits) in [
        (MacForm::WithoutGetValue, Some("GetValue is left out")),
        (MacForm::WithoutReads, Some("all reads are left out")),
        (MacForm::ValuesApart, Some("a value has a block of its own")),
        (MacForm::OlderCodes, Some("codes 3B, 3D, BD stand for 8B, 8D, AD")),
        (MacForm::Unheard, None),
    ] {
        let chip = blank();
        chip.sum_up(form);
        let report = play(&chip);
        let told = report.forms.first().map(selftest::Form::differences);
        assert_eq!(told, fits.map(|fits| vec![fits]), "{form:?}");
        let found = differing(&report);
        let says = fits.unwrap_or("fits no form that is known here");
        assert!(found.iter().any(|(name, found)| *name == PURCHASE && found.contains(says)), "{form:?}: {found:?}");
        assert_eq!((report.left, is_blank(&chip), report.records), (Left::Blank, true, Some(15)), "{form:?}");
    }
}

#[test]
fn a_run_torn_anywhere_is_cleaned_up_by_the_next() {
    let apdus = {
        let chip = blank();
        play(&chip);
        chip.apdus()
    };
    assert!(apdus > 200, "{apdus}");
    // Each while the card is made, then one in seven, then the end.
    for apdu in (1..=40).chain((41..apdus - 12).step_by(7)).chain(apdus - 12..=apdus) {
        for tear in [Tear::BeforeItRan, Tear::AnswerLost] {
            let mut chip = blank();
            chip.tear_at(apdu, tear);
            let torn = play(&chip);
            assert!(torn.left != Left::Blank || is_blank(&chip), "{tear:?} at {apdu}: said to be blank");
            assert_eq!(differing(&play(&chip)), [], "{tear:?} at {apdu}");
            assert!(is_blank(&chip), "{tear:?} at {apdu}");
        }
    }
}

fn member_keys() -> CardKeys {
    let key = |byte| (Key::new([byte; 16]), 1);
    CardKeys { hub: key(9), slots: SLOTS.map(key).collect(), transaction_mac: key(10) }
}

#[test]
fn a_members_card_is_not_touched() {
    let chip = blank();
    issue::issue(&mut Field::new(&chip), &member_keys(), b"a balance", &mut random(2)).unwrap();
    let before =
        (chip.value(application(), SPENT_FILE), chip.data(application(), 1), chip.transaction_mac(application()));
    let report = play(&chip);
    assert_eq!((report.left, report.steps.len(), report.differing()), (Left::Untouched, 1, 1));
    assert!(report.steps[0].found.contains("was not touched"), "{:?}", report.steps);
    let after =
        (chip.value(application(), SPENT_FILE), chip.data(application(), 1), chip.transaction_mac(application()));
    assert_eq!(after, before);
    issue::retire(&mut Field::new(&chip), &member_keys().hub.0, &mut random(3)).unwrap();
}

#[test]
fn what_is_no_such_card_is_told_and_nothing_is_done() {
    struct Plain;
    impl Exchange for Plain {
        fn exchange(&mut self, _: &[u8]) -> Result<Answer, LinkLost> {
            Answer::parse(&[0x6d, 0x00])
        }
    }
    let report = selftest::run(&mut Plain, UID, &mut random(1));
    assert_eq!((report.left, report.steps.len(), report.differing()), (Left::Untouched, 1, 1));
    assert_eq!(report.memory_bytes, [None; 4]);
}

#[test]
fn the_agent_tests_a_card_on_its_reader_without_a_hub_and_without_being_enrolled() {
    let dir = tempfile::tempdir().unwrap();
    let shop = Shop::new(dir.path(), &http_client().unwrap()).unwrap();
    let with = |chip: &DesfireChip, arguments: &[&str]| {
        let held = VirtualCard::insert(shop.pcscd.port(0, 0).unwrap(), chip.clone()).unwrap();
        let said = shop.said(arguments).unwrap();
        held.remove();
        said
    };
    let chip = blank();
    let good = with(&chip, &["card", "selftest", "--json"]);
    let found: Value = good.json().unwrap();
    assert_eq!(
        (&found["as_expected"], &found["card_layout"], &found["mac_input_layout"], &found["records_kept"]),
        (&json!(true), &json!(1), &json!(1), &json!(15)),
        "{found}"
    );
    let purchase = found["purchase"].as_array().unwrap();
    let codes: Vec<_> = purchase.iter().map(|apdu| apdu["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["5A", "71", "AF", "AD", "6C", "DC", "8B", "C7"]);
    assert!(purchase.iter().all(|apdu| apdu["us"].as_u64() > Some(0)), "{found}");
    assert!(is_blank(&chip));

    chip.sum_up(MacForm::WithoutGetValue);
    let other = with(&chip, &["card", "selftest"]);
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.out.contains("DIFFERS  a purchase"), "{}", other.out);
    assert!(other.out.contains("the form that fits every transaction MAC: GetValue is left out"), "{}", other.out);
    assert!(other.err.contains("not as expected") && other.err.contains("blank again"), "{}", other.err);
    assert!(is_blank(&chip));

    issue::issue(&mut Field::new(&chip), &member_keys(), b"a balance", &mut random(2)).unwrap();
    let members = with(&chip, &["card", "selftest", "--json"]);
    assert!(members.code == Some(1) && members.out.contains("\"as it was\""), "{members:?}");
    assert!(!is_blank(&chip));
    for said in [good, other, members] {
        assert!(!said.out.to_uppercase().contains("04112233") && !said.err.to_uppercase().contains("04112233"));
    }
}
