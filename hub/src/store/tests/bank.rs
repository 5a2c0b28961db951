//! From a settlement to the bank and back.

use super::card_proofs::Witness;
use super::world::{World, at, cents};
use crate::bank::{self, StatementError};
use crate::core::ledger::AccountId;
use crate::core::roles::Role;
use crate::store::{
    BankRefusal, FindingKind, FundAccountOrder, PainVersion, PaymentFile, PaymentOrder, PayoutRef, ShopAccountOrder,
    StatementReport, StoreError,
};
use cabas_protocol::sign::sha256;

const OWN: &str = "FR7630006000011234567890189";
const SHOP_A: &str = "FR1420041010050500013M02606";
const SHOP_B: &str = "DE89370400440532013000";

/// Two shops with accounts, 3.50 € settled: 1.00 to A, 2.50 to B.
pub(super) fn settled() -> World {
    let mut world = World::credited();
    let (mut a, mut b) = (world.terminal("A"), world.terminal("B"));
    world.extend(&b, 1, 1_000);
    a.sale(1, 100, 100, 1);
    b.sale(1, 250, 250, 1);
    world.sync(&mut a);
    world.sync(&mut b);
    own_account(&mut world);
    for (shop, iban) in [("A", SHOP_A), ("B", SHOP_B)] {
        shop_account(&mut world, shop, iban).unwrap();
    }
    close(&mut world);
    world
}

pub(super) fn close(world: &mut World) -> Option<u32> {
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    world.db.write(|tx| tx.settlement_close(&cut, at(1_000))).unwrap().map(|settlement| settlement.number)
}

pub(super) fn own_account(world: &mut World) {
    let (name, iban, by) = ("Caisse d'essai".to_owned(), OWN.to_owned(), "Ada".to_owned());
    let order = FundAccountOrder { name, iban, bic: Some("AGRIFRPP".to_owned()), pain: PainVersion::V09, by };
    world.db.write(|tx| tx.fund_account_set(&order, at(0))).unwrap();
}

fn shop_account(world: &mut World, shop: &str, iban: &str) -> Result<(), StoreError> {
    let (name, by) = (format!("Épicerie {shop} & Cie"), "Ada".to_owned());
    let order = ShopAccountOrder { shop: shop.to_owned(), name, iban: iban.to_owned(), by };
    world.db.write(|tx| tx.shop_account_set(&order, at(0)))
}

pub(super) fn file(world: &mut World, settlement: u32, later: u64) -> Result<PaymentFile, StoreError> {
    let order = PaymentOrder { settlement, execute_on: None, by: "Bo".to_owned() };
    world.db.write(|tx| tx.payment_file(&order, at(later)))
}

/// A statement from 100.00 € on; each entry is its sign and cents and what stands inside.
pub(super) fn statement(entries: &[(i64, &str)]) -> String {
    let euros = |amount: i64| cents(amount.unsigned_abs()).to_string();
    let side = |cents: i64| if cents < 0 { "DBIT" } else { "CRDT" };
    let balance = |code: &str, cents: i64| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">{}</Amt><CdtDbtInd>{}</CdtDbtInd>\
             <Dt><Dt>2026-11-30</Dt></Dt></Bal>",
            euros(cents),
            side(cents)
        )
    };
    let lines: String = entries
        .iter()
        .map(|(cents, details)| {
            format!(
                "<Ntry><Amt Ccy=\"EUR\">{}</Amt><CdtDbtInd>{}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-30\
                 </Dt></BookgDt><BkTxCd/><NtryDtls>{details}</NtryDtls></Ntry>",
                euros(*cents),
                side(*cents)
            )
        })
        .collect();
    let closing = 10_000 + entries.iter().map(|(cents, _)| cents).sum::<i64>();
    format!(
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>\
         <CreDtTm>2026-11-30T20:00:00</CreDtTm></GrpHdr><Stmt><Id>S1</Id><Acct><Id><IBAN>{OWN}</IBAN></Id></Acct>{}{}\
         {lines}</Stmt></BkToCstmrStmt></Document>",
        balance("OPBD", 10_000),
        balance("CLBD", closing)
    )
}

