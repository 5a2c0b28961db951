//! Receipts without paper: the address of the page that checks one, and the QR code of it for the member's phone.

use super::{Refusal, Service};
use cabas_protocol::Seq;
use cabas_protocol::e_receipt::to_text;
use cabas_protocol::sync::Standing;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde_json::{Value, json};

/// Pixels of one module: a phone's camera reads it from a screen held at arm's length.
const MODULE_PIXELS: u32 = 4;

impl Service {
    /// The receipt of a row. It is valid while the hub would take this terminal's word for it: the hub has the row, or the
    /// enrolment is open.
    ///
    /// # Errors
    /// [`Refusal::NotFound`] where the row has no receipt.
    pub async fn e_receipt(&self, seq: Seq) -> Result<Value, Refusal> {
        let url = self.e_receipt_url(seq).await?;
        let hub = &self.journal.published().state.hub;
        let is_open = matches!(hub.standing, Standing::Live | Standing::Quarantined);
        Ok(json!({
            "url": url,
            "valid": is_open || seq <= hub.acked.seq,
            "svg": format!("/api/today/{seq}/e-receipt.svg"),
        }))
    }

    /// Its address as a QR code.
    ///
    /// # Errors
    /// As [`Service::e_receipt`].
    pub async fn e_receipt_svg(&self, seq: Seq) -> Result<String, Refusal> {
        let url = self.e_receipt_url(seq).await?;
        let code = QrCode::with_error_correction_level(url, EcLevel::M).map_err(|_| Refusal::Receipt)?;
        Ok(code.render::<svg::Color<'_>>().quiet_zone(true).module_dimensions(MODULE_PIXELS, MODULE_PIXELS).build())
    }

    /// What stands behind `#` stays in the browser: no server's log and no proxy's has it.
    async fn e_receipt_url(&self, seq: Seq) -> Result<String, Refusal> {
        let receipt = self.journal.customer(move |journal| journal.e_receipt(seq)).await?.ok_or(Refusal::NotFound)?;
        Ok(format!("{}/r#{}", self.link.hub_url(), to_text(&receipt)))
    }
}
