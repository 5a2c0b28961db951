//! The parameters of a command, taken one by one. Numbers are least significant byte first.

use super::status::Status;

/// What is left of them.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Status> {
        let (head, rest) = self.0.split_first_chunk().ok_or(Status::LENGTH)?;
        self.0 = rest;
        Ok(*head)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, Status> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Status> {
        self.array().map(u16::from_le_bytes)
    }

    /// A number of three bytes.
    pub(crate) fn u24(&mut self) -> Result<u32, Status> {
        let [low, middle, high] = self.array()?;
        Ok(u32::from_le_bytes([low, middle, high, 0]))
    }

    /// A length or an offset of three bytes.
    pub(crate) fn size(&mut self) -> Result<usize, Status> {
        usize::try_from(self.u24()?).map_err(|_| Status::PARAMETER)
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Status> {
        self.array().map(i32::from_le_bytes)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Refuses whatever is left.
    pub(crate) fn end(self) -> Result<(), Status> {
        if self.0.is_empty() { Ok(()) } else { Err(Status::LENGTH) }
    }
}

/// The three bytes of a length or a count.
pub(crate) fn size_bytes(size: usize) -> [u8; 3] {
    let [low, middle, high, ..] = size.to_le_bytes();
    [low, middle, high]
}
