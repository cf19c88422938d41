//! What an agent does to an event: opens it, hides more, confirms, puts it aside or retains it, takes back.
//!
//! Promises: each act is one transaction on the version that the page showed; who decides goes on to the next event of
//! the list with the same motive, and that opening leaves its own line.

use crate::desk::cell::{self, Place};
use crate::desk::events::list::{self, Filter};
use crate::desk::events::{Event, Frame, Items};
use crate::desk::office::Office;
use crate::desk::retention::records;
use crate::desk::review::dismissal::{self, Whose};
use crate::desk::review::masking::{Former, Hide, MOST_RECTANGLES, shows_one_plate};
use crate::desk::review::{self, Agent, Dismissal, Motive};
use crate::desk::web::pages::echeances::today;
use crate::desk::web::pages::file::Asked;
use crate::desk::web::{Answer, FieldError, Refused, Visit};
use crate::frame::EventId;

use super::{agent, event_id, motive_page};

/// Characters of the words beside a motive at most.
const LONGEST_WORDS: usize = 500;

/// The version that the page showed.
fn version(visit: &Visit) -> Result<u32, Refused> {
    u32::try_from(visit.version()?).map_err(|_| Refused::Conflict)
}

/// The place that a form is about.
fn form_place(visit: &Visit) -> Result<u32, Refused> {
    let place = visit.field("place").and_then(|place| place.parse().ok());
    place.ok_or(Refused::NotFound)
}

fn page_of(id: EventId, image: Option<u32>, asked: &Asked) -> String {
    let image = image.map(|place| format!("image={place}&")).unwrap_or_default();
    format!("/evenement/{id}?{image}{}", asked.query())
}

/// Opens an event for a motive.
pub fn open(visit: &Visit) -> Result<Answer, Refused> {
    let id = event_id(visit)?;
    let asked = Asked::sent(visit);
    let mut errors = Vec::new();
    let motive = match visit.required("motif", "Motif") {
        Ok(word) => word.parse::<Motive>().ok(),
        Err(error) => {
            errors.push(error);
            None
        }
    };
    let words = visit.field("precisions");
    if words.is_some_and(|words| words.chars().count() > LONGEST_WORDS) {
        errors.push(FieldError {
            field: "precisions".to_owned(),
            message: format!("Précisions : {LONGEST_WORDS} caractères au plus."),
        });
    }
    let Some(motive) = motive.filter(|_| errors.is_empty()) else {
        return motive_page(visit, id, &asked, errors);
    };
    let agent = agent(visit)?;
    let words = match words {
        Some(words) => {
            let row = review::words_row(id, agent.account, agent.now);
            let place = Place {
                table: "opening",
                column: "words",
                row: &row,
            };
            Some(cell::seal(&visit.session()?.register.0, place, &words)?)
        }
        None => None,
    };
    visit
        .office()
        .store()
        .transaction(|tx| review::open(tx, agent, id, motive, words.as_ref()))?;
    let image = visit.field("image").and_then(|image| image.parse().ok());
    Answer::see_other(page_of(id, image, &asked))
}

/// Hides rectangles.
pub fn mask(visit: &Visit) -> Result<Answer, Refused> {
    let mut rectangles: Vec<[f32; 4]> = Vec::new();
    for drawn in visit.fields("rectangle").take(MOST_RECTANGLES) {
        let sides: Vec<f32> = drawn
            .split(',')
            .filter_map(|side| side.trim().parse().ok())
            .collect();
        rectangles.extend(<[f32; 4]>::try_from(sides).ok());
    }
    let typed = ["gauche", "haut", "largeur", "hauteur"].map(|name| visit.field(name));
    if let [Some(x), Some(y), Some(w), Some(h)] = typed {
        let sides = [x, y, w, h].map(|side| side.replace(',', ".").parse::<f32>());
        let [Ok(x), Ok(y), Ok(w), Ok(h)] = sides else {
            return Err(Refused::Impossible(
                "Les quatre mesures du masque s'écrivent en chiffres : gauche, haut, largeur, hauteur, en pixels de \
                 l'image. Rien n'a été masqué."
                    .to_owned(),
            ));
        };
        rectangles.push([x, y, w, h]);
    } else if rectangles.is_empty() {
        return Err(Refused::Impossible(
            "Aucun masque n'a été tracé. Tracez un rectangle sur l'image, ou saisissez ses quatre mesures : gauche, haut, \
             largeur, hauteur, en pixels de l'image."
                .to_owned(),
        ));
    }
    if rectangles.iter().flatten().any(|side| !side.is_finite()) {
        return Err(Refused::Impossible(
            "Ces mesures ne sont pas celles d'un rectangle. Rien n'a été masqué.".to_owned(),
        ));
    }
    hide(
        visit,
        &Hide::Rectangles(rectangles.into_iter().map(Into::into).collect()),
    )
}

