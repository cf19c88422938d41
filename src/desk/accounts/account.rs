//! An account's rows, and what is done to them by others than its owner.

use rusqlite::{Connection, OptionalExtension as _, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::json;
use zeroize::Zeroizing;

use super::code::{self, Code};
use super::derive::{Cost, LoginDigest, Salt, Unlocked};
use super::entry::Second;
use super::sheet::Sheet;
use super::throttle::{self, Failures, Verdict};
use super::wrapped::Keyring;
use super::{Error, Rule, cells, totp};
use crate::desk::cell::Place;
use crate::desk::keyring::RegisterKey;
use crate::desk::rights::Role;
use crate::desk::session::AccountId;
use crate::frame::BoxTime;
use crate::vault::{Entry, Kind, Store, Tx};

/// Recovery codes of an account.
pub const RECOVERY_CODES: usize = 10;

/// Who does something to an account.
#[derive(Debug, Clone, Copy)]
pub struct By<'a> {
    /// Whose session.
    pub account: &'a str,
    /// As what.
    pub role: Role,
}

impl By<'_> {
    /// Whether it makes accounts of `role`: those who see evidence are let in by a chef alone, who holds their keys.
    pub fn makes(self, role: Role) -> bool {
        match self.role {
            Role::Chef => role != Role::Admin,
            Role::Admin => !role.holds_evidence(),
            Role::Agent | Role::Dpd => false,
        }
    }

    /// Whether it closes accounts of `role`: the chef not those of the people who watch over him (RGPD art. 38 §3).
    pub fn closes(self, role: Role) -> bool {
        match self.role {
            Role::Chef => role.holds_evidence(),
            Role::Admin => !role.holds_evidence(),
            Role::Agent | Role::Dpd => false,
        }
    }
}

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Made; its owner has not come yet.
    Invited,
    /// In use.
    Active,
    /// Over. Its keys are gone; its name stays as long as the journal speaks of it.
    Closed,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Invited => "invited",
            Self::Active => "active",
            Self::Closed => "closed",
        }
    }
}

/// Who it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// As it stands on screen and in reports.
    pub name: String,
    /// What is typed to log in.
    pub login: String,
}

/// An account, opened.
#[derive(Debug, Clone)]
pub struct Account {
    /// Opaque.
    pub id: AccountId,
    /// As what.
    pub role: Role,
    /// Where it stands.
    pub state: State,
    /// Whose.
    pub person: Person,
    /// The agent's sheet.
    pub sheet: Option<Sheet>,
    /// Since when.
    pub made: BoxTime,
    /// The last log-in.
    pub entered: Option<BoxTime>,
    /// When the confidentiality notice was last accepted.
    pub noticed: Option<BoxTime>,
    /// What stands open of an invitation or a reset.
    pub invitation: Option<Invitation>,
    /// Wrong log-ins in a row.
    pub failures: Option<Failures>,
    /// Recovery codes that are left.
    pub codes_left: usize,
    /// Counts changes.
    pub version: i64,
}

/// What stands open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Whether it is a reset, and not the first.
    pub reset: bool,
    /// Who proposed it.
    pub proposed: AccountId,
    /// Who confirmed it.
    pub confirmed: Option<AccountId>,
    /// When it lapses.
    pub until: BoxTime,
}

impl Account {
    /// Whether it is locked at `now`.
    pub fn is_locked(&self, now: BoxTime) -> bool {
        matches!(throttle::judge(self.failures, now), Verdict::Locked(_))
    }
}

/// What is written in the journal of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was made, and its owner invited; or invited anew.
    Made,
    /// A second person confirmed the invitation.
    Confirmed,
    /// Its owner chose a password and a second factor.
    Enrolled,
    /// Too many wrong log-ins.
    Locked,
    /// A chef or the admin lifted it.
    Unlocked,
    /// The sheet was written.
    Sheet,
    /// The sheet was written, and suspends or ends.
    Suspended,
    /// A reset was proposed.
    ResetProposed,
    /// A second person confirmed it.
    ResetConfirmed,
    /// It was taken back.
    ResetWithdrawn,
    /// The owner chose a new password and a new second factor.
    Password,
    /// The notice was accepted.
    Notice,
    /// It was closed.
    Closed,
}

/// Writes the change down, by opaque ids.
pub(super) fn tell(
    tx: &mut Tx<'_>,
    now: BoxTime,
    account: &str,
    by: Option<&str>,
    what: Change,
) -> Result<(), Error> {
    let entry = Entry {
        kind: Kind::AccountChanged,
        body: json!({"account": account, "by": by.unwrap_or(account), "what": what}),
    };
    Ok(tx.journal(now, &entry)?)
}

pub(super) fn new_id() -> Result<AccountId, Error> {
    let mut id = [0; 8];
    getrandom::fill(&mut id)?;
    Ok(hex::encode(id))
}