pub(super) fn import(world: &mut World, xml: &str) -> StatementReport {
    let statements = bank::read(xml.as_bytes()).unwrap();
    world.db.write(|tx| tx.bank_import(&statements, "Bo", (&Witness, at(2_000)))).unwrap()
}

pub(super) fn one(id: &str, more: &str) -> String {
    format!("<TxDtls><Refs><EndToEndId>{id}</EndToEndId></Refs>{more}</TxDtls>")
}

fn left(world: &mut World, account: AccountId) -> (u64, u64) {
    let account = world.db.read(|tx| tx.account(account)).unwrap();
    (account.debits.get(), account.credits.get())
}

pub(super) fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
    let Err(StoreError::Bank(refusal)) = result else { panic!("{result:?}") };
    refusal.to_string()
}

#[test]
fn a_settlement_is_booked_when_another_person_approves_it_and_once() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    let prepared = world.db.write(|tx| tx.settlement_prepare(&cut, "Ada Lovelace", at(1))).unwrap().unwrap();
    assert_eq!(world.owed(), (cents(0), cents(100)), "nothing is booked");
    // What comes later is not in it.
    terminal.sale(1, 50, 150, 1);
    world.sync(&mut terminal);
    let again = world.db.read(|tx| tx.settlement_prepared()).unwrap().unwrap();
    assert_eq!((again.settlement.payout, again.by.as_str()), (cents(100), "Ada Lovelace"));
    let newer = world.db.read(|tx| tx.settlement_cut()).unwrap();
    let twice = world.db.write(|tx| tx.settlement_prepare(&newer, "Bo", at(2)));
    assert!(refusal(twice).contains("was prepared by Ada Lovelace"));
    let alone = world.db.write(|tx| tx.settlement_approve(1, " ada  LOVELACE", at(2)));
    assert!(refusal(alone).contains("another person"));
    assert!(refusal(world.db.write(|tx| tx.settlement_approve(2, "Bo", at(2)))).contains("not prepared"));
    let booked = world.db.write(|tx| tx.settlement_approve(1, "Bo", at(2))).unwrap();
    assert_eq!((booked.payout, booked.number), (prepared.settlement.payout, 1));
    let late = world.db.write(|tx| tx.settlement_approve(1, "Cy", at(2)));
    assert!(refusal(late).contains("was approved by Bo before"));
    assert_eq!(world.owed(), (cents(100), cents(150)));
    world.audit();
}

#[test]
fn what_was_prepared_can_be_withdrawn_and_prepared_again() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    let cut = world.db.read(|tx| tx.settlement_cut()).unwrap();
    world.db.write(|tx| tx.settlement_prepare(&cut, "Ada", at(1))).unwrap().unwrap();
    world.db.write(|tx| tx.settlement_withdraw(1, "Ada", at(2))).unwrap();
    assert!(refusal(world.db.write(|tx| tx.settlement_approve(1, "Bo", at(2)))).contains("not prepared"));
    assert_eq!(close(&mut world), Some(1));
    world.audit();
}

#[test]
fn a_payment_file_is_made_once_and_given_out_again_byte_by_byte() {
    let mut world = settled();
    let made = file(&mut world, 1, 2_000).unwrap();
    assert_eq!((made.payments, made.total, made.is_new), (2, cents(350), true));
    let text = String::from_utf8(made.bytes.clone()).unwrap();
    for said in ["<MsgId>CABAS8-1-1</MsgId>", "<EndToEndId>CABAS8-1-1-1</EndToEndId>", "<CtrlSum>3.50</CtrlSum>"] {
        assert_eq!(text.matches(said).count(), if said.contains("Ctrl") { 2 } else { 1 }, "{said}: {text}");
    }
    assert!(!text.contains("PstlAdr") && text.is_ascii(), "{text}");
    // Another account, another day: the file stays what it was.
    shop_account(&mut world, "A", SHOP_B).unwrap();
    let again = file(&mut world, 1, 900_000).unwrap();
    assert_eq!((&again.bytes, again.is_new), (&made.bytes, false));
    let order = PaymentOrder { settlement: 1, execute_on: Some(1), by: "Bo".to_owned() };
    let other_day = world.db.write(|tx| tx.payment_file(&order, at(3_000)));
    assert!(refusal(other_day).contains("one file only"));
    assert!(refusal(file(&mut world, 2, 1)).contains("no settlement 2"));
    world.audit();
}

