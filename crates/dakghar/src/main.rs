//! The open, self-hosted, multi-tenant gateway for the WhatsApp Business Cloud API.
fn main() {}
