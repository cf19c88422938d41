//! The beginnings of a database's blobs: taken out of a copy, and put back.
//!
//! Promises: every key in the desk's tables lies wrapped in the first [`HEAD`] bytes of a blob longer than [`SHORT`],
//! or in `wrap.stanzas`, which goes whole: whatever a module seals, a copy without these opens nowhere. The lengths
//! stay, and so do all other bytes, so that what was put back is the database that was copied.

use rusqlite::config::DbConfig;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, params_from_iter};
use serde::{Deserialize, Serialize};

/// Bytes that are taken out of each blob: a wrapped key has 72, what stands before it less.
const HEAD: usize = 512;
/// Blobs of this length or less are digests, blind indexes, salts and signatures: a wrapped key is longer.
const SHORT: usize = 64;
/// Tables of digests and public keys, which keep their blobs.
const PLAIN: [&str; 5] = ["device", "journal", "head", "checkpoint", "trap_line"];

/// The beginning of one blob.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Beginning {
    /// The table.
    pub t: String,
    /// The column.
    pub c: String,
    /// The row's key, or its rowid.
    pub k: Vec<serde_json::Value>,
    /// The bytes, in hexadecimal digits.
    pub v: String,
}

struct Table {
    name: String,
    /// The columns by which its rows are found.
    key: Vec<String>,
    blobs: Vec<String>,
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn tables(sql: &Connection) -> rusqlite::Result<Vec<Table>> {
    let list =
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name";
    let mut list = sql.prepare(list)?;
    let names = list.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)))?;
    let mut tables = Vec::new();
    for named in names {
        let (name, without_rowid) = named?;
        if name.starts_with("sqlite_") || PLAIN.contains(&name.as_str()) {
            continue;
        }
        let mut columns = sql.prepare("SELECT name, type, pk FROM pragma_table_info(?) ORDER BY pk")?;
        let columns = columns.query_map([&name], |row| {
            Ok((
                row.get::<_, String>(0)?,
                row.get::<_, String>(1)?,
                row.get::<_, i64>(2)?,
            ))
        })?;
        let columns = columns.collect::<rusqlite::Result<Vec<_>>>()?;
        let of_key = columns.iter().filter(|(_, _, pk)| *pk > 0);
        tables.push(Table {
            name,
            key: match without_rowid {
                true => of_key.map(|(column, _, _)| quoted(column)).collect(),
                false => vec!["rowid".to_owned()],
            },
            blobs: columns
                .into_iter()
                .filter(|(_, kind, _)| kind == "BLOB")
                .map(|(column, _, _)| column)
                .collect(),
        });
    }
    tables.retain(|table| !table.blobs.is_empty());
    Ok(tables)
}

fn head_of(table: &str, length: usize) -> usize {
    if table == "wrap" { length } else { length.min(HEAD) }
}

/// Takes the beginnings out of the copy that is open as `sql`, and gives each of them.
pub(super) fn take_out(
    sql: &mut Connection,
    mut take: impl FnMut(Beginning) -> rusqlite::Result<()>,
) -> rusqlite::Result<()> {
    let tx = unguarded(sql)?;
    for table in tables(&tx)? {
        let (name, key) = (quoted(&table.name), table.key.join(", "));
        let found = table
            .key
            .iter()
            .map(|column| format!("{column} = ?"))
            .collect::<Vec<_>>()
            .join(" AND ");
        for blob in &table.blobs {
            let column = quoted(blob);
            let mut query = tx.prepare(&format!(
                "SELECT {column}, {key} FROM {name} WHERE {column} IS NOT NULL"
            ))?;
            let mut rows = query.query([])?;
            let mut keys = Vec::new();
            while let Some(row) = rows.next()? {
                let bytes = row.get_ref(0)?.as_blob()?;
                if bytes.len() <= SHORT {
                    continue;
                }
                let head = head_of(&table.name, bytes.len());
                let values = (1..=table.key.len()).map(|at| row.get::<_, Value>(at));
                let values = values.collect::<rusqlite::Result<Vec<_>>>()?;
                take(Beginning {
                    t: table.name.clone(),
                    c: blob.clone(),
                    k: values
                        .iter()
                        .map(to_json)
                        .collect::<Option<_>>()
                        .ok_or(rusqlite::Error::InvalidQuery)?,
                    v: hex::encode(&bytes[..head]),
                })?;
                keys.push((head, values));
            }
            drop(rows);
            let set = format!(
                "UPDATE {name} SET {column} = CAST(zeroblob(?) || substr({column}, ? + 1) AS BLOB) WHERE {found}"
            );
            let mut set = tx.prepare(&set)?;
            for (head, values) in keys {
                let head = Value::from(i64::try_from(head).unwrap_or(i64::MAX));
                set.execute(params_from_iter([head.clone(), head].into_iter().chain(values)))?;
            }
        }
    }
    tx.commit()
}

