//! Links: made for a tenant, and taken back. Whoever opens one connects a number on a page of Dakghar's own.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use url::{Host, Url};

use super::{COUNTED_MAX, Onboarding, deed};
use crate::app::failure::Failure;
use crate::app::signup_settings::OnboardingPage;
use crate::app::stale::ROUNDS_MAX;
use crate::app::tenants::checks::check;
use crate::app::tenants::leaving::check_stays;
use crate::domain::audit::{AuditAction, FieldChanges, Principal};
use crate::domain::ids::{AppId, SignupConfigId};
use crate::domain::page::PageLimit;
use crate::domain::signup::{
    LINK_LIFE, LINK_LIFE_MAX, LINK_LIFE_MIN, Language, Link, NewSignup, OPEN_LINKS_MAX, RETURN_URL_BYTES_MAX, Retried,
    Signup, SignupState,
};
use crate::domain::{ErrorCode, Problem, Secret, TenantId};
use crate::ports::{AuditedChange, Carried};

/// A link, as a client asks for it.
#[derive(Clone, Debug, Default)]
pub struct NewLink {
    /// Its life; [`LINK_LIFE`] when absent.
    pub expires_in: Option<Duration>,
    /// Where the page leads back to.
    pub return_url: Option<String>,
    /// The language of the page; that of the browser when absent.
    pub language: Option<Language>,
    /// The app that the dialog runs with. When absent that of the settings, if it has a login configuration, or else the
    /// only one that has.
    pub app_id: Option<String>,
}

impl NewLink {
    /// Says everything that is wrong at once.
    fn check(&self) -> Result<(), Problem> {
        check(&[
            self.return_url.as_deref().and_then(check_return_url),
            self.expires_in.and_then(check_life),
        ])
    }
}

impl Onboarding {
    /// The page of Dakghar's own, if it is set up.
    pub const fn page(&self) -> Option<&OnboardingPage> {
        self.settings.page.as_ref()
    }

    /// Makes a link for a tenant. Returns it with the signup that it leads to; nobody can read it again.
    pub async fn invite(
        &self,
        tenant_id: &TenantId,
        new: NewLink,
        by: &Principal,
    ) -> Result<(Signup, Secret), Failure> {
        new.check()?;
        let page = self.page().ok_or_else(page_is_off)?;
        let tenant = self.tenants.stored(tenant_id).await?;
        check_stays(tenant.leaving.as_ref())?;
        self.check_open_links(tenant_id).await?;
        let app_id = self.app_of_dialog(new.app_id.as_deref()).await?;
        let secret = Secret::new(URL_SAFE_NO_PAD.encode(self.ids.secret_bytes()));
        let (id, now) = (self.ids.signup_id(), self.clock.now());
        let link = Link {
            expires_at: now + new.expires_in.unwrap_or(LINK_LIFE),
            return_url: new.return_url.map(Arc::from),
            language: new.language,
            browser: None,
        };
        let new = NewSignup {
            id,
            tenant_id: *tenant_id,
            asked_by: by.who,
            key: self.key_of_link(secret.reveal()),
            app_id,
            with: Retried::default(),
        };
        let signup = Signup::invited(new, link, now);
        let deed = deed(by, AuditAction::SignupInvited, &signup);
        let change = AuditedChange::InsertSignup(Box::new(signup.clone()));
        if self.ledger.carry_out(&change, &deed, Vec::new()).await? != Carried::Done {
            return Err(Failure::KeptChanging("signup"));
        }
        tracing::info!(signup_id = %id, %tenant_id, "a link was made");
        let url = Secret::new(format!("{}/onboard/{}", page.base, secret.reveal()));
        Ok((signup, url))
    }

