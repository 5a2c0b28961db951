//! Who says what a bank entry is, what is set aside, and who can read what the bank told.

use super::bank::{close, file, import, own_account, refusal, settled, statement};
use super::card_proofs::Witness;
use super::world::{World, at};
use crate::bank;
use crate::store::{
    BankRefusal, Db, FindingKind, MoneyInRef, OpenMode, Payer, PayoutRef, SEALED_PER_STEP_MAX, Store, StoreError,
    WhoseWord,
};

const NAME: &str = "Dupont-Lajoie";
const TEXT: &str = "cotisation foyer H2 de Mme Dupont-Lajoie";
const SENDER: &str = "FR1420041010050500013M02606";
const WRITTEN: &str = "REF-DUPONT-LAJOIE";

/// Who paid in, and what was written with it.
fn told(name: &str) -> String {
    format!(
        "<TxDtls><Refs><EndToEndId>{WRITTEN}</EndToEndId></Refs><RltdPties><Dbtr><Pty><Nm>{name}</Nm></Pty></Dbtr><DbtrAcct>\
         <Id><IBAN>{SENDER}</IBAN></Id></DbtrAcct></RltdPties><RmtInf><Ustrd>{TEXT}</Ustrd></RmtInf></TxDtls>"
    )
}

/// A text that came with a credit.
fn written(text: &str) -> String {
    format!("<TxDtls><RmtInf><Ustrd>{text}</Ustrd></RmtInf></TxDtls>")
}

fn meant(shop: Option<&str>) -> PayoutRef {
    PayoutRef { settlement: 1, shop: shop.map(str::to_owned) }
}

/// Settlement 1 was paid, and these came in, as entries 2, 3, …
fn paid(more: &[(i64, &str)]) -> World {
    let mut world = settled();
    file(&mut world, 1, 0).unwrap();
    let batch = "<Btch><PmtInfId>CABAS8-1-1</PmtInfId></Btch>";
    let entries = [&[(-350, batch)], more].concat();
    assert_eq!(import(&mut world, &statement(&entries)).paid, 2);
    world
}

fn say(world: &mut World, entry: u64, people: (&str, Option<&str>)) -> Result<(), StoreError> {
    world.db.write(|tx| tx.bank_match(entry, &meant(Some("B")), people, (&Witness, at(3))))
}

fn end(world: &mut World, id: u64, by: &str, agrees: bool) -> Result<(), StoreError> {
    world.db.write(|tx| tx.payout_return_end(id, by, agrees, (&Witness, at(4))).map(drop))
}

fn has(world: &World, text: &str) -> bool {
    world.bytes().windows(text.len()).any(|window| window == text.as_bytes())
}

#[test]
fn a_gift_of_a_payouts_amount_is_a_return_by_two_people_alone() {
    let mut world = paid(&[(250, "<TxDtls/>"), (250, &written("un don, merci"))]);
    let word = world.db.read(|tx| tx.bank_whose_word(&Witness, 2, &meant(Some("B")))).unwrap();
    assert_eq!(word, WhoseWord::TwoPeople);
    assert!(refusal(say(&mut world, 2, ("Ada", None))).contains("may be a gift"));
    assert!(refusal(say(&mut world, 2, ("Ada", Some(" ADA ")))).contains("another person"));
    let propose = |world: &mut World, entry, by: &str| {
        world.db.write(|tx| tx.payout_return_say(entry, &meant(Some("B")), by, at(3)))
    };
    let first = propose(&mut world, 2, "Ada").unwrap();
    assert_eq!(world.number::<u32>("SELECT count(*) FROM payouts_back"), 0, "nothing is booked");
    assert!(refusal(propose(&mut world, 2, "Bo")).contains("Ada said before"));
    assert!(refusal(end(&mut world, first, "ada", true)).contains("another person"));
    end(&mut world, first, "Ada", false).unwrap();
    assert!(refusal(end(&mut world, first, "Bo", true)).contains("does not wait"));
    // The same payout is said of two entries: the first that is agreed to counts.
    let (second, third) = (propose(&mut world, 2, "Ada").unwrap(), propose(&mut world, 3, "Ada").unwrap());
    assert_eq!(world.db.read(|tx| tx.payout_returns_waiting(9)).unwrap().len(), 2);
    end(&mut world, second, "Bo", true).unwrap();
    assert!(refusal(end(&mut world, third, "Bo", true)).contains("came back before"));
    end(&mut world, third, "Bo", false).unwrap();
    let back = world.db.read(|tx| tx.payouts_back(1)).unwrap();
    assert_eq!((back[0].said_by.as_deref(), back[0].approved_by.as_deref()), (Some("Ada"), Some("Bo")));
    assert_eq!(close(&mut world), Some(2), "it is paid again, once");
    assert_eq!(close(&mut world), None);
    world.audit();
}