const fn place<'a>(column: &'static str, row: &'a str) -> Place<'a> {
    Place {
        table: "account",
        column,
        row,
    }
}

pub(super) const fn lock_place<'a>(column: &'static str, row: &'a str) -> Place<'a> {
    Place {
        table: "account_lock",
        column,
        row,
    }
}

/// The salt and the cost under which log-ins are digested.
pub fn login_salt(sql: &Connection) -> Result<Salt, Error> {
    let sql = sql.query_row("SELECT salt, memory, passes, lanes FROM login_salt", [], |row| {
        salt_of(row, 0)
    });
    Ok(sql?)
}

pub(super) fn salt_of(row: &Row<'_>, from: usize) -> rusqlite::Result<Salt> {
    Ok(Salt {
        bytes: row.get(from)?,
        cost: Cost {
            memory: row.get(from + 1)?,
            passes: row.get(from + 2)?,
            lanes: row.get(from + 3)?,
        },
    })
}

pub(super) fn time_of(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<BoxTime>> {
    let text: Option<String> = row.get(column)?;
    let read = |text: String| {
        let time = text.parse().map(BoxTime);
        time.map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
        })
    };
    text.map(read).transpose()
}

pub(super) fn role_of(text: &str) -> Result<Role, Error> {
    let role = Role::ALL.into_iter().find(|role| role.as_str() == text);
    role.ok_or(Error::Damaged("role"))
}

/// An account to be made.
pub struct New<'a> {
    /// As what.
    pub role: Role,
    /// Whose.
    pub person: &'a Person,
    /// Its log-in's digest.
    pub login: LoginDigest,
    /// Its sheet, if it is known already.
    pub sheet: Option<&'a Sheet>,
}

/// Makes the rows of an account that nobody can enter yet.
pub(super) fn insert(
    tx: &mut Tx<'_>,
    register: &RegisterKey,
    new: &New<'_>,
    now: BoxTime,
) -> Result<AccountId, Error> {
    let taken = "SELECT 1 FROM account WHERE login = ?";
    if tx.raw().prepare(taken)?.exists([&new.login.0])? {
        return Err(Error::Refused(Rule::LoginTaken));
    }
    let id = new_id()?;
    let person = cells::seal(&register.0, place("person", &id), new.person)?;
    let seal = |sheet| cells::seal(&register.0, place("sheet", &id), sheet);
    let sheet = new.sheet.map(seal).transpose()?;
    tx.raw().execute(
        "INSERT INTO account (id, role, state, login, person, sheet, made, version) VALUES (?, ?, 'invited', ?, ?, ?, ?, 1)",
        params![id, new.role.as_str(), new.login.0, person, sheet, now.to_string()],
    )?;
    Ok(id)
}

/// What an owner has chosen, and what was drawn for him.
pub struct Enrolled {
    salt: Salt,
    unlocked: Unlocked,
    factor: Factor,
    step: u64,
    codes: Vec<Code>,
}

/// The second factor as it is kept: the telephone's secret, and the key under which recovery codes are digested.
pub(super) struct Factor {
    pub(super) secret: totp::Secret,
    pub(super) codes: crate::desk::cell::CellKey,
}

impl Factor {
    fn wrap(&self, by: &Unlocked, id: &str) -> Result<Vec<u8>, Error> {
        let bytes = Zeroizing::new([self.secret.as_bytes(), &self.codes.as_bytes()[..]].concat());
        let cell = crate::desk::cell::seal_bytes(&by.cells(), lock_place("factor", id), &bytes)?;
        Ok(cells::join(&cell))
    }

    pub(super) fn unwrap(bytes: &[u8], by: &Unlocked, id: &str) -> Result<Self, Error> {
        let cell = cells::split(bytes)?;
        let opened = crate::desk::cell::open_bytes(&by.cells(), lock_place("factor", id), &cell)?;
        let damaged = || Error::Damaged("factor");
        let (secret, codes) = opened.split_at_checked(totp::SECRET).ok_or_else(damaged)?;
        Ok(Self {
            secret: totp::Secret::from_bytes(secret).ok_or_else(damaged)?,
            codes: crate::desk::cell::CellKey::from_bytes(codes.try_into().map_err(|_| damaged())?),
        })
    }

    /// Worth nothing to whoever does not know the password.
    pub(super) fn digest(&self, code: &Code) -> [u8; 32] {
        self.codes.blind("recovery code", code.as_str())
    }
}

