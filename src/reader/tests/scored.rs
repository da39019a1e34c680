//! A table of many kinds of columns, spoiled in one place at a time, at every place in turn, and read with nothing told
//! and with all told. Each file earns up to 10 points: a quarter each for being read at all, for its names, for its
//! rows, and for rows that it does not have. What a family of files earns has a floor, and a silent damage has no
//! excuse.

use super::pollution::{Table, Written};
use super::*;

/// Dates, times, numbers, codes, prices, addresses of both kinds, free text, and cells without a value.
fn stock() -> Table {
    let titles =
        ["Desk lamp, brass", "Mug \"Best of all\"", "Réglet 30 cm", "Cable; 2 m", "Chair", "O'Neill's map", "Tea 50 g"];
    let notes = ["", "fragile", "two\nlines, both short", "said \"no\"", "left; then right", "a | b", "see 12:30"];
    let sites = ["https://example.com/a?x=1", "http://example.org/b,c", "n/a", "https://example.net/"];
    let header = ["day", "hour", "pieces", "code", "title", "price", "site", "note", "mail"];
    let row = |row: usize| {
        [
            format!("2024-0{}-{:02}", row % 9 + 1, row + 1),
            format!("{:02}:{:02}:00", row % 24, row * 7 % 60),
            (row * 37 % 500).to_string(),
            format!("AB{:03}-X", row * 13),
            titles[row % titles.len()].to_owned(),
            format!("{}.{:02}", row * 3, row * 17 % 100),
            sites[row % sites.len()].to_owned(),
            notes[row % notes.len()].to_owned(),
            format!("buyer{row}@example.com"),
        ]
        .to_vec()
    };
    std::iter::once(header.map(str::to_owned).to_vec()).chain((0..20).map(row)).collect()
}

/// A spoiled file, and what a careful person would read in it.
struct Case {
    bytes: Vec<u8>,
    told: Format,
    names: Vec<String>,
    rows: Vec<Expected>,
}

enum Expected {
    /// These cells; marked where there are more or fewer than names.
    Cells(Vec<String>),
    /// One row or more that are marked, whatever is in them; or these cells, stray quotes in them kept.
    Marked(Vec<String>),
    /// Nothing, or rows that are marked: text below or above the table.
    Outside,
}

use Expected::{Cells, Marked, Outside};

/// A file as `batchdrop read` shows it: the names, and each row with its mark.
type Shown = (Vec<String>, Vec<(Vec<String>, bool)>);

fn shown(bytes: &[u8], format: &Format) -> Option<Shown> {
    let mut rows = Rows::open(bytes, format, Limits::default()).ok()?;
    if rows.seems_headless && *format == Format::default() {
        rows.number_columns();
    }
    let names = rows.names.clone();
    let mut all = Vec::new();
    while let Ok(Some(row)) = rows.next_row() {
        let is_marked = row.problem.is_some() || row.cells.len() != names.len();
        all.push((row.values().map(str::to_owned).collect(), is_marked));
    }
    Some((names, all))
}

/// Points, and how many rows are read as something else without a mark.
fn score(case: &Case, format: &Format) -> (f64, usize) {
    let Some((names, rows)) = shown(&case.bytes, format) else { return (0.0, 0) };
    let mut rest = rows.as_slice();
    let (mut right, mut wanted) = (0, 0);
    let mut silent = 0;
    let find = |rest: &[(Vec<String>, bool)], cells: &Vec<String>| rest.iter().position(|row| row.0 == *cells);
    let unmarked = |rows: &[(Vec<String>, bool)]| rows.iter().filter(|row| !row.1).count();
    for expected in &case.rows {
        wanted += usize::from(!matches!(expected, Outside));
        match expected {
            Cells(cells) => {
                if let Some(at) = find(rest, cells) {
                    right += 1;
                    silent += unmarked(&rest[..at]);
                    rest = &rest[at + 1..];
                }
            }
            Marked(cells) => {
                let plain = |cells: &[String]| cells.iter().map(|cell| cell.replace('"', "")).collect::<Vec<_>>();
                let marked = rest.iter().take_while(|row| row.1).count();
                let is_right = marked == 0 && rest.first().is_some_and(|row| plain(&row.0) == plain(cells));
                right += usize::from(marked > 0 || is_right);
                rest = &rest[marked + usize::from(is_right)..];
            }
            Outside => {
                let marked = rest.iter().take_while(|row| row.1).count();
                rest = &rest[marked..];
            }
        }
    }
    silent += unmarked(rest);
    let found = rows.len().max(1);
    let share = right as f64 / wanted.max(1) as f64;
    let precision = 1.0 - (silent as f64 / found as f64).min(1.0);
    let header = f64::from(u8::from(names == case.names));
    (2.5 * (1.0 + header + share + precision), silent)
}