#[test]
fn what_the_bank_itself_calls_a_return_needs_one_person_and_another_payments_name_does_not_do() {
    let back = "<TxDtls><RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf></TxDtls>";
    let named = written("RETOUR VIR CABAS8-1-1-2.");
    let other = "<TxDtls><Refs><EndToEndId>x</EndToEndId></Refs><RmtInf><Ustrd>CABAS8-1-1-1</Ustrd></RmtInf>\
        <RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf></TxDtls>";
    for (told, word) in [(back, WhoseWord::Person), (named.as_str(), WhoseWord::Person), (other, WhoseWord::TwoPeople)]
    {
        let mut world = paid(&[(250, told)]);
        assert_eq!(world.number::<u32>("SELECT count(*) FROM payouts_back"), 0, "a person looks at it first");
        assert_eq!(world.db.read(|tx| tx.bank_whose_word(&Witness, 2, &meant(Some("B")))).unwrap(), word, "{told}");
        let alone = say(&mut world, 2, ("Ada", None));
        assert_eq!(alone.is_ok(), word == WhoseWord::Person, "{told}: {alone:?}");
        world.audit();
    }
    // What went out takes no second person.
    let mut world = settled();
    import(&mut world, &statement(&[(-250, "<TxDtls/>")]));
    assert_eq!(world.db.read(|tx| tx.bank_whose_word(&Witness, 1, &meant(Some("B")))).unwrap(), WhoseWord::Anybody);
    let not_in = world.db.write(|tx| tx.payout_return_say(1, &meant(Some("B")), "Ada", at(3)));
    assert!(refusal(not_in).contains("did not come in"));
    world.audit();
}

#[test]
fn a_fee_is_set_aside_with_a_reason_and_taken_up_again_and_no_money_moves() {
    let mut world = settled();
    file(&mut world, 1, 0).unwrap();
    let entries = [(-7, "<TxDtls/>"), (90, "<TxDtls/>"), (-99, &*written("CABAS8-1-1-1"))];
    import(&mut world, &statement(&entries));
    let before: i64 = world.number("SELECT count(*) FROM transfers");
    let aside = |world: &mut World, entry, is_aside, reason: &str| {
        world.db.write(|tx| tx.bank_set_aside(entry, is_aside, (reason, "Bo"), (&Witness, at(5))))
    };
    assert!(matches!(aside(&mut world, 1, true, "  "), Err(StoreError::Text("reason"))));
    assert!(refusal(aside(&mut world, 1, false, "x")).contains("is not set aside"));
    assert!(refusal(aside(&mut world, 2, true, "x")).contains("came in"));
    assert!(refusal(aside(&mut world, 3, true, "x")).contains("names a payout"));
    assert!(refusal(aside(&mut world, 9, true, "x")).contains("no bank entry 9"));
    aside(&mut world, 1, true, "frais de tenue").unwrap();
    assert!(refusal(aside(&mut world, 1, true, "x")).contains("explained already"));
    let pays = world.db.write(|tx| tx.bank_match(1, &meant(None), ("Bo", None), (&Witness, at(3))));
    assert!(matches!(pays, Err(StoreError::Bank(BankRefusal::EntryExplained(1)))));
    world.audit();
    aside(&mut world, 1, false, "c’était autre chose").unwrap();
    let said = world.db.read(|tx| tx.set_asides_of(1, 9)).unwrap();
    let said: Vec<_> = said.iter().map(|said| (said.is_aside, said.reason.as_str(), said.said_by.as_str())).collect();
    assert_eq!(said, [(false, "c’était autre chose", "Bo"), (true, "frais de tenue", "Bo")]);
    aside(&mut world, 1, true, "frais").unwrap();
    assert_eq!(world.number::<i64>("SELECT count(*) FROM transfers"), before);
    world.audit();
}

