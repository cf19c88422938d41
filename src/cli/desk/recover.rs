//! `vigie desk recover`: the safe and the admin let a chef de service in again.

use std::path::Path;

use serde::Serialize;

use super::serve::not_opened;
use crate::cli::{Arguments, Exit, Failure, Lang, box_time, json_line, line};
use crate::desk::Office;
use crate::desk::accounts::invitation::Drawn;
use crate::desk::accounts::{Error, Rule, escrow, login_salt};
use crate::vault::{Fingerprint, OfficeKey};

#[derive(Serialize)]
struct Told {
    account: String,
    recovery: Fingerprint,
    first_half: String,
    journal: String,
}

pub fn run(a: &Arguments, desk: &Path, recovery: &Path, login: &str, lang: Lang) -> Result<Exit, Failure> {
    let key = OfficeKey::read(recovery)?;
    let mut office = Office::open(desk, box_time()).map_err(not_opened)?;
    let opened = proposed(&mut office, &key, login);
    let journal = office.desk.store.head().to_string();
    let closed = office.desk.store.close(box_time());
    let (account, first_half) = opened.map_err(not_recovered)?;
    closed.map_err(|error| not_recovered(error.into()))?;
    let told = Told {
        account,
        recovery: key.recipient().fingerprint(),
        first_half,
        journal,
    };
    if a.json {
        json_line(&told);
    } else {
        say(&told, lang);
    }
    Ok(Exit::Done)
}

fn proposed(office: &mut Office, key: &OfficeKey, login: &str) -> Result<(String, String), Error> {
    let login = login_salt(office.store().sql())?.digest_of_login(login)?;
    let drawn = Drawn::draw()?;
    let (account, first) = escrow::open_for(office.store(), key, login, &drawn, box_time())?;
    Ok((account, first.to_string()))
}

fn say(told: &Told, lang: Lang) {
    let half = &told.first_half;
    line(&lang.pick(
        format!("first half of the code, shown this once: {half}"),
        format!("première moitié du code, affichée cette seule fois : {half}"),
    ));
    line(lang.pick(
        "Give it to the chef de service. The admin, or another chef, logs in and confirms on the page of the account; he is \
         shown the second half. Within three days.",
        "Remettez-la au chef de service. L'administrateur, ou un autre chef de service, se connecte et confirme à la page du \
         compte ; la seconde moitié lui est affichée. Sous trois jours.",
    ));
    line(&lang.pick(
        format!(
            "for the minutes: keyring opened with the recovery key {}, for the account {}, journal {}",
            told.recovery, told.account, told.journal
        ),
        format!(
            "à porter au procès-verbal : trousseau ouvert avec la clé de secours {}, pour le compte {}, journal {}",
            told.recovery, told.account, told.journal
        ),
    ));
    line(lang.pick(
        "Bring the key back to the safe at once, and leave no copy here.",
        "Rapportez aussitôt la clé au coffre, et n'en laissez aucune copie ici.",
    ));
}

fn not_recovered(error: Error) -> Failure {
    match error {
        Error::Refused(Rule::NoEscrow) => Failure::new(
            Exit::Failed,
            error,
            [
                "nothing was sealed to this recovery key",
                "bring the recovery key of a quarter that the page of keys lists as in escrow",
            ],
            [
                "le trousseau n'est pas sous séquestre pour cette clé de secours",
                "apportez la clé de secours d'un trimestre que la page des clés donne pour « sous séquestre »",
            ],
        ),
        Error::Refused(Rule::NoAccount) => Failure::new(
            Exit::Failed,
            error,
            [
                "no chef de service who is active logs in by that name",
                "name a chef's log-in as the page of accounts shows it; a closed account is not opened again",
            ],
            [
                "aucun chef de service actif n'a cet identifiant",
                "indiquez l'identifiant d'un chef de service tel que le montre la page des comptes ; un compte fermé ne se rouvre pas",
            ],
        ),
        error => Failure::new(
            Exit::Failed,
            error,
            [
                "nobody was let in; nothing was changed",
                "mend what is named, then try again",
            ],
            [
                "personne n'a reçu d'accès ; rien n'a été changé",
                "corrigez ce qui est nommé, puis recommencez",
            ],
        ),
    }
}