/// What a family of files must earn, and how many silent damages there are at most, with nothing told and with all
/// told.
struct Floors {
    untold: f64,
    silent: usize,
    told: f64,
}

const ALL: Floors = Floors { untold: 10.0, silent: 0, told: 10.0 };

fn family(name: &str, floors: &Floors, cases: &[Case]) -> (f64, f64, usize) {
    let (mut untold, mut told, mut silent) = (0.0, 0.0, 0);
    let mut worst = (10.0, String::new());
    for case in cases {
        let (points, damages) = score(case, &Format::default());
        untold += points;
        silent += usize::from(damages > 0);
        if points < worst.0 {
            worst = (points, String::from_utf8_lossy(&case.bytes[..case.bytes.len().min(700)]).into_owned());
        }
        let (points, damages) = score(case, &case.told);
        told += points;
        let text = String::from_utf8_lossy(&case.bytes);
        assert_eq!(
            damages,
            0,
            "{name}, told {:?}: silent damage\n{text}\n{:?}",
            case.told,
            shown(&case.bytes, &case.told)
        );
    }
    let count = cases.len() as f64;
    println!("{name}: {count} files, nothing told {:.3}, silent {silent}, told {:.3}", untold / count, told / count);
    if std::env::var_os("SHOW_WORST").is_some() && worst.0 < 10.0 {
        println!("--- worst {:.2}\n{}\n---", worst.0, worst.1);
    }
    let is_below = untold / count + 1e-9 < floors.untold || told / count + 1e-9 < floors.told || silent > floors.silent;
    if is_below {
        println!("^^^ below its floor");
    }
    assert!(!is_below || std::env::var_os("SHOW_WORST").is_some(), "{name} is below its floor");
    (untold, told, cases.len())
}

const COMMA: Written = Written { delimiter: ",", quote: Some('"'), escape: None, newline: "\r\n", quotes_all: false };

fn right(table: &Table) -> Vec<Expected> {
    table[1..].iter().cloned().map(Cells).collect()
}

fn case(written: &Written, bytes: Vec<u8>, rows: Vec<Expected>) -> Case {
    Case { bytes, told: written.told(), names: stock().remove(0), rows }
}

/// The lines of the file, each with its end; a row over two lines is one.
fn rows_of(written: &Written, table: &Table) -> Vec<String> {
    table.iter().map(|row| written.text(&vec![row.clone()])).collect()
}

/// Every row but the header spoiled in turn, by what `spoil` makes of its text for each cell. It is expected as marked.
fn each_row(written: &Written, spoil: &dyn Fn(&[String], usize) -> Option<String>, is_marked: bool) -> Vec<Case> {
    let table = stock();
    let lines = rows_of(written, &table);
    let mut cases = Vec::new();
    for row in 1..table.len() {
        for cell in 0..table[0].len() {
            let cells: Vec<String> = table[row].iter().map(|cell| written.cell(cell)).collect();
            let Some(text) = spoil(&cells, cell) else { continue };
            let mut spoiled = lines.clone();
            spoiled[row] = text + written.newline;
            let expected = |(at, cells): (usize, &Vec<String>)| match at + 1 == row && is_marked {
                true => Marked(cells.clone()),
                false => Cells(cells.clone()),
            };
            cases.push(case(
                written,
                spoiled.concat().into_bytes(),
                table[1..].iter().enumerate().map(expected).collect(),
            ));
        }
    }
    cases
}