/// A fund to which member `NAME` paid a contribution, matched, and 40 others did.
fn contributed() -> (World, String) {
    let mut world = World::new();
    own_account(&mut world);
    let others: Vec<_> = (0..40).map(|number| (200 + number, told(&format!("{NAME} {number}")))).collect();
    let entries: Vec<_> = others.iter().map(|(cents, told)| (*cents, told.as_str())).collect();
    let xml = statement(&entries);
    import(&mut world, &xml);
    let household = MoneyInRef::New(Payer::Household("H2".to_owned()));
    world.db.write(|tx| tx.bank_match_money_in(1, &household, ("Bo", false), at(5))).unwrap();
    (world, xml)
}

#[test]
fn what_the_bank_told_is_sealed_and_goes_with_the_household_that_it_names() {
    let (mut world, _) = contributed();
    for text in [NAME, TEXT, SENDER, WRITTEN] {
        assert!(!has(&world, text), "{text} can be read");
    }
    let of_entry = |world: &mut World| world.db.read(|tx| tx.texts(&Witness, 1)).unwrap();
    assert_eq!(of_entry(&mut world).parts[0].remittance.as_deref(), Some(TEXT));
    let sealed: Vec<u8> = world.number("SELECT sealed FROM bank_texts WHERE entry = 1");
    assert_eq!(sealed.len() % 128, 8, "its length does not show (here an entry's number stands before it)");
    world.db.write(|tx| tx.household_leave("H2", at(50))).unwrap();
    world.db.write(|tx| tx.household_erase("H2", "Ada", at(60))).unwrap();
    assert_eq!(of_entry(&mut world).parts[0].remittance, None);
    let bytes = world.bytes();
    assert!(!bytes.windows(sealed.len()).any(|window| window == sealed), "erased, in the log too");
    let others: u32 = world.number("SELECT count(*) FROM bank_texts");
    assert_eq!(others, 39, "what is nobody's yet stays");
    world.audit();
}

/// As a hub before this one kept it.
fn unsealed(world: &mut World, xml: &str) {
    let statements = bank::read(xml.as_bytes()).unwrap();
    let mut old = "DELETE FROM bank_texts;".to_owned();
    for (entry, id) in statements.statements[0].entries.iter().zip(1..) {
        let (key, part) = (entry.key, &entry.parts[0]);
        let [end_to_end, name, iban, text] = [&part.end_to_end, &part.counterparty, &part.iban, &part.remittance]
            .map(|text| text.clone().unwrap_or_default());
        old.push_str(&format!(
            "UPDATE bank_entries SET key = x'{key}' WHERE id = {id};
             INSERT INTO bank_entry_parts VALUES ({id}, 0, NULL, NULL, '{end_to_end}', NULL, '{name}', '{iban}', '{text}');"
        ));
    }
    world.tamper(&old);
}

#[test]
fn what_was_imported_before_is_sealed_step_by_step_once_and_nothing_of_it_can_be_read() {
    let (mut world, xml) = contributed();
    unsealed(&mut world, &xml);
    assert!([NAME, TEXT, SENDER, WRITTEN].iter().all(|text| has(&world, text)));
    // Before it is sealed it is known, matched and shown all the same.
    let again = import(&mut world, &xml.replace("<Id>S1</Id>", "<Id>W1</Id>"));
    assert_eq!((again.added, again.known), (0, 40));
    let view = world.db.read(|tx| tx.bank_entry_open(&Witness, 2)).unwrap();
    assert_eq!(view.money_in[0].meant, MoneyInRef::New(Payer::Household("H2".to_owned())));
    // A step that fails is begun again; who reads beside sees it whole.
    let failed = world.db.write(|tx| tx.bank_seal_old(&Witness).and(Err::<(), _>(StoreError::Busy)));
    assert!(failed.is_err());
    assert!(!world.db.write(|tx| tx.bank_seal_old(&Witness)).unwrap(), "{SEALED_PER_STEP_MAX} a step");
    assert!(!world.db.write(|tx| tx.bank_seal_old(&Witness)).unwrap(), "once");
    for text in [NAME, TEXT, SENDER, WRITTEN, "Dupont", "cotisation"] {
        assert!(!has(&world, text), "{text} can be read");
    }
    assert_eq!(world.number::<u32>("SELECT count(*) FROM bank_entry_parts"), 0);
    assert_eq!(world.db.read(|tx| tx.bank_entry_open(&Witness, 2)).unwrap(), view);
    let again = import(&mut world, &xml.replace("<Id>S1</Id>", "<Id>X1</Id>"));
    assert_eq!((again.added, again.known), (0, 40));
    world.audit();
}

