//! The dated tables of law: the day of the facts picks the row, and nothing is invented.
#![cfg(feature = "desk")]

use jiff::civil::{Date, date};
use vigie::desk::law::natinf::{Code, Natinf};
use vigie::desk::law::{Act, Confirm, Fault, Kind, Law, Offence, OffenceId, QualityId, Row};

const TODAY: Date = date(2026, 11, 22);

fn law() -> &'static Law {
    Law::embedded()
}

fn offence(id: &str) -> &'static Offence {
    law().offence(&OffenceId::from(id)).expect("in the tables")
}

fn row(id: &str, day: Date) -> &'static Row {
    offence(id).on(day).expect("in force")
}

#[test]
fn the_day_of_the_facts_picks_the_row() {
    let before = row("cp-r635-8", date(2024, 6, 9));
    let after = row("cp-r635-8", date(2024, 6, 10));
    assert_eq!(
        (before.class, before.maximum, before.fixed),
        (Some(5), Some(1500), None)
    );
    let fixed = after.fixed.expect("a fixed amount since the décret 2024-528");
    assert_eq!((after.maximum, after.repeated), (Some(1500), Some(3000)));
    assert_eq!((fixed.reduced, fixed.amount, fixed.raised), (Some(150), 200, 450));
    assert!(offence("cp-r633-6").on(date(2020, 12, 13)).is_some());
    assert!(offence("cp-r633-6").on(date(2020, 12, 14)).is_none(), "repealed");
    assert!(
        offence("cp-r634-2").on(date(2020, 12, 13)).is_none(),
        "not yet in force"
    );
}

#[test]
fn amounts_are_those_of_the_research_and_no_others() {
    let table = [
        ("cp-r632-1", Some(2), Some(150), Some((35, 75))),
        ("cp-r634-2", Some(4), Some(750), Some((135, 375))),
        ("cp-r635-8", Some(5), Some(1500), Some((200, 450))),
        ("cp-r644-2", Some(4), None, None),
        ("ce-r541-76", Some(4), None, None),
        ("ce-r541-77", Some(5), None, None),
        ("rsd-84", Some(3), None, None),
        ("ce-l541-46", None, Some(150_000), Some((1500, 2500))),
    ];
    let in_force: Vec<&str> = law()
        .in_force(TODAY)
        .map(|(offence, _)| offence.id.as_str())
        .collect();
    assert_eq!(in_force.len(), table.len(), "{in_force:?}");
    for (id, class, maximum, fixed) in table {
        let row = row(id, TODAY);
        let found = row.fixed.map(|fixed| (fixed.amount, fixed.raised));
        assert_eq!((row.class, row.maximum, found), (class, maximum, fixed), "{id}");
    }
}

#[test]
fn what_the_lawyer_must_confirm_says_so_where_it_is_read() {
    let delit = row("ce-l541-46", TODAY);
    for what in [Confirm::Maximum, Confirm::PrisonYears, Confirm::Amount] {
        assert!(delit.is_to_confirm(what), "{what:?}");
    }
    let words = delit.penalty(Kind::Delit);
    assert_eq!(words.matches("(à confirmer)").count(), 5, "{words}");
    let reduced = row("cp-r635-8", TODAY).penalty(Kind::Contravention);
    assert_eq!(
        reduced,
        "contravention de la 5e classe, 1\u{202f}500\u{a0}€ d'amende au plus (3\u{202f}000\u{a0}€ en récidive), \
         confiscation du véhicule, amende forfaitaire 200\u{a0}€, minorée 150\u{a0}€ (à confirmer), \
         majorée 450\u{a0}€"
    );
    // Nobody has established the penalty between the two amendments: none is given.
    let between = row("ce-l541-46", date(2022, 1, 1));
    assert_eq!(between.penalty(Kind::Delit), "délit, peine à confirmer");
}

