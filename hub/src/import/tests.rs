#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a failed unwrap is the test's failure"
)]
use super::*;
use cabas_protocol::Cents;

const KEY: CardKey = CardKey::new([7; 32]);

fn input(name: &str, text: impl Into<Vec<u8>>) -> Input {
    Input { name: name.into(), bytes: text.into() }
}

fn one(text: impl Into<Vec<u8>>) -> Result<ImportPlan, Vec<Problem>> {
    read(&[input("f.csv", text)], &KEY).map(|(plan, _)| plan).map_err(|problems| problems.shown)
}

const HOUSEHOLDS: &str = "household,size,children_under_14,contribution_cents\n";
const CARDS: &str = "card_number,uid_hex,household\n";
const SHOPS: &str = "shop,name,kind,expected_share_permille\n";

#[test]
fn the_three_kinds_are_known_by_their_header() {
    let files = [
        input("h", format!("{HOUSEHOLDS}F1,3,1,4500\n")),
        input("c", format!("{CARDS}1,04a1b2c3d4e5f6,F1\n")),
        input("s", format!("{SHOPS}s1,Épicerie de l'Œuf,grocery,830\n")),
    ];
    let (plan, read) = read(&files, &KEY).unwrap();
    let household = ImportHousehold {
        code: "F1".into(),
        people: Household::new(3, 1).unwrap(),
        contribution: Some(Cents::new(4500).unwrap()),
    };
    assert_eq!(plan.households, [household]);
    let card = KEY.card_ref(&[0x04, 0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6]);
    assert_eq!(plan.cards, [ImportCard { number: 1, card, tier: Tier::Plain, household: "F1".into() }]);
    let shop = ImportShop {
        code: "s1".into(),
        name: "Épicerie de l'Œuf".into(),
        kind: "grocery".into(),
        weight_permille: 830,
    };
    assert_eq!(plan.shops, [shop]);
    assert_eq!(
        read.iter().map(|file| (file.kind, file.rows)).collect::<Vec<_>>(),
        [(Kind::Households, 1), (Kind::Cards, 1), (Kind::Shops, 1)]
    );
}

#[test]
fn separators_byte_order_marks_line_ends_case_and_column_order_do_not_matter() {
    let expected = one(format!("{HOUSEHOLDS}F1,3,1,4500\n")).unwrap();
    for same in [
        "household;size;children_under_14;contribution_cents\nF1;3;1;4500\n",
        "\u{feff}household;size;children_under_14;contribution_cents\r\nF1;3;1;4500\r\n",
        "size,household,contribution_cents,children_under_14\n3,F1,4500,1",
        "Household, Size, Children_Under_14, Contribution_Cents\n F1 , 3 , 1 , 4500 \n\n",
        "household,size,children_under_14,contribution_cents\n\"F1\",\"3\",\"1\",\"4500\"\n",
    ] {
        assert_eq!(one(same).unwrap(), expected, "{same}");
    }
}

#[test]
fn a_bad_household_is_refused_with_its_line() {
    for (line, said) in [
        ("F1,3,1", "3 fields"),
        ("F1,3,1,4500,x", "5 fields"),
        (",3,1,4500", "`household`"),
        ("F 1,3,1,4500", "`household`"),
        ("Dupré,3,1,4500", "`household`"),
        ("F1,0,0,4500", "`size`"),
        ("F1,31,0,4500", "`size`"),
        ("F1,-1,0,4500", "`size`"),
        ("F1,1.5,0,4500", "`size`"),
        ("F1,1e1,0,4500", "`size`"),
        ("F1,٣,0,4500", "`size`"),
        ("F1,+3,0,4500", "`size`"),
        ("F1,3,3,4500", "at least one person"),
        ("F1,3,1,45.00", "`contribution_cents`"),
        ("F1,3,1,", "`contribution_cents`"),
        ("F1,3,1,1000000000000", "`contribution_cents`"),
        ("F1,3,1,99999999999999999999", "`contribution_cents`"),
        ("F1,3,1,299", "under 1 €"),
        ("F0,1,0,100", "same `household` as in f.csv, line 2"),
        ("F1\u{1b}[2J,3,1,4500", "control characters"),
        ("\"F1,3,1,4500", "fields"),
    ] {
        let problems = one(format!("{HOUSEHOLDS}F0,3,1,4500\n{line}\n")).unwrap_err();
        assert_eq!(problems.len(), 1, "{line}: {problems:?}");
        assert!(problems[0].problem.contains(said), "{line}: {}", problems[0]);
        assert_eq!((problems[0].file.as_str(), problems[0].line), ("f.csv", 3), "{line}");
    }
}