impl Enrolled {
    /// Of a password that was found good and a second factor that gave a code of `step`. Slow.
    pub fn new(password: &str, secret: totp::Secret, step: u64, cost: Cost) -> Result<Self, Error> {
        let salt = Salt::draw(cost)?;
        let codes = std::iter::repeat_with(|| Code::draw(code::RECOVERY));
        Ok(Self {
            salt,
            unlocked: salt.unlock(password)?,
            factor: Factor {
                secret,
                codes: crate::desk::cell::CellKey::generate()?,
            },
            step,
            codes: codes.take(RECOVERY_CODES).collect::<Result<_, _>>()?,
        })
    }

    /// The recovery codes, to be shown once.
    pub fn codes(&self) -> &[Code] {
        &self.codes
    }

    /// The second factor that its owner has just given.
    pub(super) fn second(&self) -> Second {
        Second::Step(self.step)
    }

    /// Writes what lets the owner in, in place of whatever did before.
    pub(super) fn write(&self, tx: &mut Tx<'_>, id: &str, keyring: &Keyring) -> Result<(), Error> {
        let Salt { bytes, cost } = self.salt;
        tx.raw().execute(
            "INSERT OR REPLACE INTO account_lock (account, salt, memory, passes, lanes, keyring, factor, step)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            params![
                id,
                bytes,
                cost.memory,
                cost.passes,
                cost.lanes,
                keyring.wrap(&self.unlocked, lock_place("keyring", id))?,
                self.factor.wrap(&self.unlocked, id)?,
                self.step
            ],
        )?;
        tx.raw()
            .execute("DELETE FROM account_recovery WHERE account = ?", [id])?;
        for code in &self.codes {
            tx.raw().execute(
                "INSERT INTO account_recovery (account, digest) VALUES (?, ?)",
                params![id, self.factor.digest(code)],
            )?;
        }
        tx.raw().execute(
            "UPDATE account SET state = 'active', version = version + 1 WHERE id = ?",
            [id],
        )?;
        Ok(())
    }

    /// Makes an account whose owner is here, and lets him in from now on.
    pub fn insert(
        &self,
        tx: &mut Tx<'_>,
        keyring: &Keyring,
        new: &New<'_>,
        now: BoxTime,
    ) -> Result<AccountId, Error> {
        let given = keyring.for_role(new.role).ok_or(Error::Refused(Rule::NotYours))?;
        let id = insert(tx, &keyring.register, new, now)?;
        self.write(tx, &id, &given)?;
        tell(tx, now, &id, None, Change::Enrolled)?;
        Ok(id)
    }
}

const COLUMNS: &str = "SELECT a.id, a.role, a.state, a.person, a.sheet, a.made, a.entered, a.noticed, a.version,
       f.count, f.last, i.kind, i.proposed, i.confirmed, i.until,
       (SELECT count(*) FROM account_recovery r WHERE r.account = a.id)
  FROM account a LEFT JOIN entry_failure f ON f.login = a.login LEFT JOIN account_invitation i ON i.account = a.id";

/// One account.
pub fn account(sql: &Connection, register: &RegisterKey, id: &str) -> Result<Account, Error> {
    let mut one = sql.prepare_cached(&format!("{COLUMNS} WHERE a.id = ?"))?;
    let found = one.query_row([id], |row| Ok(read(row, register))).optional()?;
    found.ok_or(Error::Refused(Rule::NoAccount))?
}

/// All of them, in the order in which they were made.
pub fn accounts(sql: &Connection, register: &RegisterKey) -> Result<Vec<Account>, Error> {
    let mut all = sql.prepare_cached(&format!("{COLUMNS} ORDER BY a.made, a.id"))?;
    let rows = all.query_map([], |row| Ok(read(row, register)))?;
    rows.map(|row| row?).collect()
}

fn read(row: &Row<'_>, register: &RegisterKey) -> Result<Account, Error> {
    let id: AccountId = row.get(0)?;
    let person: Vec<u8> = row.get(3)?;
    let sheet: Option<Vec<u8>> = row.get(4)?;
    let open_sheet = |bytes: Vec<u8>| cells::open(&register.0, place("sheet", &id), &bytes);
    let state: String = row.get(2)?;
    let states = [State::Invited, State::Active, State::Closed];
    let count: Option<u32> = row.get(9)?;
    let kind: Option<String> = row.get(11)?;
    Ok(Account {
        role: role_of(&row.get::<_, String>(1)?)?,
        state: states
            .into_iter()
            .find(|known| known.as_str() == state)
            .ok_or(Error::Damaged("state"))?,
        person: cells::open(&register.0, place("person", &id), &person)?,
        sheet: sheet.map(open_sheet).transpose()?,
        made: time_of(row, 5)?.ok_or(Error::Damaged("made"))?,
        entered: time_of(row, 6)?,
        noticed: time_of(row, 7)?,
        version: row.get(8)?,
        failures: count
            .zip(time_of(row, 10)?)
            .map(|(count, last)| Failures { count, last }),
        invitation: match (kind, time_of(row, 14)?) {
            (Some(kind), Some(until)) => Some(Invitation {
                reset: kind == "reset",
                proposed: row.get(12)?,
                confirmed: row.get(13)?,
                until,
            }),
            _ => None,
        },
        codes_left: row.get(15)?,
        id,
    })
}