#[test]
fn shops_without_an_account_are_named_and_a_wrong_iban_is_refused() {
    let mut world = World::credited();
    let mut terminal = world.terminal("A");
    terminal.sale(1, 100, 100, 1);
    world.sync(&mut terminal);
    close(&mut world);
    assert!(refusal(file(&mut world, 1, 1)).contains("own account"));
    own_account(&mut world);
    assert!(refusal(file(&mut world, 1, 1)).contains("these shops have no account: A;"));
    for wrong in ["FR1420041010050500013M02607", "FR142004101005050001M02606", "", "XX00", "FR14 2004"] {
        let said = refusal(shop_account(&mut world, "A", wrong));
        assert!(said.contains("IBAN"), "{wrong}: {said}");
        assert!(wrong.is_empty() || !said.contains(wrong), "{said}");
    }
    assert!(refusal(shop_account(&mut world, "A", "TR330006100519786457841326")).contains("SEPA"));
    assert_eq!(world.number::<u32>("SELECT count(*) FROM payment_files"), 0);
    shop_account(&mut world, "A", "fr14 2004 1010 0505 0001 3m02 606").unwrap();
    assert_eq!(file(&mut world, 1, 1).unwrap().payments, 1);
    world.audit();
}

#[test]
fn a_batch_that_the_bank_booked_as_one_pays_every_shop_once() {
    let mut world = settled();
    file(&mut world, 1, 0).unwrap();
    let batch = "<Btch><PmtInfId>CABAS8-1-1</PmtInfId><NbOfTxs>2</NbOfTxs></Btch>";
    let xml = statement(&[(-350, batch), (2_000, "<TxDtls/>")]);
    let report = import(&mut world, &xml);
    assert_eq!((report.added, report.paid, report.paid_cents, report.open), (2, 2, cents(350), 1));
    assert_eq!((left(&mut world, AccountId::TRANSIT), left(&mut world, AccountId::BANK)), ((350, 350), (0, 350)));
    let again = import(&mut world, &xml);
    assert_eq!((again.repeated, again.added, again.paid), (1, 0, 0));
    // The same entries in another file, a week's statement: known.
    let week = import(&mut world, &xml.replace("<Id>S1</Id>", "<Id>W1</Id>"));
    assert_eq!((week.repeated, week.added, week.known, week.paid), (0, 0, 2, 0));
    // The same debit a second time is another entry, and pays nothing.
    let double = import(&mut world, &statement(&[(-350, batch), (-350, batch)]));
    assert_eq!((double.added, double.paid, double.open), (1, 0, 2));
    assert_eq!(left(&mut world, AccountId::BANK), (0, 350));
    world.audit();
}

#[test]
fn a_returned_payment_is_owed_again_and_paid_by_the_next_settlement_once() {
    let mut world = settled();
    file(&mut world, 1, 0).unwrap();
    let returned = one("CABAS8-1-1-2", "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>");
    let xml = statement(&[(250, &returned), (-100, &one("CABAS8-1-1-1", "")), (-250, &one("CABAS8-1-1-2", ""))]);
    let report = import(&mut world, &xml);
    assert_eq!((report.paid, report.back, report.back_cents, report.open), (2, 1, cents(250), 0));
    let twice = import(&mut world, &statement(&[(250, &returned), (250, &returned)]));
    assert_eq!((twice.back, twice.open), (0, 1), "it comes back once");
    assert_eq!(close(&mut world), Some(2));
    assert_eq!(close(&mut world), None);
    let second = file(&mut world, 2, 0).unwrap();
    assert_eq!((second.payments, second.total), (1, cents(250)));
    let states: Vec<_> = world.db.read(|tx| tx.payouts(1)).unwrap().iter().map(|payout| payout.state).collect();
    assert_eq!(states, ["paid", "back"]);
    world.audit();
}

