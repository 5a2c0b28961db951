//! Who may ask and what a wrong request gets, over a real socket.