#[test]
fn a_bad_card_is_refused_and_its_uid_is_not_repeated() {
    for (line, said) in [
        ("0,04a1b2c3d4e5f6,F1", "`card_number`"),
        ("4294967296,04a1b2c3d4e5f6,F1", "`card_number`"),
        ("2,04a1b2c3d4e5,F1", "`uid_hex`"),
        ("2,04a1b2c3d4e5fg,F1", "`uid_hex`"),
        ("2,+4a1b2c3d4e5f6,F1", "`uid_hex`"),
        ("2,é4a1b2c3d4e5f,F1", "`uid_hex`"),
        ("2,,F1", "`uid_hex`"),
        ("2,08a1b2c3,F1", "random"),
        ("2,01020304,F1", "not unique"),
        ("2,00000000,F1", "not unique"),
        ("2,ffffffff,F1", "not unique"),
        ("2,04040404040404,F1", "not unique"),
        ("2,00000000000000,F1", "not unique"),
        ("2,88a1b2c3,F1", "cascade"),
        ("2,04a1b2c3d4e5f6,", "`household`"),
        ("1,04a1b2c3d4e5f6,F1", "same `card_number`"),
        ("2,04 00 00 00 00 00 01,F1", "same `uid_hex`"),
    ] {
        let problems = one(format!("{CARDS}1,04:00:00:00:00:00:01,F0\n{line}\n")).unwrap_err();
        assert_eq!(problems.len(), 1, "{line}: {problems:?}");
        assert!(problems[0].problem.contains(said), "{line}: {}", problems[0]);
        assert!(!problems[0].problem.to_lowercase().contains("a1b2c3"), "{line}: {}", problems[0]);
    }
}

#[test]
fn uids_of_the_three_lengths_are_taken() {
    let plan = one(format!("{CARDS}1,a1b2c3d4,F\n2,04A1B2C3D4E5F6,F\n3,0802030405060708090a,F\n")).unwrap();
    assert_eq!(plan.cards.len(), 3);
}

#[test]
fn a_bad_shop_is_refused() {
    for (line, said) in [
        ("s2,,grocery,1", "`name`"),
        ("s2,N,,1", "`kind`"),
        ("s2,N,grocery,1001", "`expected_share_permille`"),
        ("s2,N,grocery,171", "1001 thousandths"),
        ("s1,N,grocery,1", "same `shop`"),
        ("s 2,N,grocery,1", "`shop`"),
    ] {
        let problems = one(format!("{SHOPS}s1,A,grocery,830\n{line}\n")).unwrap_err();
        assert_eq!(problems.len(), 1, "{line}: {problems:?}");
        assert!(problems[0].problem.contains(said), "{line}: {}", problems[0]);
    }
    assert!(one(format!("{SHOPS}s1,{},grocery,830\n", "é".repeat(33))).is_err());
}