#[test]
fn who_may_note_what_is_a_matter_of_quality_and_article() {
    let may = |quality: &str, id: &str| {
        let quality = law().quality(&QualityId::from(quality)).expect("a quality");
        law().competence(quality, offence(id))
    };
    let sworn = may("agent-collectivite", "cp-r635-8");
    assert_eq!((sworn.acts, sworn.to_confirm), (&Act::ALL[..], false));
    assert!(sworn.basis.expect("a basis").contains("L. 541-44-1"));
    // A délit is outside the sworn agent's competence: it is reported, never noted by procès-verbal.
    assert_eq!(may("agent-collectivite", "ce-l541-46").acts, [Act::Rapport]);
    assert_eq!(may("police-municipale", "ce-l541-46").acts, [Act::Rapport]);
    assert!(may("agent-collectivite", "ce-r541-77").to_confirm);
    // CPP art. 40 binds for délits alone: of a contravention outside their competence, nothing is open to them.
    assert!(may("asvp", "cp-r644-2").acts.is_empty());
    for quality in &law().qualities {
        for (offence, _) in law().in_force(TODAY) {
            let competence = law().competence(quality, offence);
            assert_eq!(competence.acts.is_empty(), competence.basis.is_none());
        }
    }
}

#[test]
fn the_action_is_over_on_the_same_day_of_the_year() {
    let (contravention, delit) = (
        law().prescription(Kind::Contravention),
        law().prescription(Kind::Delit),
    );
    assert_eq!(contravention.over_on(date(2026, 11, 22)), date(2027, 11, 22));
    assert_eq!(contravention.over_on(date(2028, 2, 29)), date(2029, 2, 28));
    assert_eq!(delit.over_on(date(2026, 11, 22)), date(2032, 11, 22));
}

