//! Registers a tenant with its first number.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::App;
use crate::domain::message::UnknownOutcome;
use crate::domain::send_request::link;
use crate::domain::tenant::{MESSAGES_PER_SECOND_DEFAULT, MESSAGES_PER_SECOND_MAX};
use crate::domain::{ErrorCode, FieldError, PhoneNumber, PhoneNumberId, Problem, Secret, Tenant, TenantId, WabaId};
use crate::ports::TenantSaved;

/// Every API key starts so, which lets scanners of leaked secrets find it.
pub const API_KEY_PREFIX: &str = "dk_";
const NAME_CHARS_MAX: usize = 200;
const TOKEN_BYTES_MAX: usize = 4096;
const CALLBACK_URL_BYTES_MAX: usize = 2048;
const DISPLAY_NUMBER_CHARS_MAX: usize = 32;

/// What a client says about a new number. Checked by [`App::register_tenant`] and [`App::add_phone_number`].
#[derive(Clone, Debug)]
pub struct NewPhoneNumber {
    /// Meta's id of the number.
    pub phone_number_id: String,
    /// The access token; when absent, that of the tenant's first number is used.
    pub access_token: Option<Secret>,
    /// The account at Meta.
    pub waba_id: Option<String>,
    /// The number as people write it.
    pub display_phone_number: Option<String>,
    /// Meta's limit for the number, 80 when absent.
    pub messages_per_second: Option<u32>,
}

/// What a client says about a new tenant.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// What people call it.
    pub name: String,
    /// Where it wants its events.
    pub callback_url: Option<String>,
    /// What to do when the fate of a send is unknown.
    pub unknown_outcome: Option<UnknownOutcome>,
    /// Its first number.
    pub number: NewPhoneNumber,
}

/// A new tenant, and its API key: the only time anybody sees it.
#[derive(Clone, Debug)]
pub struct RegisteredTenant {
    /// The tenant.
    pub tenant: Tenant,
    /// Its key.
    pub api_key: Secret,
}

impl App {
    /// Registers a tenant. Its number must not belong to another one.
    pub async fn register_tenant(&self, new: NewTenant) -> Result<RegisteredTenant, Problem> {
        let token = new.number.access_token.clone().unwrap_or_else(|| Secret::new(""));
        check(&[
            check_name(&new.name),
            new.callback_url.as_deref().and_then(check_callback_url),
            check_token(&token, "/accessToken"),
            check_number(&new.number),
        ])?;
        let ids = &self.ports().ids;
        let vault = &self.ports().vault;
        let id = ids.tenant_id();
        let api_key = Secret::new(format!(
            "{API_KEY_PREFIX}{}",
            URL_SAFE_NO_PAD.encode(ids.secret_bytes())
        ));
        let wrapped_data_key = vault.new_data_key(&id).await?;
        let number = self.seal_number(&id, &wrapped_data_key, &new.number, &token).await?;
        let now = self.now();
        let tenant = Tenant {
            id,
            name: new.name.trim().to_owned(),
            callback_url: new.callback_url,
            api_key_hash: vault.hash_api_key(api_key.reveal()),
            wrapped_data_key,
            hold: None,
            unknown_outcome: new.unknown_outcome.unwrap_or_default(),
            phone_numbers: vec![number],
            created_at: now,
            updated_at: now,
            removed_at: None,
            version: 0,
        };
        match self.ports().tenants.insert(&tenant).await? {
            TenantSaved::Done => {
                tracing::info!(tenant_id = %tenant.id, "tenant registered");
                Ok(RegisteredTenant { tenant, api_key })
            }
            TenantSaved::PhoneNumberTaken(number) => Err(phone_number_taken(&number)),
            TenantSaved::Stale => Err(Problem::new(ErrorCode::Conflict, "Please try again.")),
        }
    }

    /// The number with its token sealed for this tenant.
    pub(super) async fn seal_number(
        &self,
        tenant_id: &TenantId,
        wrapped_data_key: &[u8],
        new: &NewPhoneNumber,
        token: &Secret,
    ) -> Result<PhoneNumber, Problem> {
        let phone_number_id = parse_phone_number_id(&new.phone_number_id)?;
        let waba_id = new.waba_id.as_deref().map(parse_waba_id).transpose()?;
        let purpose = token_purpose(&phone_number_id);
        let sealed_token = self
            .ports()
            .vault
            .seal(tenant_id, wrapped_data_key, &purpose, token)
            .await?;
        Ok(PhoneNumber {
            phone_number_id,
            waba_id,
            display_phone_number: new.display_phone_number.clone(),
            sealed_token,
            simulated: token.is_mock_token(),
            messages_per_second: new.messages_per_second.unwrap_or(MESSAGES_PER_SECOND_DEFAULT),
            hold: None,
            token_refusals: 0,
        })
    }
}

