//! What the tests of all ways in for tills share: a counter that lets tills in at an address, and what its screens say.

use super::*;
use std::net::SocketAddr;

/// A counter that tills come to.
pub(super) struct Till {
    pub(super) shop: Shop,
    pub(super) address: SocketAddr,
}

/// An address of this machine that nobody has.
pub(super) fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A counter whose door was opened, once tills can come in.
pub(super) async fn opened(shop: Shop, address: SocketAddr) -> Till {
    tokio::spawn(Arc::clone(&shop.service).till_watch());
    let till = Till { shop, address };
    till.until(|status| status["till"]["listening"] == true).await;
    till
}

impl Till {
    pub(super) async fn until(&self, is_so: impl Fn(&Value) -> bool) -> Value {
        for _ in 0..2500 {
            let status = self.shop.service.status();
            if is_so(&status) {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{}", self.shop.service.status());
    }

    /// The sale that waits for its card because of what a till sent.
    pub(super) async fn waits(&self) -> RequestId {
        let status = self.until(|status| status["sale"]["state"] == "waiting").await;
        assert_eq!(status["sale"]["from_till"], true);
        RequestId::from_hex(status["sale"]["id"].as_str().unwrap()).unwrap()
    }

    /// Waits for so many operations that tills may not know of.
    pub(super) async fn unconfirmed(&self, count: usize) -> Value {
        self.until(|status| status["till"]["unconfirmed"].as_array().unwrap().len() == count).await
    }

    /// The sales in the file, and their sum.
    pub(super) async fn closed(self) -> (u32, u64) {
        let folder = self.shop.close().await;
        sales_in(folder.path())
    }
}