/// Hides every plate but the one that the agent says is involved, or every one.
pub fn involved_plate(visit: &Visit) -> Result<Answer, Refused> {
    let involved = match visit.field("impliquee") {
        Some("aucune") => None,
        Some(nth) => Some(nth.parse().map_err(|_| Refused::NotFound)?),
        None => {
            return Err(Refused::Impossible(
                "Désignez la plaque impliquée, ou « aucune » pour les masquer toutes.".to_owned(),
            ));
        }
    };
    hide(visit, &Hide::PlatesBut(involved))
}

fn hide(visit: &Visit, hide: &Hide) -> Result<Answer, Refused> {
    let (id, version, place) = (event_id(visit)?, version(visit)?, form_place(visit)?);
    let (agent, keys) = (agent(visit)?, visit.evidence()?);
    let former = Former::of(&visit.office().desk.store, agent, id, version, place)?;
    let masked = former.masked(hide, &keys.office, agent.now)?;
    masked.commit(visit.office().store(), agent)?;
    visit.flash(
        "Masque ajouté : l'ancienne version de l'image est détruite. Vérifiez la nouvelle, puis confirmez-la si elle doit \
         être transmise.",
    );
    Answer::see_other(page_of(id, Some(place), &Asked::sent(visit)))
}

/// Confirms that a picture may leave the desk as it is.
pub fn confirm(visit: &Visit) -> Result<Answer, Refused> {
    let (id, version, place) = (event_id(visit)?, version(visit)?, form_place(visit)?);
    let (agent, keys) = (agent(visit)?, visit.evidence()?);
    let (items, frame) = {
        let office = visit.office();
        let store = &office.desk.store;
        let frame = Frame::find(store.sql(), id, place)?.ok_or(Refused::NotFound)?;
        (Items::of(store, id)?, frame)
    };
    let (manifest, _) = items.manifest(&frame, &keys.office)?;
    let one_plate = shows_one_plate(&manifest)?;
    visit
        .office()
        .store()
        .transaction(|tx| review::confirm(tx, agent, id, version, &frame, one_plate))?;
    visit.flash(format!(
        "Image {place} confirmée : elle pourra être jointe à un dossier."
    ));
    Answer::see_other(page_of(id, Some(place), &Asked::sent(visit)))
}

/// Puts the event aside, and goes on.
pub fn put_aside(visit: &Visit) -> Result<Answer, Refused> {
    let (id, version, agent) = (event_id(visit)?, version(visit)?, agent(visit)?);
    let motive: Dismissal = visit
        .field("raison")
        .and_then(|word| word.parse().ok())
        .ok_or_else(|| {
            Refused::Impossible("Choisissez pourquoi l'événement est écarté, puis recommencez.".to_owned())
        })?;
    let today = today(visit)?;
    let mut office = visit.office();
    dismissal::settle(office.store(), Whose::Of(agent.account), agent.now)?;
    let is_held = records::is_event_held(office.desk.store.sql(), id, today)?;
    office
        .store()
        .transaction(|tx| dismissal::put_aside(tx, agent, id, version, motive, is_held))?;
    go_on(visit, &mut office, agent, id)
}

/// Retains the event, and goes on.
pub fn retain(visit: &Visit) -> Result<Answer, Refused> {
    let (id, version, agent) = (event_id(visit)?, version(visit)?, agent(visit)?);
    let mut office = visit.office();
    dismissal::settle(office.store(), Whose::Of(agent.account), agent.now)?;
    office
        .store()
        .transaction(|tx| review::retain(tx, agent, id, version))?;
    go_on(visit, &mut office, agent, id)
}

/// To the next event of the list that waits for a decision, opened for the same motive; else to the list.
fn go_on(visit: &Visit, office: &mut Office, agent: Agent<'_>, id: EventId) -> Result<Answer, Refused> {
    let asked = Asked::sent(visit);
    let filter = Filter {
        states: Filter::undecided().states,
        ..asked.filter(&office.config.time_zone())
    };
    let sql = office.desk.store.sql();
    let motive = review::opened(sql, agent, id)?.map(|(_, motive)| motive);
    let next = match Event::find(sql, id)? {
        Some(event) => list::beside(sql, &filter, &event, true)?,
        None => None,
    };
    let (Some(next), Some(motive)) = (next, motive) else {
        visit.flash("Il ne reste aucun événement à examiner dans cette liste.");
        return Answer::see_other(format!("/file?{}", asked.query()));
    };
    office
        .store()
        .transaction(|tx| review::open(tx, agent, next, motive, None))?;
    Answer::see_other(page_of(next, None, &asked))
}

/// Takes the last decision back, as long as it has destroyed nothing.
pub fn take_back(visit: &Visit) -> Result<Answer, Refused> {
    let agent = agent(visit)?;
    let mut office = visit.office();
    dismissal::settle(office.store(), Whose::Over, agent.now)?;
    let id = office.store().transaction(|tx| review::take_back(tx, agent))?;
    drop(office);
    visit.flash("Décision reprise : rien n'a été détruit.");
    Answer::see_other(page_of(id, None, &Asked::sent(visit)))
}