#[test]
fn a_table_of_many_kinds_earns_what_it_should() {
    let table = stock();
    let plain = COMMA.text(&table);
    let mut total = (0.0, 0.0, 0);
    let mut add = |points: (f64, f64, usize)| {
        total = (total.0 + points.0, total.1 + points.1, total.2 + points.2);
    };

    let mut dialects = Vec::new();
    for delimiter in [",", ";", "\t", "|", " ", ", "] {
        for (quote, escape) in [('"', None), ('"', Some('\\')), ('\'', None), ('\'', Some('\\'))] {
            for newline in ["\n", "\r\n", "\r"] {
                for quotes_all in [false, true] {
                    let written = Written { delimiter, quote: Some(quote), escape, newline, quotes_all };
                    dialects.push(case(&written, written.text(&table).into_bytes(), right(&table)));
                }
            }
        }
    }
    add(family("dialects", &ALL, &dialects));

    let utf16 =
        |bytes: fn(u16) -> [u8; 2]| std::iter::once(0xFEFF).chain(plain.encode_utf16()).flat_map(bytes).collect();
    let encodings = [
        plain.clone().into_bytes(),
        [b"\xEF\xBB\xBF", plain.as_bytes()].concat(),
        utf16(u16::to_le_bytes),
        utf16(u16::to_be_bytes),
        plain.trim_end().as_bytes().to_vec(),
        format!("{plain}\r\n").into_bytes(),
        format!("\r\n\r\n{plain}\r\n\r\n").into_bytes(),
        format!("{plain},,,,,,,,\r\n").into_bytes(),
    ];
    add(family("encodings and ends", &ALL, &encodings.map(|bytes| case(&COMMA, bytes, right(&table)))));

    let few = |count: usize| {
        let few: Table = table[..=count].to_vec();
        case(&COMMA, COMMA.text(&few).into_bytes(), right(&few))
    };
    add(family("few rows", &ALL, &[few(1), few(2), few(3)]));

    let mut headless = Vec::new();
    for written in [COMMA, Written { delimiter: ";", quotes_all: true, ..COMMA }, Written { delimiter: "\t", ..COMMA }]
    {
        let names = table[0].clone();
        let told = Format { header: false, names: names.clone(), ..written.told() };
        let bytes = written.text(&table[1..].to_vec()).into_bytes();
        let generic: Vec<String> = (1..=names.len()).map(|column| format!("column_{column}")).collect();
        headless.push(Case {
            bytes: bytes.clone(),
            told: Format { names: generic.clone(), ..told },
            names: generic,
            rows: right(&table),
        });
    }
    add(family("no header", &ALL, &headless));

    // Words below words: the second is data, and so it must be.
    let twice = [&table[..1], &table[..]].concat();
    add(family("the header twice", &ALL, &[case(&COMMA, COMMA.text(&twice).into_bytes(), right(&twice))]));

    let mut preambles = Vec::new();
    for above in [
        "Stock of May\r\n",
        "Stock of May\r\n\r\n",
        "Stock of May,,,,,,,,\r\n",
        "Stock of May\r\nmade by Ann, in haste\r\n",
        "Stock,May\r\nAuthor,Ann\r\n\r\n",
        "Report:,\"Stock, all\",2024\r\n,,\r\n",
        "# Stock of May\r\n# by Ann\r\n",
        "\"Stock of \"\"May\"\"\"\r\n\r\n\r\n",
    ] {
        let lines = above.matches('\n').count() as u32;
        let told = Format { skip_rows: lines, ..COMMA.told() };
        preambles.push(Case { told, ..case(&COMMA, format!("{above}{plain}").into_bytes(), right(&table)) });
    }
    add(family("lines above", &ALL, &preambles));

    let below = ["Total\r\n", "\r\nTotal of all,12\r\n", "\r\n\r\n* as of May, all sold\r\n* Ann\r\n"].map(|below| {
        case(&COMMA, format!("{plain}{below}").into_bytes(), right(&table).into_iter().chain([Outside]).collect())
    });
    add(family("lines below", &ALL, &below));

    let mut second = Vec::new();
    for (names, row) in [("id,name", "1,Ann"), ("a,b,c,d,e,f,g,h,i,j", "1,2,3,4,5,6,7,8,9,10")] {
        for gap in ["", "\r\n"] {
            let other = format!("{plain}{gap}{names}\r\n{row}\r\n{row}\r\n");
            second.push(case(&COMMA, other.into_bytes(), right(&table).into_iter().chain([Outside]).collect()));
        }
    }
    add(family("another table below", &ALL, &second));

    let semicolons = Written { delimiter: ";", ..COMMA };
    let mut fewer = Vec::new();
    let mut more = Vec::new();
    for written in [&COMMA, &semicolons] {
        let joined = |cells: &[String], at: usize| {
            let rest = cells.get(at + 1)?;
            let mut cells = cells.to_vec();
            cells[at] = format!("{}{rest}", cells[at]);
            cells.remove(at + 1);
            Some(cells.join(written.delimiter))
        };
        fewer.extend(each_row(written, &joined, true));
        let split = |cells: &[String], at: usize| {
            Some([&cells[..at], &[String::new()], &cells[at..]].concat().join(written.delimiter))
        };
        more.extend(each_row(written, &split, true));
    }
    add(family("one delimiter less", &ALL, &fewer));
    add(family("one delimiter more", &ALL, &more));

    let mut header = Vec::new();
    for cell in 0..table[0].len() {
        let mut names = table[0].clone();
        names.insert(cell, String::new());
        let text = [&[names.clone()], &table[1..]].concat();
        header.push(Case { names, ..case(&COMMA, COMMA.text(&text).into_bytes(), right(&table)) });
        if cell > 0 {
            let mut names = table[0].clone();
            names[cell - 1] = format!("{}{}", names[cell - 1], names[cell]);
            names.remove(cell);
            let text = [&[names.clone()], &table[1..]].concat();
            header.push(Case { names, ..case(&COMMA, COMMA.text(&text).into_bytes(), right(&table)) });
        }
    }
    add(family("a delimiter less or more in the header", &ALL, &header));

    let first = |cell: usize| cell == 0;
    let mut other_row = Vec::new();
    for delimiter in [";", "\t", " ", "|"] {
        let join = |cells: &[String], cell: usize| first(cell).then(|| cells.join(delimiter));
        other_row.extend(each_row(&COMMA, &join, true));
    }
    add(family("a row with another delimiter", &ALL, &other_row));

    let mut quotes = Vec::new();
    let unquoted = |cell: &String| cell.trim_matches('"').replace("\"\"", "\"");
    let single = |cells: &[String], cell: usize| {
        let quoted = |cell: &String| format!("'{}'", unquoted(cell).replace('\'', "''"));
        first(cell).then(|| cells.iter().map(quoted).collect::<Vec<_>>().join(","))
    };
    quotes.extend(each_row(&COMMA, &single, true));
    let escaped = |cells: &[String], cell: usize| {
        let quoted = |cell: &String| format!("\"{}\"", unquoted(cell).replace('"', "\\\""));
        first(cell).then(|| cells.iter().map(quoted).collect::<Vec<_>>().join(","))
    };
    quotes.extend(each_row(&COMMA, &escaped, true));
    add(family("a row with another quote or escape", &ALL, &quotes));

    let mut stray = Vec::new();
    for written in [COMMA, Written { quotes_all: true, ..COMMA }] {
        for (before, behind) in [("\"", ""), ("", "\""), ("\"", "\""), ("\"\"", "")] {
            let spoil = |cells: &[String], at: usize| {
                let mut cells = cells.to_vec();
                cells[at] = format!("{before}{}{behind}", cells[at]);
                Some(cells.join(","))
            };
            stray.extend(each_row(&written, &spoil, true));
        }
    }
    add(family("a quote too many", &ALL, &stray));

    let mut ends = Vec::new();
    for (usual, other) in [("\r\n", "\n"), ("\r\n", "\r"), ("\n", "\r"), ("\n", "\r\n"), ("\r", "\n")] {
        let written = Written { newline: usual, ..COMMA };
        for row in 0..table.len() {
            let mut lines = rows_of(&written, &table);
            lines[row] = lines[row].trim_end_matches(['\r', '\n']).to_owned() + other;
            ends.push(case(&written, lines.concat().into_bytes(), right(&table)));
        }
    }
    add(family("a row with another line end", &ALL, &ends));

    let mut values = Vec::new();
    for value in [
        "9".repeat(400),
        "word ".repeat(2_000),
        "日本語 😀".repeat(20),
        "\u{a0}".to_owned(),
        "NULL".to_owned(),
        "\t".to_owned(),
    ] {
        for cell in 0..table[0].len() {
            for row in [1, 7, 20] {
                let mut table = table.clone();
                table[row][cell] = value.clone();
                values.push(case(&COMMA, COMMA.text(&table).into_bytes(), right(&table)));
            }
        }
    }
    add(family("odd values", &ALL, &values));

    let mut together = [Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for delimiter in [",", ";", "\t", "|", " "] {
        for (quote, escape) in [('"', None), ('"', Some('\\')), ('\'', None)] {
            for quotes_all in [false, true] {
                let written = Written { delimiter, quote: Some(quote), escape, newline: "\n", quotes_all };
                for count in [1, 2, 3] {
                    let few: Table = table[..=count].to_vec();
                    together[0].push(case(&written, written.text(&few).into_bytes(), right(&few)));
                }
                for above in ["Stock of May\n", "Stock of May\nby Ann, in haste; all\n\n"] {
                    let skip_rows = above.matches('\n').count() as u32;
                    let told = Format { skip_rows, ..written.told() };
                    let bytes = format!("{above}{}", written.text(&table)).into_bytes();
                    together[1].push(Case { told, ..case(&written, bytes, right(&table)) });
                }
                let names: Vec<String> = (1..=table[0].len()).map(|column| format!("column_{column}")).collect();
                let told = Format { header: false, names: names.clone(), ..written.told() };
                let bytes = written.text(&table[1..].to_vec()).into_bytes();
                together[2].push(Case { bytes, told, names, rows: right(&table) });
                let text = format!("{}Total of all\n", written.text(&table));
                together[3].push(case(
                    &written,
                    text.into_bytes(),
                    right(&table).into_iter().chain([Outside]).collect(),
                ));
                for row in [1, 7, 20] {
                    let mut ragged = table.clone();
                    ragged[row].insert(4, String::new());
                    ragged[row + 1 - row / 20 * 2].pop();
                    together[4].push(case(&written, written.text(&ragged).into_bytes(), right(&ragged)));
                }
            }
        }
    }
    for (name, cases) in ["few rows", "lines above", "no header", "lines below", "ragged rows"].iter().zip(&together) {
        add(family(&format!("dialects and {name}"), &ALL, cases));
    }

    let (untold, told, files) = total;
    println!("all: {files} files, nothing told {:.3}, told {:.3}", untold / files as f64, told / files as f64);
}