/// Puts beginnings back into the copy that is open as `sql`.
pub(super) fn put_back(
    sql: &mut Connection,
    beginnings: impl Iterator<Item = Beginning>,
) -> rusqlite::Result<()> {
    let tx = unguarded(sql)?;
    let tables = tables(&tx)?;
    for beginning in beginnings {
        let wrong = || rusqlite::Error::InvalidParameterName(format!("{}.{}", beginning.t, beginning.c));
        let table = tables
            .iter()
            .find(|table| table.name == beginning.t && table.blobs.contains(&beginning.c));
        let table = table
            .filter(|table| table.key.len() == beginning.k.len())
            .ok_or_else(wrong)?;
        let bytes = hex::decode(&beginning.v).map_err(|_| wrong())?;
        let found = table
            .key
            .iter()
            .map(|column| format!("{column} = ?"))
            .collect::<Vec<_>>()
            .join(" AND ");
        let (name, column) = (quoted(&table.name), quoted(&beginning.c));
        let set =
            format!("UPDATE {name} SET {column} = CAST(? || substr({column}, ? + 1) AS BLOB) WHERE {found}");
        let length = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let key = beginning
            .k
            .iter()
            .map(from_json)
            .collect::<Option<Vec<_>>>()
            .ok_or_else(wrong)?;
        let values = [Value::from(bytes), Value::from(length)].into_iter().chain(key);
        if tx.prepare_cached(&set)?.execute(params_from_iter(values))? != 1 {
            return Err(wrong());
        }
    }
    tx.commit()
}

/// A transaction in which no trigger of the desk's tables fires: nothing of what they say changes.
fn unguarded(sql: &mut Connection) -> rusqlite::Result<rusqlite::Transaction<'_>> {
    sql.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false)?;
    sql.transaction()
}

fn to_json(value: &Value) -> Option<serde_json::Value> {
    match ValueRef::from(value) {
        ValueRef::Integer(number) => Some(number.into()),
        ValueRef::Text(text) => std::str::from_utf8(text).ok().map(Into::into),
        ValueRef::Blob(bytes) => Some(serde_json::json!({"hex": hex::encode(bytes)})),
        _ => None,
    }
}