    /// Takes a link back that nobody has used. One that is over stays as it is.
    pub async fn cancel(&self, tenant_id: &TenantId, id: &str, by: &Principal) -> Result<Signup, Failure> {
        for _ in 0..ROUNDS_MAX {
            let mut signup = self.find(tenant_id, id).await?;
            let was = signup.state;
            if !signup.cancel(self.clock.now()) {
                return match was {
                    SignupState::Expired | SignupState::Cancelled => Ok(signup),
                    _ => Err(has_begun().into()),
                };
            }
            let mut fields = FieldChanges::default();
            fields.shown("state", Some(was.as_str()), Some(signup.state.as_str()));
            let deed = deed(by, AuditAction::SignupCancelled, &signup);
            let change = AuditedChange::SaveSignup(Box::new(signup.clone()));
            if self.ledger.carry_out(&change, &deed, fields.into_vec()).await? == Carried::Done {
                signup.version += 1;
                tracing::info!(signup_id = %signup.id, %tenant_id, "a link was taken back");
                return Ok(signup);
            }
        }
        Err(Failure::KeptChanging("signup"))
    }

    /// The app whose dialog the page of a link runs.
    async fn app_of_dialog(&self, asked: Option<&str>) -> Result<AppId, Failure> {
        let first = self.app_for(asked).await?;
        let is_of_settings = self.apps.is_of_settings(&first);
        if self.config_of(&first).is_some() && (asked.is_some() || is_of_settings) {
            return Ok(first);
        }
        if asked.is_none() {
            let mut having = self.apps.ids().await;
            having.retain(|id| self.config_of(id).is_some());
            match having.as_slice() {
                [] => {}
                [only] => return Ok(only.clone()),
                _ => {
                    let message = "must name one of the apps that have a signupConfigId, because several have one";
                    return Err(Problem::field(ErrorCode::InvalidField, "/appId", message).into());
                }
            }
        }
        Err(no_config(&first, is_of_settings).into())
    }

    /// The login configuration that the dialog of an app runs with.
    pub(super) fn config_of(&self, app: &AppId) -> Option<SignupConfigId> {
        let of_settings = self.page().and_then(|page| page.config_id.as_ref());
        let of_settings = of_settings.filter(|_| self.apps.is_of_settings(app));
        of_settings.cloned().or_else(|| self.apps.signup_config(app))
    }

    async fn check_open_links(&self, tenant_id: &TenantId) -> Result<(), Failure> {
        let newest = self.store.list_signups(tenant_id, None, PageLimit::items(COUNTED_MAX));
        let (newest, now) = (newest.await?.items, self.clock.now());
        let open = newest.iter().filter(|signup| signup.is_open_link(now)).count();
        if open < OPEN_LINKS_MAX {
            return Ok(());
        }
        let detail =
            format!("{OPEN_LINKS_MAX} links of the tenant are open; take one back, or wait until one is over.");
        Err(Problem::new(ErrorCode::TooManyLinks, detail).into())
    }

    /// A keyed hash of the secret of a link. It is neither one of a code nor one of an API key, which begin otherwise.
    pub(super) fn key_of_link(&self, secret: &str) -> Vec<u8> {
        self.secrets.hash_api_key(&text_of_link(secret))
    }
}

/// The text whose keyed hash finds a link.
pub(super) fn text_of_link(secret: &str) -> String {
    format!("onboarding link/{secret}")
}

fn check_life(life: Duration) -> Option<Problem> {
    let is_fine = (LINK_LIFE_MIN..=LINK_LIFE_MAX).contains(&life);
    (!is_fine).then(|| {
        let (min, max) = (LINK_LIFE_MIN.as_secs(), LINK_LIFE_MAX.as_secs());
        let message = format!("must be {min} to {max}");
        Problem::field(ErrorCode::InvalidField, "/expiresInSeconds", message)
    })
}