#[test]
fn a_payment_that_the_bank_refused_is_owed_again_by_two_people() {
    let mut world = settled();
    file(&mut world, 1, 0).unwrap();
    let meant = PayoutRef { settlement: 1, shop: Some("B".to_owned()) };
    let reject = |world: &mut World, people| world.db.write(|tx| tx.payout_reject(&meant, "AC01", people, at(1)));
    assert!(refusal(reject(&mut world, ("Ada", "ada"))).contains("another person"));
    reject(&mut world, ("Ada", "Bo")).unwrap();
    assert!(refusal(reject(&mut world, ("Ada", "Bo"))).contains("came back before"));
    // The bank books what is left of the batch.
    let batch = "<Btch><PmtInfId>CABAS8-1-1</PmtInfId></Btch>";
    assert_eq!(import(&mut world, &statement(&[(-100, batch)])).paid, 1);
    // A late debit of what was refused pays nothing by itself: somebody must look.
    let late = import(&mut world, &statement(&[(-250, &one("CABAS8-1-1-2", ""))]));
    assert_eq!((late.paid, late.open), (0, 1));
    assert_eq!(close(&mut world), Some(2));
    assert_eq!(world.db.read(|tx| tx.payouts(2)).unwrap()[0].cents, cents(250));
    world.audit();
}

#[test]
fn what_the_bank_does_not_name_is_proposed_and_matched_by_a_person_once() {
    let mut world = settled();
    let report = import(&mut world, &statement(&[(-350, "<TxDtls/>"), (-100, "<TxDtls/>"), (-7, "<TxDtls/>")]));
    assert_eq!((report.paid, report.open), (0, 3));
    let open = world.db.read(|tx| tx.bank_entries(&Witness, true, 9)).unwrap();
    let proposed: Vec<_> = open.iter().map(|entry| entry.proposals.clone()).collect();
    let meant = |shop: Option<&str>| PayoutRef { settlement: 1, shop: shop.map(str::to_owned) };
    assert_eq!(proposed, [vec![], vec![meant(Some("A"))], vec![meant(None)]]);
    let mut say =
        |entry, meant: &PayoutRef| world.db.write(|tx| tx.bank_match(entry, meant, ("Bo", None), (&Witness, at(3))));
    assert!(refusal(say(3, &meant(Some("A")))).contains("must be the same"));
    assert!(refusal(say(9, &meant(None))).contains("no bank entry 9"));
    say(1, &meant(None)).unwrap();
    assert!(refusal(say(1, &meant(None))).contains("explained already"));
    assert!(refusal(say(2, &meant(Some("A")))).contains("paid by another bank entry"));
    assert!(refusal(say(2, &meant(None))).contains("no such payout"));
    world.audit();
}

#[test]
fn a_file_that_is_not_the_funds_statement_is_refused_whole() {
    let mut world = settled();
    let good = statement(&[(-350, "<TxDtls/>")]);
    let read = |text: &str| bank::read(text.as_bytes()).unwrap_err().to_string();
    assert!(read(&good.replacen("Ccy=\"EUR\"", "Ccy=\"CHF\"", 1)).contains("opening 1 of statement 1 is not in euros"));
    let dollars = good.replace("<Ntry><Amt Ccy=\"EUR\"", "<Ntry><Amt Ccy=\"USD\"");
    assert!(read(&dollars).contains("entry 1 of statement 1 is not in euros"));
    assert!(read(&good.replace("<Amt Ccy=\"EUR\">3.50", "<Amt Ccy=\"EUR\">3.51")).contains("does not add up"));
    assert!(read(&good.replace("<Amt Ccy=\"EUR\">3.50", "<Amt Ccy=\"EUR\">3.505")).contains("no amount"));
    assert!(read(&good.replace("OPBD", "OPAV")).contains("no booked opening balance"));
    assert!(read(&good.replace("camt.053.001.08", "pain.001.001.09")).contains("cannot be read"));
    let laughs = "<!DOCTYPE d [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]>".to_owned() + &good.replace("S1", "&b;");
    assert!(read(&laughs).contains("declares a document type"));
    let outside = "<!DOCTYPE d [<!ENTITY x SYSTEM \"file:///etc/passwd\">]>".to_owned() + &good.replace("S1", "&x;");
    assert!(read(&outside).contains("declares a document type"));
    let torn = read(&good.replacen("</Stmt>", "</Dupont\u{1b}>", 1));
    assert!(torn.contains("no well-formed XML") && !torn.contains("Dupont"), "{torn}");
    for end in 0..good.len() {
        if good.is_char_boundary(end) {
            assert!(bank::read(&good.as_bytes()[..end]).is_err(), "cut off at {end}");
        }
    }
    assert!(matches!(bank::read(&vec![b' '; 100 << 20]), Err(StatementError::TooLarge)));
    assert!(matches!(bank::read(&[0xff, 0xfe]), Err(StatementError::NotText)));
    let other = bank::read(good.replace(OWN, SHOP_A).as_bytes()).unwrap();
    assert!(refusal(world.db.write(|tx| tx.bank_import(&other, "Bo", (&Witness, at(1))))).contains("another account"));
    assert_eq!(world.number::<u32>("SELECT count(*) FROM bank_entries"), 0);
    world.audit();
}

