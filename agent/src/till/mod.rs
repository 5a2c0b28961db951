//! What tills ask the terminal for, whatever protocol they speak.

pub mod caisse_ap;