/// What an access token is sealed for: it opens for no other number.
pub fn token_purpose(phone_number_id: &PhoneNumberId) -> String {
    format!("access_token/{phone_number_id}")
}

pub(super) fn phone_number_taken(number: &PhoneNumberId) -> Problem {
    Problem::field(
        ErrorCode::PhoneNumberTaken,
        "/phoneNumberId",
        format!("{number} is registered already"),
    )
}

pub(super) fn parse_phone_number_id(text: &str) -> Result<PhoneNumberId, Problem> {
    PhoneNumberId::parse(text).map_err(|_| {
        Problem::field(
            ErrorCode::InvalidPhoneNumberId,
            "/phoneNumberId",
            "must be 1 to 20 digits, as Meta shows it",
        )
    })
}

fn parse_waba_id(text: &str) -> Result<WabaId, Problem> {
    WabaId::parse(text).map_err(|_| Problem::field(ErrorCode::InvalidField, "/wabaId", "must be 1 to 32 digits"))
}

/// All that is wrong at once, under the code of the first.
pub(super) fn check(found: &[Option<Problem>]) -> Result<(), Problem> {
    let mut problems = found.iter().flatten();
    let Some(first) = problems.next() else { return Ok(()) };
    let mut all = first.clone();
    let others: Vec<FieldError> = problems.flat_map(|problem| problem.errors.clone()).collect();
    all.errors.extend(others);
    Err(all)
}

pub(super) fn check_name(name: &str) -> Option<Problem> {
    let chars = name.trim().chars().count();
    (chars == 0 || chars > NAME_CHARS_MAX || name.chars().any(char::is_control)).then(|| {
        Problem::field(
            ErrorCode::InvalidName,
            "/name",
            format!("must be 1 to {NAME_CHARS_MAX} printable characters"),
        )
    })
}

pub(super) fn check_token(token: &Secret, pointer: &str) -> Option<Problem> {
    let text = token.reveal();
    (text.is_empty() || text.len() > TOKEN_BYTES_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| {
        let message = format!("must be 1 to {TOKEN_BYTES_MAX} printable ASCII characters without spaces");
        Problem::field(ErrorCode::InvalidToken, pointer, message)
    })
}

pub(super) fn check_number(number: &NewPhoneNumber) -> Option<Problem> {
    parse_phone_number_id(&number.phone_number_id)
        .err()
        .or_else(|| {
            number
                .waba_id
                .as_deref()
                .and_then(|waba_id| parse_waba_id(waba_id).err())
        })
        .or_else(|| number.display_phone_number.as_deref().and_then(check_display_number))
        .or_else(|| number.messages_per_second.and_then(check_rate))
}

pub(super) fn check_display_number(text: &str) -> Option<Problem> {
    (text.is_empty() || text.chars().count() > DISPLAY_NUMBER_CHARS_MAX || text.chars().any(char::is_control)).then(
        || {
            let message = format!("must be 1 to {DISPLAY_NUMBER_CHARS_MAX} printable characters");
            Problem::field(ErrorCode::InvalidField, "/displayPhoneNumber", message)
        },
    )
}

pub(super) fn check_rate(per_second: u32) -> Option<Problem> {
    (!(1..=MESSAGES_PER_SECOND_MAX).contains(&per_second)).then(|| {
        let message = format!("must be 1 to {MESSAGES_PER_SECOND_MAX}");
        Problem::field(ErrorCode::InvalidField, "/messagesPerSecond", message)
    })
}

fn check_callback_url(url: &str) -> Option<Problem> {
    (!link::is_http(url) || url.len() > CALLBACK_URL_BYTES_MAX).then(|| {
        let message = format!("must be an http(s) URL with a host, of at most {CALLBACK_URL_BYTES_MAX} bytes");
        Problem::field(ErrorCode::InvalidUrl, "/callbackUrl", message)
    })
}