/// A fund whose second settlement pays again what came back.
fn lived_in() -> World {
    let mut world = settled();
    file(&mut world, 1, 0).unwrap();
    let back = one("CABAS8-1-1-2", "<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>");
    import(&mut world, &statement(&[(-350, "<Btch><PmtInfId>CABAS8-1-1</PmtInfId></Btch>"), (250, &back)]));
    close(&mut world);
    file(&mut world, 2, 0).unwrap();
    let meant = PayoutRef { settlement: 2, shop: Some("B".to_owned()) };
    world.db.write(|tx| tx.payout_reject(&meant, "closed", ("Ada", "Bo"), at(9))).unwrap();
    world
}

/// What is wrong, where it shows, and how it was done.
const FAULTS: [(FindingKind, &str, &str); 19] = [
    (FindingKind::Settlement, "settlement 1", "UPDATE preparations SET state = 2 WHERE settlement = 1"),
    (FindingKind::Settlement, "settlement 1", "UPDATE preparations SET ended_by = 'ADA' WHERE settlement = 1"),
    (FindingKind::Settlement, "settlement 1", "UPDATE preparation_cuts SET to_seq = to_seq + 1 WHERE preparation = 1"),
    (FindingKind::Payment, "payment file 1", "UPDATE payments SET cents = cents + 1 WHERE settlement = 1 AND shop = 1"),
    (
        FindingKind::Payment,
        "payment file 2",
        "DELETE FROM payments WHERE settlement = 2; DELETE FROM payouts_back WHERE place = 2",
    ),
    (FindingKind::Payment, "payment file 1", "UPDATE payments SET account = 2 WHERE settlement = 1 AND shop = 1"),
    (
        FindingKind::Payment,
        "payment file 1",
        "UPDATE payment_files SET bytes = CAST(replace(bytes, 'DE89', 'DE88') AS BLOB)",
    ),
    (FindingKind::Payment, "shop account 2", "UPDATE shop_accounts SET iban = 'DE88370400440532013000' WHERE id = 2"),
    (FindingKind::Bank, "statement 1", "UPDATE statements SET closing = closing + 1"),
    (FindingKind::Bank, "statement 1", "UPDATE bank_entries SET cents = cents + 1 WHERE id = 1"),
    (FindingKind::Bank, "bank entry 1", "UPDATE bank_entries SET state = 0 WHERE id = 1"),
    (FindingKind::Bank, "bank entry 2", "DELETE FROM statement_entries WHERE entry = 2"),
    (FindingKind::Bank, "settlement 1", "UPDATE payouts_paid SET cents = cents + 1 WHERE id = 1"),
    (FindingKind::Bank, "all payouts paid", "DELETE FROM payouts_paid WHERE id = 2"),
    (FindingKind::Bank, "returned payout 1", "DELETE FROM payouts_paid WHERE id = 2"),
    (FindingKind::Settlement, "settlement 2 shop 2", "UPDATE payouts_back SET cents = cents - 1 WHERE place = 1"),
    (FindingKind::Settlement, "returned payout 2", "UPDATE payouts_back SET approved_by = ' ada' WHERE place = 2"),
    (FindingKind::Transfer, "transfer", "UPDATE transfers SET cents = cents + 1 WHERE kind = 30"),
    (
        FindingKind::Bank,
        "payout refusal 1",
        "INSERT INTO payout_refusals VALUES (1, 1, 2, 'AC04', 'Ada', 0, 1, 'Bo', 1)",
    ),
];