fn check_return_url(text: &str) -> Option<Problem> {
    let refuse = |code, message: String| Some(Problem::field(code, "/returnUrl", message));
    if text.len() > RETURN_URL_BYTES_MAX {
        let message = format!("must have at most {RETURN_URL_BYTES_MAX} bytes");
        return refuse(ErrorCode::InvalidUrl, message);
    }
    let is_bare = !text.contains(|c: char| c.is_control() || c.is_whitespace());
    let Some(url) = Url::parse(text).ok().filter(|url| is_bare && url.has_host()) else {
        return refuse(
            ErrorCode::InvalidUrl,
            "must be a URL such as https://example.com/done".to_owned(),
        );
    };
    if !url.username().is_empty() || url.password().is_some() {
        return refuse(
            ErrorCode::InvalidUrl,
            "must not hold a user name or a password".to_owned(),
        );
    }
    let is_allowed = match url.scheme() {
        "https" => true,
        "http" => is_this_machine(&url),
        _ => false,
    };
    if is_allowed {
        return None;
    }
    refuse(
        ErrorCode::HttpsRequired,
        "must be an https URL; http is allowed for localhost only".to_owned(),
    )
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(addr)) => addr.is_loopback(),
        Some(Host::Ipv6(addr)) => addr.is_loopback(),
        None => false,
    }
}

fn page_is_off() -> Problem {
    let detail =
        "Set PUBLIC_URL, and SIGNUP_CONFIG_ID or the signupConfigId of an app, so that Dakghar can offer the page.";
    Problem::new(ErrorCode::OnboardingPageOff, detail)
}

/// A login configuration belongs to one app at Meta, so that of another app is of no use.
fn no_config(app: &AppId, is_of_settings: bool) -> Problem {
    let detail = if is_of_settings {
        format!("Set SIGNUP_CONFIG_ID to a login configuration of the app {app}, so that the page can run its dialog.")
    } else {
        format!(
            "The app {app} has no login configuration here. Give it one of its own: PATCH /apps/{app} with \
             signupConfigId, or dakghar app set {app} --signup-config-id."
        )
    };
    Problem::new(ErrorCode::OnboardingPageOff, detail)
}

fn has_begun() -> Problem {
    let detail = "A customer has used the link already; the signup goes on.";
    Problem::new(ErrorCode::SignupBegun, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code_of(url: &str) -> Option<ErrorCode> {
        check_return_url(url).map(|problem| problem.code)
    }

    #[test]
    fn a_page_leads_back_to_https_only() {
        let long = format!("https://example.com/{}", "a".repeat(RETURN_URL_BYTES_MAX));
        for (url, code) in [
            ("https://example.com", None),
            ("https://example.com/done?x=1#y", None),
            ("http://localhost:3000/done", None),
            ("http://127.0.0.1/done", None),
            ("http://[::1]/done", None),
            ("http://example.com", Some(ErrorCode::HttpsRequired)),
            ("http://localhost.example.com", Some(ErrorCode::HttpsRequired)),
            ("ftp://example.com", Some(ErrorCode::HttpsRequired)),
            ("javascript:alert(1)", Some(ErrorCode::InvalidUrl)),
            ("data:text/html,x", Some(ErrorCode::InvalidUrl)),
            ("//example.com", Some(ErrorCode::InvalidUrl)),
            ("/done", Some(ErrorCode::InvalidUrl)),
            ("", Some(ErrorCode::InvalidUrl)),
            ("https://", Some(ErrorCode::InvalidUrl)),
            ("https://a b.example.com", Some(ErrorCode::InvalidUrl)),
            ("https://example.com/\n", Some(ErrorCode::InvalidUrl)),
            ("https://user@example.com", Some(ErrorCode::InvalidUrl)),
            ("https://user:word@example.com", Some(ErrorCode::InvalidUrl)),
            (&long, Some(ErrorCode::InvalidUrl)),
        ] {
            assert_eq!(code_of(url), code, "{url}");
        }
    }

    #[test]
    fn a_link_lives_neither_too_short_nor_too_long() {
        for (life, is_fine) in [
            (LINK_LIFE_MIN, true),
            (LINK_LIFE, true),
            (LINK_LIFE_MAX, true),
            (LINK_LIFE_MIN.saturating_sub(Duration::from_secs(1)), false),
            (LINK_LIFE_MAX + Duration::from_secs(1), false),
        ] {
            assert_eq!(check_life(life).is_none(), is_fine, "{life:?}");
        }
    }
}
