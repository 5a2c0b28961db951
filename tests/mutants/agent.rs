//! The agent's core alone, for `deploy/mutants`.

pub mod card {
    //! Of the card's side, what the core names.
    mod uid;
    pub use uid::UidClass;
}
pub mod core;

#[cfg(test)]
mod fixture;