#[test]
fn each_fault_planted_between_settlement_and_bank_is_found() {
    assert_eq!(lived_in().verify().findings, []);
    for (kind, subject, sql) in FAULTS {
        let mut world = lived_in();
        world.tamper(sql);
        let report = world.verify();
        let found = report.findings.iter().any(|finding| finding.kind == kind && finding.subject.starts_with(subject));
        let all: Vec<_> = report.findings.iter().map(ToString::to_string).collect();
        assert!(found, "{kind:?} of {subject} by {sql}\nfound: {all:#?}");
    }
}

#[test]
fn the_books_of_a_year_are_exported_entry_by_entry_and_the_next_one_opens_with_them() {
    let mut world = lived_in();
    let mut export = |year| {
        let mut bytes = Vec::new();
        let report = world.db.read(|tx| tx.fec(year, &mut bytes)).unwrap();
        (report, bytes)
    };
    let (report, bytes) = export(2027);
    let lines: Vec<_> = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).collect();
    assert_eq!(u64::try_from(lines.len()).unwrap(), 1 + 2 * report.entries);
    assert!(lines.iter().all(|line| line.ends_with(b"\r") && line.split(|byte| *byte == b'\t').count() == 18));
    // Three credits of 150.00, sales, settlements, what was paid and came back twice.
    assert_eq!(report.total, cents(3 * 15_000 + 350 + 350 + 350 + 250 + 250 + 250));
    let (next, opening) = export(2028);
    assert_eq!((next.entries, next.total), (1, cents(45_000)));
    assert!(opening.windows(6).any(|window| window == b"467100"));
    assert_eq!(export(2026).0.entries, 0);
}

#[test]
fn a_wrong_bic_is_refused() {
    let mut world = World::credited();
    let (name, iban, by) = ("C".to_owned(), OWN.to_owned(), "A".to_owned());
    let order = FundAccountOrder { name, iban, bic: Some("NOPE".to_owned()), pain: PainVersion::V03, by };
    let refused = world.db.write(|tx| tx.fund_account_set(&order, at(0)));
    assert!(matches!(refused, Err(StoreError::Bank(BankRefusal::Bic(_)))));
}

#[test]
fn a_program_is_never_the_second_person_of_an_account_that_changed_after_the_approval() {
    // Who changed it, who orders the payment, whose name a token has or had.
    for (changed_by, ordered_by, token, is_made) in [
        ("Ada", "Bo", "a third program", true),
        ("Ada", " ada ", "a third program", false),
        ("the till", "Bo", "the till", false),
        ("Ada", "the till", "the till", false),
    ] {
        let mut world = settled();
        world.db.write(|tx| tx.token_add(token, Role::Treasurer, None, sha256(&[b"x"]), at(0))).unwrap();
        world.db.write(|tx| tx.token_revoke(token, at(1))).unwrap();
        let (shop, name, iban, by) = ("B".to_owned(), "B".to_owned(), SHOP_A.to_owned(), changed_by.to_owned());
        let order = ShopAccountOrder { shop, name, iban, by };
        world.db.write(|tx| tx.shop_account_set(&order, at(1_500))).unwrap();
        let order = PaymentOrder { settlement: 1, execute_on: None, by: ordered_by.to_owned() };
        match world.db.write(|tx| tx.payment_file(&order, at(2_000))) {
            Ok(_) => assert!(is_made, "{changed_by}, {ordered_by}"),
            Err(StoreError::Bank(BankRefusal::OwnAccountChange { shop, .. })) => {
                assert!(shop == "B" && !is_made, "{changed_by}, {ordered_by}");
            }
            Err(other) => panic!("{other}"),
        }
    }
}
