//! Who is logged in, in memory alone: nothing of a session outlives the process.
//!
//! Promises: a session is found by the digest of its token only, so neither memory order nor timing tells tokens apart;
//! it ends when idle too long, when too old, by the clock or by the time that really passed, whatever is done to the clock,
//! when a newer one of the same account begins, or when it is told to, and whoever comes back with its token learns why; the keys that it holds are wiped when its last page is answered.
//! Leaves who may begin one to [`super::accounts`], and writing ends down to whoever calls [`Sessions::take_ended`].

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use jiff::SignedDuration;
use jiff::civil::Date;

use super::keyring::{EvidenceKeys, RegisterKey};
use super::rights::Role;
use crate::frame::{BoxTime, Digest};

/// A session is never longer than this, however busy.
pub const LONGEST: SignedDuration = SignedDuration::from_hours(10);
/// A clock that was set back by more than this ends the sessions that it would make longer.
const CLOCK_PLAY: SignedDuration = SignedDuration::from_mins(2);
/// For how long the token of an ended session still learns why.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// Ended sessions that are remembered at most.
const MOST_REMEMBERED: usize = 1000;

/// An account's opaque id: 16 hexadecimal digits.
pub type AccountId = String;

/// One log-in.
pub struct Session {
    /// Whose.
    pub account: AccountId,
    /// As what.
    pub role: Role,
    /// As it stands on the page: never in the journal.
    pub name: String,
    /// The last day on which the sheet (habilitation, serment, agrément) is valid; none without a valid one.
    pub sheet_until: Option<Date>,
    /// Opens names.
    pub register: RegisterKey,
    /// Opens evidence, of agents and chefs.
    pub evidence: Option<Arc<EvidenceKeys>>,
    /// When it began.
    pub began: BoxTime,
    /// What the next page tells once.
    pub flash: Mutex<Option<String>>,
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Its owner logged out.
    LoggedOut,
    /// No page was asked for in time.
    Idle,
    /// Ten hours are over.
    TooLong,
    /// A newer session of the same account began.
    Replaced,
    /// The sheet was changed or suspended.
    Sheet,
    /// The account was closed, or its password chosen anew.
    Account,
    /// The clock was set back.
    Clock,
    /// The program stopped.
    Stopped,
}

impl End {
    /// The coded motive, for the journal.
    pub const fn code(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged-out",
            Self::Idle => "idle",
            Self::TooLong => "too-long",
            Self::Replaced => "replaced",
            Self::Sheet => "sheet",
            Self::Account => "account",
            Self::Clock => "clock",
            Self::Stopped => "stopped",
        }
    }
}

/// A session that ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Whose.
    pub account: AccountId,
    /// Why.
    pub why: End,
    /// When that was found.
    pub at: BoxTime,
}

struct Entry {
    session: Arc<Session>,
    seen: BoxTime,
    /// The same two moments by a clock that nobody sets. It stands still while the machine sleeps; the other does not.
    began_at: Instant,
    seen_at: Instant,
}

impl Entry {
    fn over(&self, now: BoxTime, at: Instant, idle: SignedDuration) -> Option<End> {
        let since = |then: Instant| {
            let passed = at.saturating_duration_since(then);
            SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX)
        };
        let unseen = now.0.duration_since(self.seen.0);
        if now
            .0
            .duration_since(self.session.began.0)
            .max(since(self.began_at))
            > LONGEST
        {
            Some(End::TooLong)
        } else if unseen.max(since(self.seen_at)) > idle {
            Some(End::Idle)
        } else if unseen < -CLOCK_PLAY {
            Some(End::Clock)
        } else {
            None
        }
    }
}

#[derive(Default)]
struct All {
    by_token: HashMap<Digest, Entry>,
    over: HashMap<Digest, Ended>,
    untold: Vec<Ended>,
}

impl All {
    /// Ends those for which there is a reason; how many.
    fn end(&mut self, now: BoxTime, reason: impl Fn(&Entry) -> Option<End>) -> usize {
        let found = self
            .by_token
            .iter()
            .filter_map(|(token, entry)| Some((*token, reason(entry)?)));
        let found: Vec<_> = found.collect();
        for (token, why) in &found {
            if let Some(entry) = self.by_token.remove(token) {
                let account = entry.session.account.clone();
                let (at, why) = (now, *why);
                let ended = Ended { account, why, at };
                self.untold.push(ended.clone());
                self.over.insert(*token, ended);
            }
        }
        let old = |ended: &Ended| now.0.duration_since(ended.at.0) > REMEMBERED;
        self.over.retain(|_, ended| !old(ended));
        if self.over.len() > MOST_REMEMBERED {
            self.over.clear();
        }
        found.len()
    }
}

/// All of them.
#[derive(Default)]
pub struct Sessions {
    all: Mutex<All>,
}

