//! The kept inputs of every fuzz target, and inputs bent from them: no rule is broken by any.
//!
//! `CABAS_FUZZ_MUTATIONS` and `CABAS_FUZZ_SEED` make it search further; `UPDATE_CORPUS=1` writes what the golden vectors and
//! the examples below give into `tests/fuzz/corpus`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "test code"
)]

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use cabas_tests::fuzzed::{Mutations, TARGETS, target};

/// Bent inputs of each kept one where nothing else is asked for.
const MUTATIONS: u64 = 1_000;
/// The same where one input is a whole dialogue with a card of software, or with a program over a socket.
const MUTATIONS_OF_CARDS: u64 = 100;

type Seeds = Vec<(String, Vec<u8>)>;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fuzz")
}

fn asked(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// What is kept for a target, by name.
fn corpus(name: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder().join("corpus").join(name)).unwrap();
    let files = entries.map(|entry| entry.unwrap());
    files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect()
}

fn run(name: &str, of: &str, bytes: &[u8]) {
    let hex = || bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if catch_unwind(AssertUnwindSafe(|| target(name)(bytes))).is_err() {
        panic!("{name}: {of} breaks a rule: {}", hex());
    }
}

fn replay(name: &str) {
    if std::env::var_os("UPDATE_CORPUS").is_some() {
        update(name);
    }
    let kept = corpus(name);
    assert!(!kept.is_empty(), "{name} has no kept input");
    for (of, bytes) in &kept {
        run(name, of, bytes);
    }
    let whole_dialogue = ["card_identity", "card_issue", "card_purchase", "local_api", "site"].contains(&name);
    let mutations =
        asked("CABAS_FUZZ_MUTATIONS").unwrap_or(if whole_dialogue { MUTATIONS_OF_CARDS } else { MUTATIONS });
    let seeds: Vec<_> = kept.values().cloned().collect();
    let mut bent = Mutations::new(&seeds, asked("CABAS_FUZZ_SEED").unwrap_or(7));
    for (of, bytes) in &kept {
        for number in 0..mutations {
            run(name, &format!("{of}, bent {number}"), &bent.bent(bytes));
        }
    }
}