#[test]
fn a_bad_file_is_refused() {
    for (bytes, said) in [
        (b"".to_vec(), "header"),
        (b"a,b,c\n1,2,3\n".to_vec(), "header"),
        (b"household,size\nF1,2\n".to_vec(), "header"),
        (b"household,size,children_under_14,contribution_cents,name\nF1,2,0,200,Dupont\n".to_vec(), "header"),
        (HOUSEHOLDS.as_bytes().to_vec(), "no row"),
        ([SHOPS.as_bytes(), b"s1,\xc9picerie,grocery,1\n"].concat(), "UTF-8"),
        (vec![0xff; 100], "header"),
    ] {
        let problems = one(bytes.clone()).unwrap_err();
        assert!(problems[0].problem.contains(said), "{bytes:?}: {}", problems[0]);
    }
}

#[test]
fn every_bad_line_is_told_and_no_more_than_the_limit_is_kept() {
    let mut text = HOUSEHOLDS.to_owned();
    for _ in 0..150 {
        text.push_str("F1,0,0,0\n");
    }
    let problems = read(&[input("f", text)], &KEY).unwrap_err();
    assert_eq!((problems.shown.len(), problems.count), (PROBLEMS_MAX, 150));
    assert_eq!(problems.shown[99].line, 101);
}

#[test]
fn a_second_file_of_a_kind_is_refused() {
    let file = format!("{HOUSEHOLDS}F1,3,1,4500\n");
    let problems = read(&[input("a", file.clone()), input("b", file)], &KEY).unwrap_err();
    assert_eq!(problems.shown[0].file, "b");
}

#[test]
fn the_example_fund_has_the_figures_it_is_said_to_have() {
    let file = |name: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/example-fund").join(name);
        input(name, std::fs::read(path).unwrap())
    };
    let files = [file("households.csv"), file("cards.csv"), file("shops.csv")];
    let (plan, _) = read(&files, &KEY).unwrap();

    assert_eq!(plan.households.len(), 108);
    let people: u32 = plan.households.iter().map(|household| household.people.size()).sum();
    // 2.8 people a household: 302.4 in all, and the nearest that can be is 302.
    assert_eq!(people, 302);
    let of_size = |size| plan.households.iter().filter(|household| household.people.size() == size).count();
    assert!((1..=6).all(|size| of_size(size) > 0));
    assert_eq!((1..=6).map(of_size).sum::<usize>(), 108);
    assert!(plan.households.iter().any(|household| household.people.children_under_14() > 0));

    for household in &plan.households {
        let cards = plan.cards.iter().filter(|card| card.household == household.code).count();
        assert!((1..=2).contains(&cards), "{}: {cards} cards", household.code);
    }
    let of_fund = |card: &ImportCard| plan.households.iter().any(|household| household.code == card.household);
    assert!(plan.cards.iter().all(of_fund));
    let uids = std::str::from_utf8(&files[1].bytes).unwrap().lines().skip(1);
    assert!(uids.map(|line| line.split(',').nth(1).unwrap()).all(|uid| uid.len() == 14 && uid.starts_with("04")));

    let shops_of = |kind: &str| plan.shops.iter().filter(|shop| shop.kind == kind).count();
    let kinds = [
        ("organic-store", 2),
        ("solidarity-grocery", 3),
        ("market-gardener", 5),
        ("amap", 2),
        ("bakery", 2),
        ("butcher", 1),
        ("fishmonger", 1),
        ("cheese-maker", 1),
        ("meat-producer", 1),
        ("restaurant", 1),
    ];
    for (kind, count) in kinds {
        assert_eq!(shops_of(kind), count, "{kind}");
    }
    assert_eq!(plan.shops.len(), 19);
    let share = |shops: &mut dyn Iterator<Item = &ImportShop>| shops.map(|shop| shop.weight_permille).sum::<u32>();
    assert_eq!(share(&mut plan.shops.iter().filter(|shop| shop.name.starts_with("Biocoop"))), 830);
    assert_eq!(share(&mut plan.shops.iter()), 1000);
}