impl Sessions {
    /// Begins a session and ends any other of that account; its token, for the cookie, and whether there was another.
    pub fn begin(&self, session: Session, now: BoxTime) -> Result<(String, bool), getrandom::Error> {
        let token = draw_token()?;
        let mut all = self.lock();
        let same = |entry: &Entry| (entry.session.account == session.account).then_some(End::Replaced);
        let replaced = all.end(now, same) > 0;
        let at = Instant::now();
        let entry = Entry {
            session: Arc::new(session),
            seen: now,
            began_at: at,
            seen_at: at,
        };
        all.by_token.insert(Digest::of(token.as_bytes()), entry);
        Ok((token, replaced))
    }

    /// Whether a session of that account is open.
    pub fn is_open(&self, account: &str) -> bool {
        let all = self.lock();
        let mut open = all.by_token.values();
        open.any(|entry| entry.session.account == account)
    }

    /// The session of that token, if it still lasts; it was seen now.
    pub fn find(&self, token: &str, now: BoxTime, idle: SignedDuration) -> Option<Arc<Session>> {
        let (mut all, at) = (self.lock(), Instant::now());
        all.end(now, |entry| entry.over(now, at, idle));
        let entry = all.by_token.get_mut(&Digest::of(token.as_bytes()))?;
        entry.seen = entry.seen.max(now);
        entry.seen_at = at;
        Some(entry.session.clone())
    }

    /// Ends those that are over at `now`, though nobody asks for their pages: their keys go too.
    pub fn sweep(&self, now: BoxTime, idle: SignedDuration) {
        let at = Instant::now();
        self.lock().end(now, |entry| entry.over(now, at, idle));
    }

    /// Ends the session of that token: its owner logged out.
    pub fn end(&self, token: &str, now: BoxTime) {
        let token = Digest::of(token.as_bytes());
        let mut all = self.lock();
        let session = all.by_token.get(&token).map(|entry| entry.session.clone());
        all.end(now, |entry| {
            let same = session
                .as_ref()
                .is_some_and(|session| Arc::ptr_eq(session, &entry.session));
            same.then_some(End::LoggedOut)
        });
    }

    /// Ends every session of that account: a suspension works at once.
    pub fn end_all_of(&self, account: &str, why: End, now: BoxTime) {
        self.lock()
            .end(now, |entry| (entry.session.account == account).then_some(why));
    }

    /// Why the session of that token is over, if it was one.
    pub fn ended(&self, token: &str) -> Option<Ended> {
        self.lock().over.get(&Digest::of(token.as_bytes())).cloned()
    }

    /// Ends all of them: the program stops.
    pub fn end_all(&self, why: End, now: BoxTime) {
        self.lock().end(now, |_| Some(why));
    }

    /// The ends that nobody has written down yet.
    pub fn take_ended(&self) -> Vec<Ended> {
        std::mem::take(&mut self.lock().untold)
    }