macro_rules! replays {
    ($($test:ident: $name:literal,)+) => {
        $( #[test] fn $test() { replay($name); } )+

        #[test]
        fn every_target_is_replayed_and_is_a_target_of_the_fuzzer() {
            let replayed = [$($name),+];
            assert_eq!(TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>(), replayed);
            let manifest = std::fs::read_to_string(folder().join("Cargo.toml")).unwrap();
            for name in replayed {
                let main = std::fs::read_to_string(folder().join(format!("fuzz_targets/{name}.rs"))).unwrap();
                assert!(main.contains(&format!("target(\"{name}\")")), "{name}");
                assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
            }
        }
    };
}

replays! {
    a_message_of_caisse_ap_is_read_in_one_way_and_answered: "caisse_ap",
    a_card_that_answers_anything_proves_nothing: "card_answers",
    an_identity_card_with_somebody_in_between_is_still_itself: "card_identity",
    an_issue_with_bent_answers_ends_well_on_an_honest_reader: "card_issue",
    a_purchase_with_somebody_in_between_is_whole_or_not_at_all: "card_purchase",
    a_record_has_one_form_and_one_author: "card_record",
    a_line_of_concert_answers_once_and_never_hangs: "concert",
    a_configuration_opens_no_door_by_mistake: "config",
    a_file_of_contributions_is_taken_whole_or_refused_by_line: "contributions",
    a_payment_of_hw_proxy_has_one_amount_and_one_key: "hw_proxy",
    an_import_is_taken_whole_or_refused_by_line: "import",
    the_local_api_answers_everything_and_sells_nothing_without_a_card: "local_api",
    the_lists_beside_the_journal_are_read_or_refused: "rolls",
    what_says_that_it_is_signed_is_read_in_one_way: "signed",
    a_payload_has_one_encoding_and_counts_by_its_key_alone: "payload",
    the_site_answers_everything_and_never_fails_itself: "site",
    a_bank_statement_adds_up_or_is_refused: "statement",
    what_people_type_means_one_thing: "words",
}

fn update(name: &str) {
    let to = folder().join("corpus").join(name);
    std::fs::create_dir_all(&to).unwrap();
    for (of, bytes) in seeds(name) {
        #[expect(clippy::disallowed_methods, reason = "a file of the source tree, rewritten on request")]
        std::fs::write(to.join(of), bytes).unwrap();
    }
}

fn named(seeds: &[(&str, &str)]) -> Seeds {
    seeds.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect()
}

/// Inputs of our own making.
fn seeds(name: &str) -> Seeds {
    match name {
        "signed" => vectors(),
        "payload" => vectors().into_iter().map(|(name, bytes)| (name, inside(&bytes))).collect(),
        "card_answers" => answers(),
        "card_record" => vec![("record".to_owned(), record())],
        "card_identity" | "card_issue" | "card_purchase" => scripts(),
        "caisse_ap" => named(CAISSE_AP),
        "concert" => concert(),
        "hw_proxy" => named(HW_PROXY),
        "local_api" => named(LOCAL_API),
        "site" => named(SITE),
        "config" => named(CONFIGS),
        "contributions" => named(CONTRIBUTIONS),
        "import" => named(IMPORTS),
        "rolls" => named(ROLLS),
        "statement" => statements(),
        "words" => named(WORDS),
        other => panic!("no seeds for {other}"),
    }
}

fn vectors() -> Seeds {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../protocol/testdata/vectors.json");
    let vectors: BTreeMap<String, String> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    vectors.into_iter().map(|(name, hex)| (name.to_lowercase(), bytes_of(&hex))).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

/// The payload of an envelope (RFC 9052 §4.2).
fn inside(envelope: &[u8]) -> Vec<u8> {
    let mut d = minicbor::Decoder::new(envelope);
    d.tag().unwrap();
    d.array().unwrap();
    d.bytes().unwrap();
    d.map().unwrap();
    d.bytes().unwrap().to_vec()
}

fn record() -> Vec<u8> {
    let record = cabas_card::layout::Record {
        terminal: 7,
        epoch: 2,
        seq: 99,
        time_s: 1_800_000_000,
        cents: 1_250,
        spent_after: 5_875,
        serial: 12,
    };
    record.to_bytes(&cabas_card::Key::new([9; 16]), &[0x04, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66]).to_vec()
}

/// Each kind of change at each exchange of the first twelve.
fn scripts() -> Seeds {
    let change = |how: u8| {
        let all = (0..12_u8).flat_map(|exchange| [exchange, how, 3 + exchange, 0x91]).collect::<Vec<u8>>();
        all.chunks(4).step_by(2).flatten().copied().collect::<Vec<u8>>()
    };
    let names = ["flip", "cut", "more", "status", "leave", "replay", "command"];
    let mut scripts: Seeds = names.iter().zip(0..).map(|(name, how)| ((*name).to_owned(), change(how))).collect();
    scripts.push(("honest".to_owned(), Vec::new()));
    scripts.push(("commit".to_owned(), vec![7, 0, 1, 1]));
    scripts.push(("debit".to_owned(), vec![5, 3, 0x91, 0xae]));
    scripts
}

fn answers() -> Seeds {
    let answer = |bytes: &[u8]| [&[u8::try_from(bytes.len()).unwrap()], bytes].concat();
    let first = [[0x33; 16].as_slice(), &[0x91, 0xaf]].concat();
    let second = [[0x44; 32].as_slice(), &[0x91, 0x00]].concat();
    vec![
        ("ok".to_owned(), [answer(&[0x91, 0]), answer(&first), answer(&second)].concat()),
        ("iso".to_owned(), [answer(&[0x90, 0]), answer(&[0, 0x91, 0]), answer(&first), answer(&second)].concat()),
        ("uid".to_owned(), answer(&[4, 1, 2, 3, 4, 5, 6, 0x90, 0])),
        ("gone".to_owned(), vec![1, 0x90]),
    ]
}

/// What happens on a line: calls, messages, signals, time, and what became of it.
fn concert() -> Seeds {
    let request = |text: &str| [&[0, u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let debit = "010000125010978CAISSE0001A010B010";
    let debit = request(&format!("{}110978          A010B010", &debit[..10]));
    let short = request("010000125001978CAISSE00001");
    let whole = [&[2, 0][..], &debit, &[4, 0, 6, 0, 3, 0, 3, 0]].concat();
    let refused = [&[2, 0][..], &short, &[4, 0, 6, 1, 5, 255, 3, 0, 1, 0x15, 1, 0x15, 3, 0]].concat();
    let silent = [&[2, 0][..], &short, &[4, 0, 6, 0, 5, 255, 5, 255, 5, 255]].concat();
    let begun_anew = [&[2, 0][..], &debit, &[2, 0][..], &debit, &[4, 0, 7, 0]].concat();
    let bent = [&[2, 0][..], &[0, 3, b'a', b'b', b'c'], &[7, 17, 2, 0]].concat();
    vec![
        ("whole".to_owned(), whole),
        ("refused".to_owned(), refused),
        ("silent".to_owned(), silent),
        ("begun_anew".to_owned(), begun_anew),
        ("bent".to_owned(), bent),
    ]
}

const CAISSE_AP: &[(&str, &str)] = &[
    ("debit", "CZ0040300CJ012247300421700CA00201CE003978CD0010CB0041250CC003000BA0010"),
    ("debit_part", "CZ0040301CA00299CE003978CD0010CB0065000000CF008V-000123BF0011CC00300S"),
    ("credit", "CZ0040300CA00201CE003978CD0011CB00299"),
    ("who", "CZ0040300CD001I"),
    ("cut", "CZ0040300CA00201CE003978CD0010CB00412"),
    ("wrapped", "\u{2}CZ0040300CA00201CE003978CD0010CB0041250\u{3}B"),
];

const HW_PROXY: &[(&str, &str)] = &[
    (
        "payment",
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"params\":{\"payment_info\":\"{\\\"amount\\\":12.45,\\\"currency_iso\\\":\\\"EUR\\\",\
         \\\"currency_decimals\\\":2,\\\"payment_mode\\\":\\\"card\\\",\\\"payment_id\\\":\\\"0f8fad5b-d9cb-469f-a165-70867728950e\\\",\
         \\\"order_id\\\":\\\"ORDER1\\\"}\"}}",
    ),
    (
        "old",
        "{\"id\":\"1\",\"params\":{\"payment_info\":\"{\\\"amount\\\":68.32000000000001,\\\"payment_id\\\":\\\"c42\\\",\\\"order_id\\\":5}\"}}",
    ),
    ("cheque", "{\"id\":null,\"params\":{\"payment_info\":\"{\\\"amount\\\":1,\\\"payment_mode\\\":\\\"check\\\"}\"}}"),
    ("none", "{\"id\":1,\"params\":null}"),
];

const LOCAL_API: &[(&str, &str)] = &[
    (
        "sale",
        "POST /api/sales\n{\"lines\":[{\"category\":\"0\",\"cents\":1250}],\"till_ref\":\"T-1\",\"request_id\":\"r1\"}",
    ),
    (
        "typed",
        "POST /api/sales\n{\"lines\":[{\"amount\":\"12,50\"},{\"amount\":\"0.05\"}],\"request_id\":\"r2\",\"training\":true}",
    ),
    ("sale_is", "GET /api/sales/r1"),
    ("cancel", "DELETE /api/sales/r1"),
    ("side", "GET /api/sales/r1/member-side"),
    ("part", "POST /api/sales/r1/accept-part\n{}"),
    ("paper", "POST /api/sales/r1/receipt\n{\"language\":\"fr\"}"),
    ("reversal", "POST /api/sales/r1/reversal\n{\"request_id\":\"u1\"}"),
    ("play", "POST /api/sales/r2/play\n{\"outcome\":\"accepted\"}"),
    (
        "refund",
        "POST /api/refunds\n{\"sale\":{\"terminal\":1,\"epoch\":1,\"seq\":9},\"lines\":[{\"category\":\"0\",\"cents\":5}],\"request_id\":\"u2\"}",
    ),
    ("today", "POST /api/today/4294967295/receipt\n{}"),
    ("kept", "POST /api/printer/kept\n{\"action\":\"discard\"}"),
    ("training", "POST /api/training\n{\"on\":true}"),
    ("cashier", "POST /api/cashier\n{\"code\":\"4815\"}"),
    ("day", "POST /api/day-close\n{\"period\":\"month\"}"),
    ("closings", "GET /api/closings?limit=50&before=7"),
    ("history", "GET /api/history?day=2026-11-28&before=9"),
    ("stan", "GET /api/history?stan=000123"),
    ("answer", "POST /api/till/answer\n{\"question\":\"q1\",\"answer\":\"resend\"}"),
    ("code", "GET /api/phones/code.svg?n=1"),
    ("out", "DELETE /api/phones/1"),
    ("pair", "POST /api/pair\n{\"code\":\"123456\",\"name\":\"Zoé, le matin\"}"),
    ("status", "GET /api/status"),
];

const SITE: &[(&str, &str)] = &[
    ("overview", "GET /api/overview"),
    ("document", "GET /api/openapi.json"),
    ("households", "GET /api/households?search=H&page=2"),
    ("household", "GET /api/households/H0000"),
    ("shops", "GET /api/shops?state=open"),
    ("shop", "POST /api/shops\n{\"shop\":\"s9\",\"name\":\"Marché\",\"kind\":\"stall\",\"by\":\"Ada\"}"),
    ("floor", "POST /api/shops/shop-0/floor\n{\"cents\":1000,\"days\":[1,4]}"),
    (
        "grid",
        "POST /api/grids\n{\"from\":\"2026-12-01\",\"categories\":[{\"id\":0,\"share_percent\":70,\"label_fr\":\"A\",\"label_en\":\"B\"}]}",
    ),
    ("terminal", "POST /api/terminals\n{\"shop\":\"shop-0\"}"),
    ("credit", "POST /api/credits\n{\"month\":\"2026-11\",\"source\":\"Ville\"}"),
    ("rule", "POST /api/rules\n{\"from\":\"2027-01\",\"first_person\":15000,\"expire_months\":2}"),
    ("audit", "GET /api/audit?before=2"),
    ("login", "POST /login\nname=Ada&password=x&lang=fr"),
    ("receipt", "GET /receipt?lang=en"),
    ("fec", "GET /api/fec?year=2026"),
    ("settlements", "GET /api/settlements/1"),
    ("verify", "POST /api/works/verify\n{}"),
];

const CONFIGS: &[(&str, &str)] = &[
    (
        "agent.toml",
        "data_dir = '/var/lib/cabas-agent'\nhub_url = 'https://hub.example:8443'\nlisten = '127.0.0.1:7410'\n\
         phone_listen = '192.168.4.1:7411'\nphone_name = 'caisse.local'\nlanguage = 'fr'\nreader_match = 'PICC'\n\
         printer = 'none'\nprinter_width_mm = 58\nprinter_code_page = 19\nauto_print = true\nsale_timeout_s = 60\n\
         sale_cents_max = 50000\nlock_after_s = 300\nlog = 'info'\n",
    ),
    (
        "hub.toml",
        "data_dir = '/var/lib/cabas-hub'\nlisten = '0.0.0.0:8443'\ntls_certificate = '/etc/cabas/hub.pem'\n\
         tls_key = '/etc/cabas/hub.key'\nlog = 'info'\ncode_valid_hours = 48\nsiren = '732829320'\n",
    ),
    ("open.toml", "listen = '0.0.0.0:8080'\nallow_plain_http = false\n"),
    ("strange.toml", "[data_dir]\nlisten = [1, 2.0, 1979-05-27T07:32:00Z]\na.b.c = { d = '''x''' }\n"),
];

const IMPORTS: &[(&str, &str)] = &[
    ("households.csv", "household,size,children_under_14,contribution_cents\nF1,3,1,4500\nF2,1,0,100\n"),
    (
        "cards.csv",
        "card_number;uid_hex;household\r\n1;04a1b2c3d4e5f6;F1\r\n2;04:A1:B2:C3:D4:E5:F7;F2\r\n3;11223344;F1\r\n",
    ),
    ("shops.csv", "\u{feff}shop,name,kind,expected_share_permille\ns1,\"Épicerie; \"\"Œuf\"\"\",grocery,830\n"),
    ("members.csv", "household,member\nF1,Zoé\nF1,Ali\n"),
    (
        "several.csv",
        "household,size,children_under_14,contribution_cents\nF1,3,1,4500\0card_number,uid_hex,household\n1,04a1b2c3d4e5f6,F1\0\
         household,member\nF1,Zoé\n",
    ),
    ("wrong.csv", "card_number,uid_hex,household\n1,ffffffff,F1\n1,08112233,F1\nx,\u{1b}[2J,\n\"\n"),
];

const CONTRIBUTIONS: &[(&str, &str)] = &[
    ("paid.csv", "household,paid_on,cents,reference\nF1,2026-11-30,4500,V-1\nF2,2026-12-01,100,V-2\n"),
    ("twice.csv", "household;paid_on;cents;reference\nF1;2026-11-30;4500;V-1\nF1;2026-02-30;-1;V-1\n"),
];

const ROLLS: &[(&str, &str)] = &[
    (
        "phones.json",
        "{\"form\":1,\"last_id\":2,\"phones\":[{\"id\":1,\"name\":\"Zoé\",\"token\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,\
         19,20,21,22,23,24,25,26,27,28,29,30,31,32],\"paired_at\":1799999000,\"seen_at\":1799999000}]}",
    ),
    (
        "cashiers.json",
        "{\"form\":1,\"salt\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16],\"rounds\":200000,\"cashiers\":[{\"number\":1,\"label\":\
         \"Zoé\",\"code\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}]}",
    ),
    ("document.pdf", "%PDF-1.7\n"),
    ("page.html", "<!DOCTYPE html><script>1</script>"),
];

const WORDS: &[(&str, &str)] = &[
    ("amount", "12,50"),
    ("amount_dot", "1234.5"),
    ("amount_most", "9999999999,99"),
    ("amount_less", "-0,01"),
    ("amount_arabic", "١٢,50"),
    ("code", "ABCD-EFGH-JKMN"),
    ("code_typed", "oil0 1111-1111"),
    ("digits", "48151623"),
    ("day", "2026-11-30"),
    ("day_french", "30/11/2026"),
    ("day_last", "9999-12-31"),
    ("month", "2026-11"),
    ("uid", "04a1b2c3d4e5f6"),
    ("uid_four", "11:22:33:44"),
    ("uid_same", "11111111"),
    ("hash", "1111111111111111111111111111111111111111111111111111111111111111"),
    ("iban", "FR14 2004 1010 0505 0001 3M02 606"),
    ("label", "Zoé, le matin"),
    ("receipt", "https://hub.example/receipt#0oRNogEnBEhqOAPV8FmQKqBYMKg"),
];

fn statements() -> Seeds {
    let balance = |code: &str, euros: &str| {
        format!(
            "<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy=\"EUR\">{euros}</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
             <Dt><Dt>2026-11-30</Dt></Dt></Bal>"
        )
    };
    let entry = |euros: &str, side: &str, status: &str, details: &str| {
        format!(
            "<Ntry><Amt Ccy=\"EUR\">{euros}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts>{status}</Sts><BookgDt><Dt>2026-11-30</Dt>\
             </BookgDt><ValDt><Dt>2026-11-30</Dt></ValDt><AcctSvcrRef>R1</AcctSvcrRef><BkTxCd/><NtryDtls>{details}</NtryDtls>\
             </Ntry>"
        )
    };
    let details = "<TxDtls><Refs><EndToEndId>E-1</EndToEndId></Refs><Amt Ccy=\"EUR\">45.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>\
                   <RltdPties><Dbtr><Pty><Nm>Zoé</Nm></Pty></Dbtr></RltdPties><RmtInf><Ustrd>V-1</Ustrd></RmtInf></TxDtls>";
    let whole = |version: &str, entries: &str| {
        format!(
            "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.{version}\"><BkToCstmrStmt><GrpHdr><MsgId>M</MsgId>\
             <CreDtTm>2026-12-01T06:00:00</CreDtTm></GrpHdr><Stmt><Id>S1</Id><Acct><Id><IBAN>FR7630006000011234567890189</IBAN>\
             </Id></Acct>{}{}{entries}</Stmt></BkToCstmrStmt></Document>",
            balance("OPBD", "100.00"),
            balance("CLBD", "142.50"),
        )
    };
    let (new, old) = ("<Cd>BOOK</Cd>", "BOOK");
    let two = |status: &str| entry("45.00", "CRDT", status, details) + &entry("2.50", "DBIT", status, "");
    vec![
        ("v08.xml".to_owned(), whole("08", &two(new)).into_bytes()),
        ("v02.xml".to_owned(), whole("02", &two(old)).into_bytes()),
        ("v04.xml".to_owned(), whole("04", &(two(old) + &entry("1.00", "DBIT", "PDNG", ""))).into_bytes()),
        (
            "twice.xml".to_owned(),
            whole("08", &(entry("21.25", "CRDT", new, "") + &entry("21.25", "CRDT", new, ""))).into_bytes(),
        ),
        ("dtd.xml".to_owned(), b"<!DOCTYPE a [<!ENTITY x \"xx\">]><a>&x;</a>".to_vec()),
    ]
}
