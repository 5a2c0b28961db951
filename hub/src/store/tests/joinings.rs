//! Shops that join, stop and leave, and what becomes of the money at their terminals.

use cabas_protocol::{Cents, Timestamp};

use super::world::{NOW, World, at, cents};
use crate::core::joining::{Stage, Step};
use crate::store::{
    Deliverable, ImportConflict, Joining, JoiningDocument, JoiningDone, JoiningRefusal, JoiningStep, StoreError,
    WORDS_BYTES_MAX,
};

fn told(code: &str, step: Step) -> JoiningStep {
    let words = if step.needs_words() { "as agreed" } else { "" };
    let day = NOW.get().div_euclid(86_400);
    JoiningStep {
        code: code.to_owned(),
        step,
        day,
        by: "Ada".to_owned(),
        words: words.to_owned(),
        documents: Vec::new(),
    }
}

fn shop(code: &str) -> Joining {
    Joining { code: code.to_owned(), name: "Ferme".to_owned(), kind: "market-gardener".to_owned(), is_producer: true }
}

fn propose(world: &mut World, code: &str) -> Result<JoiningDone, StoreError> {
    world.db.write(|tx| tx.joining_propose(&shop(code), &told(code, Step::Propose), NOW))
}

fn step(world: &mut World, told: &JoiningStep) -> Result<JoiningDone, StoreError> {
    world.db.write(|tx| tx.joining_step(told, at(10)))
}