    /// Gives these keys to everybody logged in who holds the evidence keys: the service has new ones.
    pub fn renew_evidence(&self, keys: &Arc<EvidenceKeys>) {
        for entry in self.lock().by_token.values_mut() {
            if entry.session.evidence.is_none() {
                continue;
            }
            let old = &entry.session;
            let flash = old.flash.lock().unwrap_or_else(PoisonError::into_inner).take();
            entry.session = Arc::new(Session {
                account: old.account.clone(),
                role: old.role,
                name: old.name.clone(),
                sheet_until: old.sheet_until,
                register: old.register.clone(),
                evidence: Some(keys.clone()),
                began: old.began,
                flash: Mutex::new(flash),
            });
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, All> {
        // The maps are whole between any two of their operations.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A cookie's token: 256 random bits, as 64 hexadecimal digits.
pub fn draw_token() -> Result<String, getrandom::Error> {
    let mut token = [0; 32];
    getrandom::fill(&mut token)?;
    Ok(hex::encode(token))
}

#[cfg(test)]
mod tests {
    use super::super::cell::CellKey;
    use super::*;

    const IDLE: SignedDuration = SignedDuration::from_mins(15);

    fn at(minutes: i64) -> BoxTime {
        BoxTime(jiff::Timestamp::from_second(1_800_000_000 + minutes * 60).expect("an instant"))
    }

    fn session(account: &str, began: BoxTime) -> Session {
        Session {
            account: account.to_owned(),
            role: Role::Agent,
            name: "Marie Dupont".to_owned(),
            sheet_until: None,
            register: RegisterKey(CellKey::from_bytes([1; 32])),
            evidence: Some(Arc::new(keys())),
            began,
            flash: Mutex::new(None),
        }
    }

    fn keys() -> EvidenceKeys {
        EvidenceKeys {
            cells: CellKey::from_bytes([2; 32]),
            index: CellKey::from_bytes([3; 32]),
            office: Vec::new(),
        }
    }

    #[test]
    fn a_quarter_of_an_hour_without_a_page_ends_it() {
        let sessions = Sessions::default();
        let (token, _) = sessions.begin(session("a", at(0)), at(0)).expect("begun");
        assert!(sessions.find(&token, at(15), IDLE).is_some());
        assert!(sessions.find(&token, at(30), IDLE).is_some());
        assert!(sessions.find(&token, at(46), IDLE).is_none());
        assert_eq!(sessions.ended(&token).map(|ended| ended.why), Some(End::Idle));
    }

    #[test]
    fn ten_hours_end_it_however_busy() {
        let sessions = Sessions::default();
        let (token, _) = sessions.begin(session("a", at(0)), at(0)).expect("begun");
        for minutes in (10..=600).step_by(10) {
            assert!(sessions.find(&token, at(minutes), IDLE).is_some(), "{minutes}");
        }
        assert!(sessions.find(&token, at(601), IDLE).is_none());
        assert_eq!(sessions.ended(&token).map(|ended| ended.why), Some(End::TooLong));
    }

    #[test]
    fn a_new_log_in_ends_the_older_and_both_can_be_told() {
        let sessions = Sessions::default();
        let (older, first) = sessions.begin(session("a", at(0)), at(0)).expect("begun");
        let (other, _) = sessions.begin(session("b", at(0)), at(0)).expect("begun");
        let (newer, second) = sessions.begin(session("a", at(1)), at(1)).expect("begun");
        assert_eq!((first, second), (false, true));
        assert!(sessions.find(&older, at(2), IDLE).is_none());
        assert!(sessions.find(&newer, at(2), IDLE).is_some());
        assert!(sessions.find(&other, at(2), IDLE).is_some());
        let ended = sessions.ended(&older).expect("remembered");
        assert_eq!((ended.why, ended.at), (End::Replaced, at(1)));
        assert_eq!(sessions.take_ended(), [ended]);
        assert!(sessions.take_ended().is_empty());
    }

    #[test]
    fn keys_are_gone_from_memory_with_the_last_session_that_holds_them() {
        let sessions = Sessions::default();
        let one = session("a", at(0));
        let held = Arc::downgrade(one.evidence.as_ref().expect("keys"));
        let (token, _) = sessions.begin(one, at(0)).expect("begun");
        assert!(held.upgrade().is_some());
        // Nobody asks for a page any more: the sweep alone must do it.
        sessions.sweep(at(16), IDLE);
        assert!(held.upgrade().is_none());
        assert!(sessions.find(&token, at(16), IDLE).is_none());
    }

    #[test]
    fn a_clock_set_back_makes_no_session_longer() {
        let sessions = Sessions::default();
        let (token, _) = sessions.begin(session("a", at(60)), at(60)).expect("begun");
        assert!(sessions.find(&token, at(59), IDLE).is_some());
        assert!(sessions.find(&token, at(57), IDLE).is_none());
        assert_eq!(sessions.ended(&token).map(|ended| ended.why), Some(End::Clock));
    }

    #[test]
    fn a_clock_that_is_held_makes_no_session_longer() {
        let at_once = Instant::now();
        let entry = Entry {
            session: Arc::new(session("a", at(0))),
            seen: at(0),
            began_at: at_once,
            seen_at: at_once,
        };
        let over = |minutes: u64| {
            entry.over(
                at(0),
                at_once + std::time::Duration::from_secs(60 * minutes),
                IDLE,
            )
        };
        assert_eq!(over(15), None);
        assert_eq!(over(16), Some(End::Idle));
        let busy = Entry {
            seen_at: at_once + std::time::Duration::from_secs(601 * 60),
            ..entry
        };
        let later = at_once + std::time::Duration::from_secs(601 * 60);
        assert_eq!(busy.over(at(0), later, IDLE), Some(End::TooLong));
    }

    #[test]
    fn a_suspension_ends_every_session_of_the_account_at_once_and_no_other() {
        let sessions = Sessions::default();
        let (token, _) = sessions.begin(session("a", at(0)), at(0)).expect("begun");
        let (other, _) = sessions.begin(session("b", at(0)), at(0)).expect("begun");
        sessions.end_all_of("a", End::Sheet, at(0));
        assert!(sessions.find(&token, at(0), IDLE).is_none());
        sessions.end(&other, at(0));
        assert!(sessions.find(&other, at(0), IDLE).is_none());
        let ends = sessions.take_ended().into_iter().map(|ended| ended.why);
        assert_eq!(ends.collect::<Vec<_>>(), [End::Sheet, End::LoggedOut]);
    }

    #[test]
    fn tokens_are_random_and_a_new_quarters_keys_reach_everybody_logged_in() {
        let sessions = Sessions::default();
        let (token, _) = sessions.begin(session("a", at(0)), at(0)).expect("begun");
        let (other, _) = sessions.begin(session("b", at(0)), at(0)).expect("begun");
        assert_eq!(token.len(), 64);
        assert_ne!(token, other);
        let new = Arc::new(keys());
        sessions.renew_evidence(&new);
        for token in [token, other] {
            let session = sessions.find(&token, at(1), IDLE).expect("found");
            assert!(Arc::ptr_eq(session.evidence.as_ref().expect("keys"), &new));
        }
    }
}
