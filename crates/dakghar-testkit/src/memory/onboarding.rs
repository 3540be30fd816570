//! Meta's side of connecting numbers, as a test sets it up. It keeps a journal of what it was asked.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dakghar_core::domain::signup::{AccountFacts, NumberFacts, Subscription};
use dakghar_core::domain::standing::SeenNumber;
use dakghar_core::domain::{AppId, GraphRefusal, PhoneNumberId, Secret, WabaId};
use dakghar_core::ports::{AppAccess, AppSync, Bearer, CreditShare, NumberCallFailure, OnboardingApi, WebhookOverride};
use parking_lot::Mutex;

/// Meta, asked to connect numbers. What it was told nothing of it does not know.
#[derive(Clone, Debug, Default)]
pub struct MemoryOnboarding(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The token for each code.
    codes: HashMap<String, String>,
    used: HashSet<String>,
    /// Tokens that do not work any more.
    revoked: HashSet<String>,
    accounts: BTreeMap<WabaId, (AccountFacts, Vec<NumberFacts>)>,
    subscriptions: BTreeMap<WabaId, Vec<Subscription>>,
    pins: BTreeMap<PhoneNumberId, String>,
    /// The numbers that are checked, where a test set them up.
    standings: BTreeMap<PhoneNumberId, SeenNumber>,
    checks: usize,
    /// The parts of apps on phones that were asked for, each with its number.
    synced: BTreeSet<(PhoneNumberId, &'static str)>,
    next: HashMap<&'static str, VecDeque<Fault>>,
    journal: Vec<String>,
    app: Option<AppId>,
}

#[derive(Debug)]
enum Fault {
    /// It does nothing, and says this.
    Says(NumberCallFailure),
    /// It does what it is asked, and the answer is lost.
    Loses,
}

impl MemoryOnboarding {
    /// A customer finished the dialog: this code is for this token.
    pub fn give_code(&self, code: &str, token: &str) {
        self.0.lock().codes.insert(code.to_owned(), token.to_owned());
    }

    /// An account with these numbers, none of them registered.
    pub fn add_account(&self, account: &str, numbers: &[&str]) {
        let id = WabaId::parse(account).expect("digits");
        let facts = AccountFacts {
            id: id.clone(),
            name: Some("Dhaka Books".into()),
            currency: Some("BDT".into()),
            review_status: Some("APPROVED".into()),
            has_funding: false,
        };
        let number = |id: &&str| NumberFacts {
            display: Some(format!("+{id}").into()),
            verified_name: Some("Dhaka Books".into()),
            status: Some("PENDING".into()),
            platform: Some("NOT_APPLICABLE".into()),
            code_verification: Some("VERIFIED".into()),
            quality: Some("GREEN".into()),
            messaging_limit: Some("TIER_250".into()),
            throughput: Some("STANDARD".into()),
            is_on_app: Some(false),
            ..NumberFacts::only(PhoneNumberId::parse(id).expect("digits"))
        };
        let numbers = numbers.iter().map(number).collect();
        self.0.lock().accounts.insert(id, (facts, numbers));
    }

    /// Changes what it says of a number.
    pub fn change_number(&self, id: &str, change: impl FnOnce(&mut NumberFacts)) {
        let mut state = self.0.lock();
        let mut numbers = state.accounts.values_mut().flat_map(|(_, numbers)| numbers);
        change(numbers.find(|number| number.id.as_str() == id).expect("a number"));
    }

    /// Changes what it says of an account.
    pub fn change_account(&self, id: &str, change: impl FnOnce(&mut AccountFacts)) {
        let id = WabaId::parse(id).expect("digits");
        change(&mut self.0.lock().accounts.get_mut(&id).expect("an account").0);
    }

    /// Changes what it says when a number is checked; at first that the number can send.
    pub fn change_standing(&self, id: &str, change: impl FnOnce(&mut SeenNumber)) {
        let id = PhoneNumberId::parse(id).expect("digits");
        change(self.0.lock().standings.entry(id).or_insert_with(sound));
    }

    /// Sets who gets the webhooks of an account.
    pub fn set_subscriptions(&self, account: &str, subscriptions: Vec<Subscription>) {
        let id = WabaId::parse(account).expect("digits");
        self.0.lock().subscriptions.insert(id, subscriptions);
    }

    /// The app as which calls are made.
    pub fn set_app(&self, app: AppId) {
        self.0.lock().app = Some(app);
    }

    /// The number of checks of numbers that it was asked for.
    pub fn checks(&self) -> usize {
        self.0.lock().checks
    }

    /// The number has this PIN.
    pub fn set_pin(&self, id: &str, pin: &str) {
        let id = PhoneNumberId::parse(id).expect("digits");
        self.0.lock().pins.insert(id, pin.to_owned());
    }

    /// The PIN of a number.
    pub fn pin(&self, id: &str) -> Option<String> {
        let id = PhoneNumberId::parse(id).expect("digits");
        self.0.lock().pins.get(&id).cloned()
    }

    /// The app gets the webhooks of an account since long, at this URL or at its own.
    pub fn subscribe_app(&self, account: &str, app: &AppId, override_url: Option<&str>) {
        let id = WabaId::parse(account).expect("digits");
        let subscription = Subscription {
            app_id: app.clone(),
            override_url: override_url.map(Into::into),
        };
        let mut state = self.0.lock();
        state.app = Some(app.clone());
        state.subscriptions.insert(id, vec![subscription]);
    }

    /// The apps that get the webhooks of an account, and where.
    pub fn subscribed(&self, account: &str) -> Vec<Subscription> {
        let id = WabaId::parse(account).expect("digits");
        self.0.lock().subscriptions.get(&id).cloned().unwrap_or_default()
    }

    /// The next call of this name is refused with this code, and has no effect.
    pub fn refuse_next(&self, call: &'static str, code: i64) {
        self.refuse(call, code, None);
    }

    /// The same, and Meta asks to wait for so long.
    pub fn refuse_next_for(&self, call: &'static str, code: i64, wait: Duration) {
        self.refuse(call, code, Some(wait));
    }

    fn refuse(&self, call: &'static str, code: i64, retry_after: Option<Duration>) {
        let refusal = GraphRefusal {
            http_status: 400,
            code,
            subcode: None,
            message: format!("(#{code}) refused").into(),
            details: None,
            is_transient: None,
            retry_after,
            fbtrace_id: Some("trace-1".into()),
        };
        self.fault(call, Fault::Says(NumberCallFailure::Refused(refusal)));
    }

    /// The next call of this name has no answer and no effect.
    pub fn ignore_next(&self, call: &'static str) {
        self.fault(call, Fault::Says(NumberCallFailure::NoAnswer("no answer".into())));
    }

    /// The next call of this name has its effect, and the answer is lost.
    pub fn lose_next(&self, call: &'static str) {
        self.fault(call, Fault::Loses);
    }

    fn fault(&self, call: &'static str, fault: Fault) {
        self.0.lock().next.entry(call).or_default().push_back(fault);
    }

    /// Everything that it did, in its order: the name of each call that changes something, with what it is about.
    pub fn journal(&self) -> Vec<String> {
        self.0.lock().journal.clone()
    }

    fn call<T>(
        &self,
        call: &'static str,
        effect: impl FnOnce(&mut State) -> Result<T, NumberCallFailure>,
    ) -> Result<T, NumberCallFailure> {
        let mut state = self.0.lock();
        let fault = state.next.get_mut(call).and_then(VecDeque::pop_front);
        match fault {
            Some(Fault::Says(failure)) => Err(failure),
            Some(Fault::Loses) => {
                effect(&mut state)?;
                Err(NumberCallFailure::NoAnswer("the answer was lost".into()))
            }
            None => effect(&mut state),
        }
    }
}

/// A number that nothing is wrong with.
fn sound() -> SeenNumber {
    SeenNumber {
        name: Some("Dhaka Books".into()),
        name_status: Some("APPROVED".into()),
        status: Some("CONNECTED".into()),
        quality: Some("GREEN".into()),
        messaging_limit: Some("TIER_250".into()),
        throughput: Some("STANDARD".into()),
        is_on_app: Some(false),
        has_pin: Some(true),
        mode: Some("LIVE".into()),
        health: Some("AVAILABLE".into()),
        ..SeenNumber::default()
    }
}

fn refused(code: i64, subcode: Option<i64>) -> NumberCallFailure {
    NumberCallFailure::Refused(GraphRefusal {
        http_status: 400,
        code,
        subcode,
        message: format!("(#{code}) refused").into(),
        details: None,
        is_transient: None,
        retry_after: None,
        fbtrace_id: Some("trace-2".into()),
    })
}

impl State {
    fn number(&mut self, id: &PhoneNumberId) -> Result<&mut NumberFacts, NumberCallFailure> {
        let mut numbers = self.accounts.values_mut().flat_map(|(_, numbers)| numbers);
        numbers
            .find(|number| number.id == *id)
            .ok_or_else(|| refused(100, Some(33)))
    }

    fn account(&mut self, id: &WabaId) -> Result<&mut (AccountFacts, Vec<NumberFacts>), NumberCallFailure> {
        self.accounts.get_mut(id).ok_or_else(|| refused(100, Some(33)))
    }
}

#[async_trait]
impl OnboardingApi for MemoryOnboarding {
    async fn exchange(&self, app: AppAccess<'_>, code: &Secret) -> Result<Secret, NumberCallFailure> {
        self.call("exchange", |state| {
            let code = code.reveal();
            let token = state
                .codes
                .get(code)
                .cloned()
                .ok_or_else(|| refused(100, Some(36007)))?;
            if !state.used.insert(code.to_owned()) {
                return Err(refused(100, Some(36009)));
            }
            state.app = Some(app.id.clone());
            state.journal.push(format!("exchange {code}"));
            Ok(Secret::new(token))
        })
    }

    async fn account(&self, _: Bearer<'_>, id: &WabaId) -> Result<AccountFacts, NumberCallFailure> {
        self.call("account", |state| Ok(state.account(id)?.0.clone()))
    }

    async fn numbers(&self, _: Bearer<'_>, id: &WabaId) -> Result<Vec<NumberFacts>, NumberCallFailure> {
        self.call("numbers", |state| Ok(state.account(id)?.1.clone()))
    }

    async fn number(&self, _: Bearer<'_>, id: &PhoneNumberId) -> Result<NumberFacts, NumberCallFailure> {
        self.call("number", |state| Ok(state.number(id)?.clone()))
    }

    async fn standing(&self, _: Bearer<'_>, id: &PhoneNumberId) -> Result<SeenNumber, NumberCallFailure> {
        self.call("standing", |state| {
            state.checks += 1;
            Ok(state.standings.entry(id.clone()).or_insert_with(sound).clone())
        })
    }

    async fn profile(&self, _: Bearer<'_>, _: &PhoneNumberId) -> Result<Arc<str>, NumberCallFailure> {
        self.call("profile", |_| Ok(r#"{"about":"Books"}"#.into()))
    }

    async fn subscriptions(&self, _: Bearer<'_>, id: &WabaId) -> Result<Vec<Subscription>, NumberCallFailure> {
        self.call("subscriptions", |state| {
            Ok(state.subscriptions.get(id).cloned().unwrap_or_default())
        })
    }

    async fn subscribe(
        &self,
        _: Bearer<'_>,
        id: &WabaId,
        at: Option<&WebhookOverride>,
    ) -> Result<(), NumberCallFailure> {
        self.call("subscribe", |state| {
            let app_id = state.app.clone().ok_or_else(|| refused(190, None))?;
            let override_url = at.map(|at| at.url.clone());
            let to = override_url.as_deref().unwrap_or("the app's own URL");
            state.journal.push(format!("subscribe {id} {to}"));
            let known = state.subscriptions.entry(id.clone()).or_default();
            known.retain(|known| known.app_id != app_id);
            known.push(Subscription { app_id, override_url });
            Ok(())
        })
    }

    async fn unsubscribe(&self, _: Bearer<'_>, id: &WabaId) -> Result<(), NumberCallFailure> {
        self.call("unsubscribe", |state| {
            state.journal.push(format!("unsubscribe {id}"));
            let app_id = state.app.clone();
            let known = state.subscriptions.entry(id.clone()).or_default();
            known.retain(|known| app_id.as_ref().is_some_and(|app_id| known.app_id != *app_id));
            Ok(())
        })
    }

    async fn revoke(&self, as_: Bearer<'_>) -> Result<(), NumberCallFailure> {
        self.call("revoke", |state| {
            if !state.revoked.insert(as_.token.reveal().to_owned()) {
                return Err(refused(190, None));
            }
            state.journal.push("revoke".to_owned());
            Ok(())
        })
    }

    async fn register(&self, _: Bearer<'_>, id: &PhoneNumberId, pin: &Secret) -> Result<(), NumberCallFailure> {
        self.call("register", |state| {
            let known = state.pins.entry(id.clone()).or_insert_with(|| pin.reveal().to_owned());
            if known != pin.reveal() {
                return Err(refused(133_005, None));
            }
            state.journal.push(format!("register {id}"));
            let number = state.number(id)?;
            number.status = Some("CONNECTED".into());
            number.platform = Some("CLOUD_API".into());
            Ok(())
        })
    }

    async fn deregister(&self, _: Bearer<'_>, id: &PhoneNumberId) -> Result<(), NumberCallFailure> {
        self.call("deregister", |state| {
            state.journal.push(format!("deregister {id}"));
            let number = state.number(id)?;
            number.status = Some("DISCONNECTED".into());
            number.platform = Some("NOT_APPLICABLE".into());
            Ok(())
        })
    }

    async fn sync_app(
        &self,
        _: Bearer<'_>,
        id: &PhoneNumberId,
        what: AppSync,
    ) -> Result<Option<Arc<str>>, NumberCallFailure> {
        let what = match what {
            AppSync::Contacts => "contacts",
            AppSync::History => "history",
        };
        self.call(what, |state| {
            if state.number(id)?.is_on_app == Some(false) {
                return Err(refused(100, None));
            }
            if !state.synced.insert((id.clone(), what)) {
                return Err(refused(2_593_107, None));
            }
            state.journal.push(format!("{what} {id}"));
            Ok(Some(format!("request-of-{what}").into()))
        })
    }

    async fn share_credit(&self, _: Bearer<'_>, share: CreditShare<'_>) -> Result<(), NumberCallFailure> {
        self.call("credit", |state| {
            let CreditShare {
                line,
                account,
                currency,
            } = share;
            state.journal.push(format!("credit {line} {account} {currency}"));
            state.account(account)?.0.has_funding = true;
            Ok(())
        })
    }
}
