#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a failed unwrap is the test's failure")]
use cabas_protocol::head::{HeadContext, ObjectType};
use cabas_protocol::ids::BootId;
use cabas_protocol::row::{ClockQuality, RowBody, RowTime, Start};
use cabas_protocol::sync::TerminalStatus;
use cabas_protocol::{Epoch, FundId, RequestId, Signer, TerminalId, TimeEpoch, Timestamp, Version};

use super::*;

const FUND: FundId = FundId::new(69);
const CONTEXT: HeadContext =
    HeadContext { fund: FUND, incarnation: Incarnation::new(2), time_epoch: TimeEpoch::new(1) };

fn chain() -> ChainId {
    ChainId { fund: FUND, terminal: TerminalId::new(7), epoch: Epoch::new(1) }
}

fn signer(seed: u8) -> Signer {
    Signer::from_seed(&[seed; 32]).unwrap()
}

fn base() -> ChainHead {
    chain().genesis(signer(3).public())
}

fn row(signer: &Signer, terminal: u32, head: ChainHead) -> Signed<Row> {
    signer.sign(&Row {
        head: CONTEXT.head(ObjectType::Row),
        terminal: TerminalId::new(terminal),
        epoch: Epoch::new(1),
        seq: head.seq.next().unwrap(),
        prev: head.hash,
        time: RowTime {
            boot: BootId::new([1; 8]),
            monotonic_ms: 5,
            wall: Timestamp::new(9),
            quality: ClockQuality::Unknown,
        },
        body: RowBody::Start(Start { program: String::from("test") }),
    })
}

/// Two rows that continue the chain.
fn two() -> [Signed<Row>; 2] {
    let first = row(&signer(3), 7, base());
    let head = ChainHead { seq: Seq::new(1), hash: first.hash() };
    [first, row(&signer(3), 7, head)]
}

fn prepared(rows: Vec<Vec<u8>>) -> Result<Upload, PrepareError> {
    let request = SyncRequest {
        head: CONTEXT.head(ObjectType::SyncRequest),
        terminal: TerminalId::new(7),
        epoch: Epoch::new(1),
        nonce: RequestId::new([0; 8]),
        base: base(),
        rows: rows.into_iter().map(ByteVec::from).collect(),
        cursor: 0,
        wait_ms: 0,
        status: TerminalStatus {
            program: String::from("test"),
            wall: Timestamp::new(9),
            clock: ClockQuality::Unknown,
            hot_list: Version::new(0),
            newest: Seq::new(2),
            refused_unfunded: 0,
        },
        held: Vec::new(),
        held_end: false,
        held_list: None,
    };
    prepare(chain(), signer(3).public(), Incarnation::new(2), request)
}

/// What was taken: places and bytes; and how many rows were not.
fn taken(upload: &Upload) -> (Vec<(u32, &[u8])>, usize) {
    (upload.rows().iter().map(|row| (row.seq().get(), row.envelope())).collect(), upload.not_authentic())
}

#[test]
fn rows_that_continue_the_chain_are_taken_as_they_came() {
    let rows = two();
    let upload = prepared(rows.iter().map(|row| row.as_bytes().to_vec()).collect()).unwrap();
    assert_eq!(taken(&upload), (vec![(1, rows[0].as_bytes()), (2, rows[1].as_bytes())], 0));
    assert_eq!((upload.chain(), upload.incarnation(), upload.base()), (chain(), Incarnation::new(2), base()));
    assert_eq!(upload.rows()[1].hash(), rows[1].hash());
    assert_eq!(upload.rows()[1].row().prev, rows[0].hash());
}

#[test]
fn an_upload_without_rows_is_one() {
    assert_eq!(taken(&prepared(vec![]).unwrap()), (vec![], 0));
}

#[test]
fn where_the_chain_is_broken_each_authentic_row_is_taken_and_the_others_are_counted() {
    let rows = two();
    let (second, first) = (rows[1].as_bytes().to_vec(), rows[0].as_bytes().to_vec());
    let (foreign, elsewhere) = (row(&signer(4), 7, base()), row(&signer(3), 8, base()));
    let others = [foreign.as_bytes().to_vec(), elsewhere.as_bytes().to_vec(), vec![0; 3]];
    for other in &others {
        let upload = prepared(vec![second.clone(), other.clone(), first.clone()]).unwrap();
        assert_eq!(taken(&upload), (vec![(2, &second[..]), (1, &first[..])], 1));
        assert!(prepared(vec![other.clone()]).is_err(), "nothing of it is this terminal's");
    }
    let upload = prepared(vec![second.clone(), first.clone()]).unwrap();
    assert_eq!(taken(&upload), (vec![(2, &second[..]), (1, &first[..])], 0), "the order alone");
    assert!(prepared(others.to_vec()).is_err());
}