#[test]
fn many_old_entries_take_more_than_one_step() {
    let mut world = World::new();
    own_account(&mut world);
    let told = told(NAME);
    let entries: Vec<_> = (1..=i64::from(SEALED_PER_STEP_MAX) + 1).map(|cents| (cents, told.as_str())).collect();
    let xml = statement(&entries);
    import(&mut world, &xml);
    unsealed(&mut world, &xml);
    assert!(world.db.write(|tx| tx.bank_seal_old(&Witness)).unwrap());
    assert!(!world.db.write(|tx| tx.bank_seal_old(&Witness)).unwrap());
    assert!(!has(&world, NAME) && !has(&world, SENDER));
    world.audit();
}

#[test]
fn what_is_erased_leaves_the_log_although_somebody_read_beside_when_it_was() {
    let (world, _) = contributed();
    let sealed: Vec<u8> = world.number("SELECT sealed FROM bank_texts WHERE entry = 1");
    let World { folder, db, .. } = world;
    let path = folder.path().join("hub.db");
    let has = || {
        let log = std::fs::read(folder.path().join("hub.db-wal")).unwrap_or_default();
        let bytes = [std::fs::read(&path).unwrap(), log].concat();
        bytes.windows(sealed.len()).any(|window| window == sealed)
    };
    let store = Store::start(db).unwrap();
    let call = |work: fn(&mut crate::store::Tx<'_>) -> Result<(), StoreError>| {
        store.call_blocking(crate::store::Lane::Sync, work).unwrap();
    };
    let mut beside = Db::open(&path, OpenMode::Existing).unwrap();
    beside
        .read(|tx| {
            tx.fund()?;
            call(|tx| tx.household_leave("H2", at(50)).map(drop));
            call(|tx| tx.household_erase("H2", "Ada", at(60)).map(drop));
            assert!(has(), "somebody reads what was, and nobody waits for them");
            Ok(())
        })
        .unwrap();
    for _ in 0..66 {
        call(|_| Ok(()));
    }
    assert!(!has());
}

/// What is wrong, where it shows, and how it was done.
/// The text of an entry is another one's.
fn damage(world: &mut World, entry: u64, other: u64) {
    world.tamper(&format!(
        "UPDATE bank_texts SET sealed = (SELECT sealed FROM bank_texts WHERE entry = {other}) WHERE entry = {entry}"
    ));
}

#[test]
fn a_text_that_does_not_open_is_told_and_stops_neither_the_import_nor_what_people_say() {
    let (mut world, xml) = contributed();
    // One that is explained and one that is open.
    damage(&mut world, 1, 3);
    damage(&mut world, 2, 3);
    let again = import(&mut world, &xml.replace("<Id>S1</Id>", "<Id>S2</Id>"));
    assert_eq!((again.added, again.known, again.unreadable), (0, 40, 1), "known by more than its text");
    let open = world.db.read(|tx| tx.bank_entries(&Witness, true, 100)).unwrap();
    let proposed = |entry: u64| open.iter().find(|view| view.id == entry).unwrap().money_in.len();
    assert_eq!((open.len(), proposed(2), proposed(3)), (39, 0, 1), "nothing is read from it, all from the others");
    let household = MoneyInRef::New(Payer::Household("H1".to_owned()));
    world.db.write(|tx| tx.bank_match_money_in(2, &household, ("Bo", false), at(5))).unwrap();
    let found: Vec<_> = world.verify().findings.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found.iter().all(|found| found.contains("has a text that does not open")), "{found:?}");
}

#[test]
fn other_keys_that_would_know_no_entry_again_import_nothing() {
    let (mut world, xml) = contributed();
    let entries = world.number::<u32>("SELECT count(*) FROM bank_entries");
    (1..=entries).filter(|entry| *entry > 1).for_each(|entry| damage(&mut world, entry.into(), (entry - 1).into()));
    damage(&mut world, 1, 2);
    let statements = bank::read(xml.replace("<Id>S1</Id>", "<Id>S3</Id>").as_bytes()).unwrap();
    let refused = world.db.write(|tx| tx.bank_import(&statements, "Bo", (&Witness, at(6)))).unwrap_err();
    assert!(refused.to_string().contains("sealed by other keys"), "{refused}");
    assert_eq!(world.number::<u32>("SELECT count(*) FROM bank_entries"), entries);
}