#[test]
fn members_are_sealed_as_they_are_read_and_a_bad_line_is_told_without_its_name() {
    let seal = |code: &str, name: &str| Some([code.as_bytes(), b"/", name.as_bytes()].concat());
    let file = |text: &str| [input("m", format!("household,member\n{text}"))];
    let (plan, files) = read_sealing(&file("F1,Zoé Dupré\nF1,Al\nF2,Al\n"), &KEY, &seal).unwrap();
    let sealed: Vec<_> = plan.members.iter().map(|member| (member.household.as_str(), member.sealed.clone())).collect();
    let expected = [("F1", "F1/Zoé Dupré"), ("F1", "F1/Al"), ("F2", "F2/Al")];
    assert_eq!(sealed, expected.map(|(household, name)| (household, name.as_bytes().to_vec())));
    assert_eq!((files[0].kind, files[0].rows), (Kind::Members, 3));
    for (line, said) in [
        ("F 1,Secret", "`household`"),
        ("F1,", "`member`"),
        ("F1,Secret,x", "3 fields"),
        ("F1,Al", "same `member` as in m, line 2"),
    ] {
        let problems = read_sealing(&file(&format!("F1,Al\n{line}\n")), &KEY, &seal).unwrap_err();
        assert_eq!((problems.count, problems.shown[0].line), (1, 3), "{line}");
        assert!(problems.shown[0].problem.contains(said) && !problems.shown[0].problem.contains("Secret"), "{line}");
    }
    let none = read(&file("F1,Al\n"), &KEY).unwrap_err();
    assert!(none.shown[0].problem.contains("keys/"), "without a key no name is kept");
}

const CONTRIBUTIONS: &str = "household,paid_on,cents,reference\n";

fn contributions_of(text: impl Into<Vec<u8>>) -> Result<usize, Vec<(u64, String)>> {
    let read = contributions(&input("c.csv", text));
    read.map(|lines| lines.len())
        .map_err(|problems| problems.shown.into_iter().map(|problem| (problem.line, problem.problem)).collect())
}

#[test]
fn contributions_are_read_line_by_line_or_not_at_all() {
    assert_eq!(contributions_of(format!("{CONTRIBUTIONS}F1,2026-11-03,2500,a 1\nF2,2026-11-04,100,a 2\n")), Ok(2));
    assert_eq!(contributions_of("\u{feff}reference;household;cents;paid_on\r\nb;F1;1;2024-02-29\r\n"), Ok(1));
    let bad = [
        "F1,2026-11-03,25.00,a",
        "F 1,2026-11-03,2500,b",
        "F1,2026-02-29,2500,c",
        "F1,03/11/2026,2500,d",
        "F1,2026-11-03,2500,",
        "F1,2026-11-03,2500",
        "F1,2026-11-03,2500,e",
        "F2,2026-11-03,2500,e",
        &format!("F2,2026-11-03,2500,{}", "x".repeat(65)),
    ];
    let problems = contributions_of(format!("{CONTRIBUTIONS}{}\n", bad.join("\n"))).unwrap_err();
    let said = ["cents", "household", "paid_on", "paid_on", "reference", "3 fields", "line 8", "reference"];
    let lines = [2, 3, 4, 5, 6, 7, 9, 10];
    assert_eq!(problems.len(), said.len(), "{problems:?}");
    for ((problem, line), said) in problems.iter().zip(lines).zip(said) {
        assert!(problem.0 == line && problem.1.contains(said), "line {line}: {problem:?}");
    }
}

#[test]
fn a_file_of_contributions_is_not_taken_for_another_kind_or_the_other_way() {
    for (text, said) in [("", "header"), (HOUSEHOLDS, "header"), ("a,b\n1,2\n", "header"), (CONTRIBUTIONS, "no row")] {
        let problems = contributions_of(text).unwrap_err();
        assert!(problems.len() == 1 && problems[0].0 == 1 && problems[0].1.contains(said), "{text:?}: {problems:?}");
    }
    let problems = one(format!("{CONTRIBUTIONS}F1,2026-11-03,2500,a\n")).unwrap_err();
    assert!(problems.len() == 1 && problems[0].problem.contains("contribution import"), "{problems:?}");
}