#[test]
fn a_file_goes_by_default_to_the_prosecutor_and_a_fixed_fine_only_where_there_is_one() {
    let default: Vec<&str> = law()
        .routes
        .iter()
        .filter(|r| r.default)
        .map(|r| r.id.as_str())
        .collect();
    assert_eq!(default, ["procureur-opj"]);
    let fits = |id: &str, day| {
        let row = row(id, day);
        let kind = offence(id).kind;
        let routes = law().routes.iter().filter(|route| route.fits(kind, row));
        routes.map(|route| route.id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(fits("cp-r634-2", TODAY), ["omp", "maire", "pve"]);
    assert_eq!(fits("cp-r635-8", date(2024, 1, 1)), ["procureur-opj", "maire"]);
    assert_eq!(fits("cp-r635-8", TODAY), ["procureur-opj", "omp", "maire", "pve"]);
    assert_eq!(
        fits("ce-l541-46", TODAY),
        ["procureur-opj", "procureur-direct", "maire"]
    );
}

#[test]
fn the_holder_of_the_registration_answers_since_12_february_2020() {
    assert!(law().holder(Kind::Contravention, date(2020, 2, 11)).is_none());
    let holder = law()
        .holder(Kind::Contravention, date(2020, 2, 12))
        .expect("since that day");
    assert_eq!(holder.basis, "Code de la route, art. L. 121-2");
    assert!(law().holder(Kind::Delit, TODAY).is_none());
}

#[test]
fn no_natinf_code_goes_with_the_program_and_the_citys_own_list_is_dated() {
    for table in ["offences", "routes", "competence", "terms"] {
        let path = format!("{}/src/desk/law/{table}.toml", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(path).expect("a table");
        let keys = text.lines().filter(|line| !line.starts_with('#'));
        assert!(
            !keys
                .into_iter()
                .any(|line| line.to_lowercase().contains("natinf")),
            "{table}"
        );
    }
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(Natinf::read(folder.path()).expect("none"), Natinf::default());
    let list = "[[code]]\nnumber = \"00123\"\nlabel = \"Exemple\"\noffence = \"cp-r635-8\"\nuntil = 2026-01-01\n\
                [[code]]\nnumber = \"456\"\nlabel = \"Exemple\"\noffence = \"cp-r635-8\"\nfrom = 2026-01-01\n";
    std::fs::write(folder.path().join("natinf.toml"), list).expect("written");
    let list = Natinf::read(folder.path()).expect("a list");
    let codes = |day| {
        let offence = OffenceId::from("cp-r635-8");
        let of = list.of(&offence, day);
        of.map(|code| code.number.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(codes(date(2025, 12, 31)), ["00123"], "kept as it is written");
    assert_eq!(codes(TODAY), ["456"]);
    for wrong in ["", "1234567", "12a", "-1"] {
        assert!(wrong.parse::<Code>().is_err(), "{wrong:?}");
    }
}

/// Four small tables that are taken, to spoil one at a time.
const OFFENCES: &str = "[[offence]]\nid = \"a\"\ntext = \"A\"\nlabel = \"a\"\nkind = \"contravention\"\n\
    [[offence.row]]\nuntil = 2020-01-01\nclass = 3\nmark = \"C·S\"\n\
    [[offence.row]]\nfrom = 2020-01-01\nclass = 4\nmark = \"C·S\"\n";
const ROUTES: &str = "[[route]]\nid = \"r\"\nlabel = \"R\"\naddressee = \"R\"\nbasis = \"R\"\nmark = \"C\"\ndefault = true\n\
    [[route.fits]]\nkind = \"delit\"\nfixed = \"either\"\n";
const COMPETENCE: &str = "[[quality]]\nid = \"q\"\nlabel = \"Q\"\ntitles = []\n\
    [[quality.notes]]\noffences = [\"a\"]\nbasis = \"B\"\nmark = \"C\"\n";
const TERMS: &str = "[[prescription]]\nkind = \"contravention\"\nyears = 1\nbasis = \"B\"\ninterrupted_by = \"I\"\nmark = \"C\"\n\
    [[prescription]]\nkind = \"delit\"\nyears = 6\nbasis = \"B\"\ninterrupted_by = \"I\"\nmark = \"C\"\n\
    [[holder]]\nkind = \"contravention\"\nbasis = \"B\"\nlabel = \"L\"\nmark = \"C\"\n";

fn fault(offences: &str, routes: &str, competence: &str, terms: &str) -> Fault {
    Law::parse(offences, routes, competence, terms).expect_err("refused")
}

#[test]
fn tables_that_contradict_themselves_are_refused_whole() {
    Law::parse(OFFENCES, ROUTES, COMPETENCE, TERMS).expect("taken");
    let overlap = OFFENCES.replace("from = 2020-01-01", "from = 2019-12-31");
    assert_eq!(
        fault(&overlap, ROUTES, COMPETENCE, TERMS),
        Fault::Overlap(OffenceId::from("a"))
    );
    let backwards = OFFENCES.replace("until = 2020-01-01", "from = 2021-01-01\nuntil = 2020-01-01");
    assert_eq!(
        fault(&backwards, ROUTES, COMPETENCE, TERMS),
        Fault::Overlap(OffenceId::from("a"))
    );
    let doubted = OFFENCES.replace("class = 4\nmark = \"C·S\"", "class = 4\nmark = \"V\"");
    assert_eq!(
        fault(&doubted, ROUTES, COMPETENCE, TERMS),
        Fault::Unconfirmed("a".to_owned())
    );
    let unknown = COMPETENCE.replace("[\"a\"]", "[\"b\"]");
    assert_eq!(
        fault(OFFENCES, ROUTES, &unknown, TERMS),
        Fault::Unknown("b".to_owned())
    );
    let none = ROUTES.replace("default = true", "default = false");
    assert_eq!(fault(OFFENCES, &none, COMPETENCE, TERMS), Fault::Default);
    let twice = TERMS.replace("\"delit\"", "\"contravention\"");
    assert_eq!(
        fault(OFFENCES, ROUTES, COMPETENCE, &twice),
        Fault::NoPrescription(Kind::Contravention)
    );
    let key = OFFENCES.replace("class = 3", "clas = 3");
    assert!(matches!(
        fault(&key, ROUTES, COMPETENCE, TERMS),
        Fault::Form {
            table: "offences",
            ..
        }
    ));
}