fn from_json(value: &serde_json::Value) -> Option<Value> {
    match value {
        serde_json::Value::Number(number) => number.as_i64().map(Value::from),
        serde_json::Value::String(text) => Some(Value::from(text.clone())),
        serde_json::Value::Object(object) => {
            let digits = object.get("hex")?.as_str()?;
            hex::decode(digits).ok().map(Value::from)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database() -> Connection {
        let sql = Connection::open_in_memory().expect("memory");
        sql.execute_batch(
            "CREATE TABLE plain (id TEXT PRIMARY KEY, note TEXT) STRICT;
             CREATE TABLE account (id TEXT PRIMARY KEY, cell BLOB NOT NULL CHECK (length(cell) > 72)) STRICT, WITHOUT ROWID;
             CREATE TABLE seen (event TEXT, agent TEXT, w BLOB, b BLOB) STRICT;
             CREATE TABLE code (account TEXT, digest BLOB UNIQUE, cell BLOB, PRIMARY KEY (account, digest)) STRICT, WITHOUT ROWID;
             CREATE TRIGGER seen_is_not_changed BEFORE UPDATE ON seen BEGIN SELECT RAISE(ABORT, 'no'); END;
             CREATE TABLE wrap (event TEXT PRIMARY KEY, stanzas BLOB NOT NULL) STRICT, WITHOUT ROWID;
             CREATE TABLE trap_line (seq INTEGER PRIMARY KEY, hash BLOB) STRICT;",
        )
        .expect("tables");
        let blob = |first: u8, length: usize| {
            (0..length)
                .map(|i| first.wrapping_add(i as u8))
                .collect::<Vec<u8>>()
        };
        sql.execute(
            "INSERT INTO account VALUES ('a', ?1), ('b', ?2)",
            (blob(1, 100), blob(2, 5000)),
        )
        .expect("rows");
        sql.execute(
            "INSERT INTO seen VALUES ('e', 'x', ?1, ?2), ('f', 'y', NULL, ?1)",
            (blob(3, 72), blob(4, 9)),
        )
        .expect("rows");
        sql.execute("INSERT INTO wrap VALUES ('e', ?1)", [blob(5, 92 * 12)])
            .expect("row");
        for nth in [7, 8] {
            sql.execute(
                "INSERT INTO code VALUES ('a', ?1, ?2)",
                (blob(nth, 32), blob(nth, 80)),
            )
            .expect("rows");
        }
        sql.execute("INSERT INTO trap_line VALUES (1, ?1)", [blob(6, 32)])
            .expect("row");
        sql
    }

    fn dump(sql: &Connection) -> Vec<(String, Option<Vec<u8>>)> {
        let all = "SELECT 'a' || id, cell FROM account UNION ALL SELECT 'w' || event, w FROM seen
            UNION ALL SELECT 'b' || event, b FROM seen UNION ALL SELECT 's' || event, stanzas FROM wrap
            UNION ALL SELECT 'c' || hex(digest), cell FROM code UNION ALL SELECT 'd' || hex(digest), digest FROM code
            UNION ALL SELECT 'l' || seq, hash FROM trap_line ORDER BY 1";
        let mut query = sql.prepare(all).expect("a query");
        let rows = query
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .expect("rows");
        rows.collect::<Result<_, _>>().expect("read")
    }

    #[test]
    fn what_was_taken_out_is_not_there_and_comes_back_byte_for_byte() {
        let mut sql = database();
        let whole = dump(&sql);
        let mut taken = Vec::new();
        take_out(&mut sql, |beginning| {
            taken.push(beginning);
            Ok(())
        })
        .expect("taken out");
        for ((name, without), (_, with)) in dump(&sql).iter().zip(&whole) {
            let (Some(without), Some(with)) = (without, with) else {
                continue;
            };
            assert_eq!(without.len(), with.len(), "{name}");
            let head = match name.as_str() {
                name if name == "l1" || name == "be" || name.starts_with('d') => 0,
                "se" => with.len(),
                _ => with.len().min(HEAD),
            };
            assert!(without[..head].iter().all(|byte| *byte == 0), "{name}");
            assert_eq!(without[head..], with[head..], "{name}");
        }
        assert_eq!(taken.len(), 7, "{taken:?}");
        put_back(&mut sql, taken.into_iter()).expect("put back");
        assert_eq!(dump(&sql), whole);
    }

    #[test]
    fn a_beginning_of_a_row_that_is_not_there_is_refused() {
        let mut sql = database();
        for (t, c, k) in [
            ("account", "cell", "zz"),
            ("account", "id", "a"),
            ("trap_line", "hash", "1"),
            ("x\"", "c", "a"),
        ] {
            let beginning = Beginning {
                t: t.to_owned(),
                c: c.to_owned(),
                k: vec![k.into()],
                v: "00".to_owned(),
            };
            assert!(put_back(&mut sql, std::iter::once(beginning)).is_err(), "{t}.{c}");
        }
    }
}