fn refusal(result: Result<JoiningDone, StoreError>) -> JoiningRefusal {
    match result {
        Err(StoreError::Joining(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

/// What the slice of household 1 at terminal 1 was ever given.
fn credits(world: &World) -> u64 {
    u64::try_from(world.number::<i64>("SELECT credits FROM accounts WHERE id = (5 << 56) + (1 << 32) + 1")).unwrap()
}

const WAY: [Step; 6] = [Step::Pair, Step::Visit, Step::Present, Step::Consent, Step::Sign, Step::Open];

#[test]
fn a_shop_has_terminals_only_once_it_went_the_whole_way() {
    let mut world = World::credited();
    propose(&mut world, "C").unwrap();
    for by in WAY {
        let code = world.code();
        assert!(world.db.write(|tx| tx.terminal_add("C", &code, NOW)).is_err(), "before {by:?}");
        step(&mut world, &told("C", by)).unwrap();
        world.audit();
    }
    let terminal = world.terminal("C");
    world.extend(&terminal, 1, 100).unwrap();
    let view = world.db.read(|tx| tx.joining("C")).unwrap();
    assert_eq!((view.stage, view.steps.len(), view.joining.is_producer), (Stage::Open, 7, true));
    assert_eq!(view.steps[1].told.by, "Ada");
    world.audit();
}

#[test]
fn a_step_that_says_nothing_or_lies_on_a_day_that_cannot_be_is_not_done() {
    let mut world = World::credited();
    propose(&mut world, "C").unwrap();
    assert!(matches!(refusal(propose(&mut world, "C")), JoiningRefusal::Taken(Stage::Proposed)));
    assert!(matches!(refusal(propose(&mut world, "A")), JoiningRefusal::Taken(Stage::Open)));
    assert!(matches!(refusal(step(&mut world, &told("X", Step::Pair))), JoiningRefusal::Unknown));
    assert!(matches!(refusal(step(&mut world, &told("C", Step::Open))), JoiningRefusal::NotNow(_)));
    step(&mut world, &told("C", Step::Pair)).unwrap();
    let visit = told("C", Step::Visit);
    let silent = JoiningStep { words: " ".to_owned(), ..visit.clone() };
    assert_eq!(refusal(step(&mut world, &silent)), JoiningRefusal::NoWords);
    for day in [visit.day - 1, visit.day + 2] {
        let wrong = JoiningStep { day, ..visit.clone() };
        assert_eq!(refusal(step(&mut world, &wrong)), JoiningRefusal::Day { before: visit.day });
    }
    let nobody = JoiningStep { by: String::new(), ..visit.clone() };
    assert!(matches!(step(&mut world, &nobody), Err(StoreError::Text("by"))));
    assert_eq!(world.db.read(|tx| tx.joining("C")).unwrap().steps.len(), 2, "nothing of all that was kept");
    let document = JoiningDocument::of("visit.pdf".to_owned(), "application/pdf".to_owned(), b"%PDF-1.7");
    let with_document = JoiningStep { documents: vec![document.clone(), document.clone()], ..silent };
    assert_eq!(step(&mut world, &with_document).unwrap().stage, Stage::Visited);
    assert_eq!(world.db.read(|tx| tx.joining("C")).unwrap().steps[2].told.documents, [document]);
}

#[test]
fn what_a_step_says_may_have_lines_and_no_other_control_characters() {
    let mut world = World::credited();
    propose(&mut world, "C").unwrap();
    let told = told("C", Step::Pair);
    for (words, is_taken) in [
        ("Bo, Cy\nmardi".to_owned(), true),
        ("é".repeat(WORDS_BYTES_MAX.div_euclid(2)), true),
        (format!("{}x", "é".repeat(WORDS_BYTES_MAX.div_euclid(2))), false),
        ("Bo\rCy".to_owned(), false),
        ("Bo\x1b[2JCy".to_owned(), false),
        ("Bo\0Cy".to_owned(), false),
    ] {
        let taken = step(&mut world, &JoiningStep { words: words.clone(), ..told.clone() });
        assert_eq!(taken.is_ok(), is_taken, "{words:?}: {taken:?}");
    }
    world.audit();
}

#[test]
fn a_document_is_found_by_its_hash_where_a_step_names_it() {
    let mut world = World::credited();
    let document = JoiningDocument::of("why.txt".to_owned(), "text/plain".to_owned(), b"why");
    let other = JoiningDocument::of("other.txt".to_owned(), "text/plain".to_owned(), b"other");
    propose(&mut world, "C").unwrap();
    step(&mut world, &JoiningStep { documents: vec![document.clone()], ..told("C", Step::Pair) }).unwrap();
    let mut found = |hash| world.db.read(|tx| tx.joining_document(hash)).unwrap();
    assert_eq!((found(document.hash), found(other.hash)), (Some(document), None));
}

#[test]
fn what_lies_at_a_terminal_is_what_its_enrolments_hold() {
    let mut world = World::credited();
    let terminal = world.terminal("A");
    world.terminal("B");
    world.allocate();
    // A second enrolment: what lies by the first one still counts.
    world.enrol_again(terminal.id);
    world.allocate();
    let (sums, views) = world.db.read(|tx| Ok((tx.lying()?, tx.terminals()?))).unwrap();
    assert!(sums.len() == 2 && sums.iter().all(|(_, cents)| !cents.is_zero()), "{sums:?}");
    for (terminal, sum) in sums.clone() {
        let file = world.db.read(|tx| tx.terminal_file(terminal)).unwrap();
        let parts = Cents::sum(file.enrolments.iter().map(|(_, cents)| *cents)).unwrap();
        assert!(views.contains(&file.view) && parts == sum, "{file:?}");
    }
    let slices: i64 = world.number("SELECT sum(credits - debits) FROM accounts WHERE id >> 56 = 5");
    let all = Cents::sum(sums.into_iter().map(|(_, cents)| cents)).unwrap();
    assert_eq!(i64::try_from(all.get()), Ok(slices));
    let unknown = world.db.read(|tx| tx.terminal_file(cabas_protocol::TerminalId::new(99)));
    assert!(matches!(unknown, Err(StoreError::UnknownTerminal(_))), "{unknown:?}");
}

#[test]
fn a_suspended_shop_is_paused_and_its_money_asked_back_and_its_rows_are_still_paid() {
    let mut world = World::credited();
    let (mut a, b) = (world.terminal("A"), world.terminal("B"));
    world.extend(&a, 1, 5_000);
    a.sale(1, 1_000, 1_000, 1);
    let done = step(&mut world, &told("A", Step::Suspend)).unwrap();
    assert_eq!((done.stage, done.recalled, done.revoked), (Stage::Suspended, 3, 0));
    let news = world.news(&a, 0);
    let paused = news.iter().any(|item| matches!(item, Deliverable::TerminalConfig(config) if config.paused));
    assert!(paused, "its terminals stop");
    let recalled = news.into_iter().find_map(|item| {
        if let Deliverable::Recall(recall) = item
            && recall.purse == super::world::purse_ref(1)
        {
            return Some(recall);
        }
        None
    });
    let recall = recalled.unwrap();
    assert_eq!(recall.keep, Cents::ZERO);
    // The sale from before comes late and is paid; what is left comes back and can be spent elsewhere.
    let level = credits(&world);
    a.answer(
        &recall,
        level - 1_000,
        level,
        world.number("SELECT serial FROM slices WHERE id = (5 << 56) + (1 << 32) + 1"),
    );
    world.sync(&mut a);
    assert_eq!(world.owed(), (Cents::ZERO, cents(1_000)));
    let left: i64 = world.number("SELECT credits - debits FROM accounts WHERE id = (5 << 56) + (1 << 32) + 1");
    assert_eq!(left, 0);
    let before = credits(&world);
    world.extend(&a, 1, 15_000);
    world.credit("2026-12");
    world.allocate();
    let after = credits(&world);
    assert_eq!(after, before, "nothing more is laid there");
    world.extend(&b, 1, 14_000).unwrap();
    let code = world.code();
    assert!(matches!(
        world.db.write(|tx| tx.terminal_code(a.id, &code, NOW)),
        Err(StoreError::Joining(JoiningRefusal::NotOpen(Stage::Suspended)))
    ));
    world.audit();
    // Open again: it sells, and gets its part.
    step(&mut world, &told("A", Step::Open)).unwrap();
    world.credit("2027-01");
    world.allocate();
    let again = credits(&world);
    assert!(again > after);
    let news = world.news(&a, 0);
    assert!(news.iter().any(|item| matches!(item, Deliverable::TerminalConfig(config) if !config.paused)));
    world.audit();
}

#[test]
fn a_closed_shop_has_no_right_to_sell_its_codes_are_void_and_its_rows_are_taken() {
    let mut world = World::credited();
    let mut a = world.terminal("A");
    a.sale(1, 1_000, 1_000, 1);
    let code = world.code();
    world.db.write(|tx| tx.terminal_add("A", &code, NOW)).unwrap();
    let done = step(&mut world, &told("A", Step::Close)).unwrap();
    assert_eq!((done.stage, done.recalled, done.revoked), (Stage::Closed, 0, 1));
    let signer = super::world::signer(99);
    assert!(world.db.write(|tx| tx.enrol(&code.locator, signer.public(), NOW)).is_err(), "its codes are void");
    world.sync(&mut a);
    assert_eq!(world.owed(), (Cents::ZERO, cents(1_000)), "what was sold before is paid");
    world.audit();
    // It begins anew under its code, keeps its number, and pays its old debts by the same account.
    propose(&mut world, "A").unwrap();
    for by in WAY {
        step(&mut world, &told("A", by)).unwrap();
    }
    world.terminal("A");
    assert_eq!(world.number::<i64>("SELECT count(*) FROM shops"), 2);
    world.audit();
}

#[test]
fn an_import_opens_new_shops_and_no_shop_that_is_on_its_way() {
    let mut world = World::new();
    propose(&mut world, "C").unwrap();
    let mut plan = super::world::plan();
    plan.shops = vec![super::world::shop("C", 0), super::world::shop("D", 0)];
    let import = |world: &mut World, plan: &crate::store::ImportPlan| {
        world.db.write(|tx| tx.import(plan, &mut || super::world::purse_ref(200), false, Timestamp::new(5))).unwrap()
    };
    let report = import(&mut world, &plan);
    assert_eq!(
        (report.applied, report.conflicts),
        (false, vec![ImportConflict::ShopIsJoining { shop: "C".to_owned() }])
    );
    plan.shops.remove(0);
    assert!(import(&mut world, &plan).applied);
    assert_eq!(world.db.read(|tx| tx.joining("D")).unwrap().stage, Stage::Open);
    world.audit();
}
