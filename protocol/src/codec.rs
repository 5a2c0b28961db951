//! Deterministic CBOR (RFC 8949 §4.2.1) with integer keys, decoded strictly.
//!
//! What is accepted has exactly one form: definite lengths, shortest integers, keys in ascending order, none twice,
//! nothing behind the end. In the outermost map a *negative* key is an extension: its value is a short byte string and
//! a reader that does not know it ignores it (the signature covers it all the same). Every other key that a reader does
//! not know is critical: the object is refused.

use minicbor::data::Type;
use minicbor::{Decode, Decoder, Encode, Encoder};

/// How deep arrays and maps may nest.
pub const DEPTH_MAX: usize = 6;
/// How long the value of one extension may be, in bytes.
pub const EXTENSION_BYTES_MAX: usize = 64;
/// How many extensions one object may carry.
pub const EXTENSIONS_MAX: usize = 8;

/// Why bytes are not an object. All of it is the sender's fault.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// Longer than the type's limit.
    #[error("{len} bytes are over the limit of {max}")]
    TooLarge {
        /// What came.
        len: usize,
        /// What is allowed.
        max: usize,
    },
    /// Bytes behind the end.
    #[error("{0} bytes behind the end of the object")]
    TrailingBytes(usize),
    /// Nested too deep.
    #[error("nested deeper than {DEPTH_MAX} levels, at byte {0}")]
    TooDeep(usize),
    /// A key twice, or keys out of order.
    #[error("a map key is repeated or out of order at byte {0}")]
    KeyOrder(usize),
    /// An indefinite length, a float, a tag, null, or a key that is no integer.
    #[error("an item that this form does not use, at byte {0}")]
    ForeignItem(usize),
    /// A key that this version does not know and may not ignore.
    #[error("a critical field that this version does not know")]
    UnknownCriticalField,
    /// The same object has another, shorter form.
    #[error("not the one canonical form")]
    NotCanonical,
    /// An extension with a value that is too long or no byte string, or too many of them.
    #[error("a malformed extension at byte {0}")]
    BadExtension(usize),
    /// A field is missing or of the wrong type, length or range.
    #[error("not a well-formed field: {0}")]
    Field(#[from] minicbor::decode::Error),
    /// A list or text is longer than its named limit, or a value makes no sense.
    #[error("field `{0}` is out of its limits")]
    Limit(&'static str),
}

/// Encodes an object. Writing into memory cannot fail.
#[must_use]
pub fn encode<T: Encode<()>>(value: &T) -> Vec<u8> {
    written(|e| e.encode(value)?.ok())
}

/// What `write` writes.
#[expect(
    clippy::panic,
    reason = "memory does not refuse a write, and no encoder of this crate has an error of its own"
)]
pub(crate) fn written(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Result<(), MemoryError>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(256);
    match write(&mut Encoder::new(&mut bytes)) {
        Ok(()) => bytes,
        Err(never) => panic!("an encoder failed in memory: {never}"),
    }
}

pub(crate) type MemoryError = minicbor::encode::Error<std::convert::Infallible>;

/// Decodes exactly one object of at most `max` bytes.
///
/// # Errors
/// [`CodecError`] says what is wrong and where.
pub fn decode<T: Encode<()> + for<'b> Decode<'b, ()>>(bytes: &[u8], max: usize) -> Result<T, CodecError> {
    if bytes.len() > max {
        return Err(CodecError::TooLarge { len: bytes.len(), max });
    }
    let mut d = Decoder::new(bytes);
    let known_end = walk_outer(&mut d)?;
    let rest = bytes.len().saturating_sub(d.position());
    if rest > 0 {
        return Err(CodecError::TrailingBytes(rest));
    }
    let value: T = minicbor::decode(bytes)?;
    check_canonical(bytes, &encode(&value), known_end)?;
    Ok(value)
}

/// Walks the outermost item and tells where its known fields end, if it is a map with extensions.
fn walk_outer(d: &mut Decoder<'_>) -> Result<Option<KnownFields>, CodecError> {
    if d.datatype()? != Type::Map {
        walk(d, 1)?;
        return Ok(None);
    }
    let mut keys = Keys::default();
    let pairs = definite(d.map()?, 0)?;
    let start = d.position();
    let mut known = None;
    let mut extensions = 0_usize;
    for index in 0..pairs {
        let at = d.position();
        let key = keys.read(d)?;
        if key < 0 {
            known.get_or_insert(KnownFields { start, end: at, count: index });
            extensions = extensions.saturating_add(1);
            let value_at = d.position();
            let short = d.datatype()? == Type::Bytes && d.bytes()?.len() <= EXTENSION_BYTES_MAX;
            if !short || extensions > EXTENSIONS_MAX {
                return Err(CodecError::BadExtension(value_at));
            }
        } else {
            walk(d, 2)?;
        }
    }
    Ok(Some(known.unwrap_or(KnownFields { start, end: d.position(), count: pairs })))
}