/// How many accounts of a role are in use.
pub fn active(sql: &Connection, role: Role) -> Result<u32, Error> {
    let count = "SELECT count(*) FROM account WHERE role = ? AND state = 'active'";
    Ok(sql.query_row(count, [role.as_str()], |row| row.get(0))?)
}

/// Counts a change of an account that was shown as `version`.
pub(super) fn bump(tx: &Tx<'_>, id: &str, version: i64) -> Result<(), Error> {
    let bump = "UPDATE account SET version = version + 1 WHERE id = ? AND version = ? AND state != 'closed'";
    match tx.raw().execute(bump, params![id, version])? {
        1 => Ok(()),
        _ => Err(Error::Refused(Rule::Changed)),
    }
}

/// Writes an agent's sheet. Whoever is suspended does not lift it himself. The caller ends the account's sessions,
/// whatever is in the sheet: the next one begins with it.
pub fn set_sheet(
    store: &mut Store,
    register: &RegisterKey,
    by: By<'_>,
    (id, version): (&str, i64),
    sheet: &Sheet,
    (today, now): (jiff::civil::Date, BoxTime),
) -> Result<(), Error> {
    let before = account(store.sql(), register, id)?;
    if by.role != Role::Chef || !before.role.holds_evidence() {
        return Err(Error::Refused(Rule::NotYours));
    }
    let stopped = |sheet: &Sheet| sheet.suspension.is_some() || sheet.ended.is_some();
    if by.account == id && before.sheet.as_ref().is_some_and(stopped) {
        return Err(Error::Refused(Rule::Own));
    }
    let stops = sheet.suspended_on(today).is_some() || sheet.ended.is_some_and(|ended| today >= ended);
    let what = if stops { Change::Suspended } else { Change::Sheet };
    let sealed = cells::seal(&register.0, place("sheet", id), sheet)?;
    store.transaction(|tx| {
        bump(tx, id, version)?;
        tx.raw()
            .execute("UPDATE account SET sheet = ? WHERE id = ?", params![sealed, id])?;
        tell(tx, now, id, Some(by.account), what)
    })
}

/// Lets an account try again at once.
pub fn unlock(
    store: &mut Store,
    register: &RegisterKey,
    by: By<'_>,
    id: &str,
    now: BoxTime,
) -> Result<(), Error> {
    account(store.sql(), register, id)?;
    if !matches!(by.role, Role::Chef | Role::Admin) {
        return Err(Error::Refused(Rule::NotYours));
    }
    if by.account == id {
        return Err(Error::Refused(Rule::Own));
    }
    store.transaction(|tx| {
        let delete = "DELETE FROM entry_failure WHERE login = (SELECT login FROM account WHERE id = ?)";
        tx.raw().execute(delete, [id])?;
        tell(tx, now, id, Some(by.account), Change::Unlocked)
    })
}

/// Closes an account: its keys, its second factor and its log-in are destroyed, its name stays for the journal.
pub fn close(
    store: &mut Store,
    register: &RegisterKey,
    by: By<'_>,
    (id, version): (&str, i64),
    now: BoxTime,
) -> Result<(), Error> {
    let before = account(store.sql(), register, id)?;
    if !by.closes(before.role) {
        return Err(Error::Refused(Rule::NotYours));
    }
    if by.account == id {
        return Err(Error::Refused(Rule::Own));
    }
    let needed = matches!(before.role, Role::Chef | Role::Admin) && before.state == State::Active;
    if needed && active(store.sql(), before.role)? <= 1 {
        return Err(Error::Refused(Rule::LastOne));
    }
    store.transaction(|tx| {
        bump(tx, id, version)?;
        let failures = "DELETE FROM entry_failure WHERE login = (SELECT login FROM account WHERE id = ?)";
        for statement in [
            failures,
            "DELETE FROM account_lock WHERE account = ?",
            "DELETE FROM account_recovery WHERE account = ?",
            "DELETE FROM account_invitation WHERE account = ?",
            "UPDATE account SET state = 'closed', login = NULL WHERE id = ?",
        ] {
            tx.raw().execute(statement, [id])?;
        }
        tell(tx, now, id, Some(by.account), Change::Closed)
    })
}

/// Writes down that the owner accepted the confidentiality notice.
pub fn accept_notice(store: &mut Store, id: &str, now: BoxTime) -> Result<(), Error> {
    store.transaction(|tx| {
        let accept = "UPDATE account SET noticed = ? WHERE id = ?";
        tx.raw().execute(accept, params![now.to_string(), id])?;
        tell(tx, now, id, None, Change::Notice)
    })
}