#[test]
fn a_return_that_names_its_payment_behind_many_words_is_said_by_the_bank_for_who_verifies_too() {
    let words = "<RmtInf><Ustrd>".to_owned() + &"mot ".repeat(34) + "</Ustrd></RmtInf>";
    let named = |id: &str| {
        format!(
            "<TxDtls><Refs><EndToEndId>{id}</EndToEndId></Refs><Amt Ccy=\"EUR\">{}</Amt>{words}</TxDtls>",
            if id.ends_with('1') { "1.00" } else { "2.50" }
        )
    };
    let mut world = settled();
    file(&mut world, 1, 0).unwrap();
    let back = named("CABAS8-1-1-1") + &named("CABAS8-1-1-2");
    let report =
        import(&mut world, &statement(&[(-350, "<Btch><PmtInfId>CABAS8-1-1</PmtInfId></Btch>"), (350, &back)]));
    assert_eq!((report.paid, report.back), (2, 2));
    world.audit();
}

#[test]
fn a_return_code_beside_another_payments_name_is_not_our_payout() {
    let code = "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>";
    let cases = [
        ("<Refs><EndToEndId>AIDE-H7-NOVEMBRE</EndToEndId></Refs>", WhoseWord::TwoPeople),
        ("<Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>", WhoseWord::Person),
        ("<Refs><EndToEndId>CABAS8-1-1-2</EndToEndId></Refs>", WhoseWord::Person),
        ("", WhoseWord::Person),
    ];
    for (refs, word) in cases {
        // An amount of the part that is not the payout's keeps the import from booking it by itself.
        let told = format!("<TxDtls>{refs}<Amt Ccy=\"EUR\">2.49</Amt>{code}</TxDtls>");
        let mut world = paid(&[(250, &told)]);
        assert_eq!(world.number::<u32>("SELECT count(*) FROM payouts_back"), 0, "{refs}");
        assert_eq!(world.db.read(|tx| tx.bank_whose_word(&Witness, 2, &meant(Some("B")))).unwrap(), word, "{refs}");
        assert_eq!(say(&mut world, 2, ("Ada", None)).is_ok(), word == WhoseWord::Person, "{refs}");
        world.audit();
    }
}

const FAULTS: [(&str, &str); 9] = [
    ("returned payout 1", "UPDATE payouts_back SET approved_by = NULL WHERE entry = 2"),
    ("return 1", "UPDATE payouts_back SET approved_by = 'Cy' WHERE entry = 2"),
    ("return 1", "UPDATE payout_returns SET said_by = 'Cy' WHERE id = 1"),
    ("return 1", "UPDATE payout_returns SET cents = cents + 1 WHERE id = 1"),
    ("bank entry 3", "UPDATE bank_entries SET state = 0 WHERE id = 3"),
    ("bank entry 3", "DELETE FROM set_asides WHERE entry = 3"),
    ("bank entry 4", "INSERT INTO set_asides VALUES (9, 4, 1, 'x', 'Ada', 1), (10, 4, 0, 'x', 'Ada', 1)"),
    ("bank entry 3", "INSERT INTO set_asides VALUES (9, 3, 1, 'x', 'Ada', 1)"),
    ("bank entry 3", "UPDATE bank_texts SET sealed = (SELECT sealed FROM bank_texts WHERE entry = 2) WHERE entry = 3"),
];

#[test]
fn each_fault_planted_in_what_was_said_of_bank_entries_is_found() {
    for (subject, sql) in FAULTS {
        let mut world = paid(&[(250, "<TxDtls/>"), (-7, "<TxDtls/>"), (9, "<TxDtls/>")]);
        let id = world.db.write(|tx| tx.payout_return_say(2, &meant(Some("B")), "Ada", at(3))).unwrap();
        end(&mut world, id, "Bo", true).unwrap();
        world.db.write(|tx| tx.bank_set_aside(3, true, ("fee", "Bo"), (&Witness, at(5)))).unwrap();
        world.audit();
        world.tamper(sql);
        let report = world.verify();
        let is_it = |finding: &&crate::store::Finding| finding.kind == FindingKind::Bank && finding.subject == subject;
        let all: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        assert!(report.findings.iter().any(|finding| is_it(&finding)), "{subject} by {sql}\nfound: {all:#?}");
    }
}