/// Where the fields with non-negative keys lie.
struct KnownFields {
    start: usize,
    end: usize,
    count: u64,
}

/// What was decoded must encode to the same bytes again, extensions aside.
fn check_canonical(bytes: &[u8], again: &[u8], known: Option<KnownFields>) -> Result<(), CodecError> {
    let Some(known) = known else {
        return if bytes == again { Ok(()) } else { Err(CodecError::NotCanonical) };
    };
    let mut d = Decoder::new(again);
    let count = definite(d.map()?, 0)?;
    if count < known.count {
        return Err(CodecError::UnknownCriticalField);
    }
    let fields_again = again.get(d.position()..);
    let fields = bytes.get(known.start..known.end);
    if count == known.count && fields.is_some() && fields == fields_again && header_is_shortest(bytes, known.start) {
        Ok(())
    } else {
        Err(CodecError::NotCanonical)
    }
}

/// The header of the outermost map is as short as it can be.
fn header_is_shortest(bytes: &[u8], start: usize) -> bool {
    let mut d = Decoder::new(bytes);
    let Ok(Some(pairs)) = d.map() else { return false };
    written(|e| e.map(pairs)?.ok()).len() == start
}

/// The keys of one map, each higher than the one before in canonical order: 0, 1, 2, … then -1, -2, ….
#[derive(Default)]
struct Keys(Option<i64>);

impl Keys {
    #[expect(clippy::wildcard_enum_match_arm, reason = "a library's enum: what is not named is foreign")]
    fn read(&mut self, d: &mut Decoder<'_>) -> Result<i64, CodecError> {
        let at = d.position();
        let key = match d.datatype()? {
            Type::U8 | Type::U16 | Type::U32 | Type::I8 | Type::I16 | Type::I32 => d.i64()?,
            _ => return Err(CodecError::ForeignItem(at)),
        };
        let rises = match self.0 {
            None => true,
            Some(before) if before >= 0 => key > before || key < 0,
            Some(before) => key < before,
        };
        self.0 = Some(key);
        if rises { Ok(key) } else { Err(CodecError::KeyOrder(at)) }
    }
}

/// Checks lengths, keys and depth of one item. The depth is bounded, and so is the recursion.
#[expect(clippy::wildcard_enum_match_arm, reason = "a library's enum: what is not named is foreign")]
fn walk(d: &mut Decoder<'_>, depth: usize) -> Result<(), CodecError> {
    let at = d.position();
    if depth > DEPTH_MAX {
        return Err(CodecError::TooDeep(at));
    }
    let deeper = depth.saturating_add(1);
    match d.datatype()? {
        Type::Array => {
            for _ in 0..definite(d.array()?, at)? {
                walk(d, deeper)?;
            }
        }
        Type::Map => {
            let mut keys = Keys::default();
            for _ in 0..definite(d.map()?, at)? {
                keys.read(d)?;
                walk(d, deeper)?;
            }
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 => drop(d.u64()?),
        Type::Bool => drop(d.bool()?),
        Type::Bytes => drop(d.bytes()?),
        Type::String => drop(d.str()?),
        _ => return Err(CodecError::ForeignItem(at)),
    }
    Ok(())
}

fn definite(length: Option<u64>, at: usize) -> Result<u64, CodecError> {
    length.ok_or(CodecError::ForeignItem(at))
}

/// An encoded item carried inside another as it is: its type is known only from a field beside it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RawItem(Vec<u8>);

impl RawItem {
    /// The item's encoding.
    #[must_use]
    pub fn of<T: Encode<()>>(value: &T) -> Self {
        Self(encode(value))
    }

    /// The bytes of the item.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl<C> Encode<C> for RawItem {
    fn encode<W: minicbor::encode::Write>(
        &self,
        e: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.writer_mut().write_all(&self.0).map_err(minicbor::encode::Error::write)
    }
}

impl<'b, C> Decode<'b, C> for RawItem {
    fn decode(d: &mut Decoder<'b>, _: &mut C) -> Result<Self, minicbor::decode::Error> {
        let start = d.position();
        d.skip()?;
        let item = d.input().get(start..d.position()).unwrap_or_default();
        Ok(Self(item.to_vec()))
    }
}

/// Checks a list's length against its named limit.
///
/// # Errors
/// [`CodecError::Limit`] names the field.
pub fn at_most(field: &'static str, len: usize, max: usize) -> Result<(), CodecError> {
    if len > max { Err(CodecError::Limit(field)) } else { Ok(()) }
}

/// Checks a text for people: at most `max` bytes, no control characters.
///
/// # Errors
/// [`CodecError::Limit`] names the field.
pub fn text(field: &'static str, text: &str, max: usize) -> Result<(), CodecError> {
    if text.len() > max || text.chars().any(char::is_control) { Err(CodecError::Limit(field)) } else { Ok(()) }
}
