//! What the test suites of other readers of CSV teach, in cases of our own, with nothing told: each a file, its names,
//! and its rows. A row that is marked has a `!` before it.

use super::*;

/// Names and rows with `|` between cells, `⏎` for a line break.
fn seen(text: &str) -> String {
    let mut rows = Rows::open(text.as_bytes(), &Format::default(), Limits::default())
        .unwrap_or_else(|error| panic!("{text:?}: {error:?}"));
    if rows.seems_headless {
        rows.number_columns();
    }
    let names = rows.names.clone();
    let mut seen = names.join("|");
    while let Ok(Some(row)) = rows.next_row() {
        let mark = if row.problem.is_some() || row.cells.len() != names.len() { "!" } else { "" };
        let cells: Vec<&str> = row.values().collect();
        seen.push_str(&format!("\n{mark}{}", cells.join("|")));
    }
    seen.replace("\r\n", "⏎")
}

#[test]
fn cases_that_other_readers_know() {
    let cases: &[(&str, &str)] = &[
        // Quotes and what stands around them.
        ("a,b,c\n1,\"x, y\",2\n", "a|b|c\n1|x, y|2"),
        ("a,b\n1,\"ha \"\"ha\"\" ha\"\n", "a|b\n1|ha \"ha\" ha"),
        (
            "a,b\n1,\"{\"\"type\"\": \"\"Point\"\", \"\"at\"\": [1.5, 2]}\"\n",
            "a|b\n1|{\"type\": \"Point\", \"at\": [1.5, 2]}",
        ),
        ("a,b,c\n1,\"\",\"\"\n2,3,4\n", "a|b|c\n1||\n2|3|4"),
        ("a,b\n  1 , x \n", "a|b\n  1 | x "),
        ("a,b\nx , \"y\" \n", "a|b\nx |y"),
        ("a,b,c\nx,y \"z\" y,w\n", "a|b|c\nx|y \"z\" y|w"),
        ("a,b,c\nx,y\"\",w\n", "a|b|c\nx|y\"\"|w"),
        ("a,b,c\nx,\"y\"z,w\nu,v,t\n", "a|b|c\n!x|\"y\"z|w\nu|v|t"),
        ("a,b,c\nx,y,\"z\nu,v,t\n", "a|b|c\n!x|y|\"z\nu|v|t"),
        ("a,b,c\nx,y,\"z\"\n", "a|b|c\nx|y|z"),
        ("a,b,c\nx,y,\"z\"", "a|b|c\nx|y|z"),
        ("a,b\nx,\"\"\"\"\n", "a|b\nx|\""),
        ("a,b\nx,\"\"\"y\"\"\"\n", "a|b\nx|\"y\""),
        ("a,b\nx,\"a \\\"b\\\" c\"\ny,z\n", "a|b\nx|a \"b\" c\ny|z"),
        ("a,b\nx,\"c:\\dir\\\"\ny,z\n", "a|b\nx|c:\\dir\\\ny|z"),
        ("'a','b'\n'1','x, y'\n'2','it''s'\n", "a|b\n1|x, y\n2|it's"),
        // Line ends.
        ("a,b\r1,2\r", "a|b\n1|2"),
        ("a,b\r\n1,2\n3,4\r5,6", "a|b\n1|2\n3|4\n5|6"),
        ("a,b\n\n\n1,2\n\n", "a|b\n1|2"),
        ("\n\na,b\n1,2\n", "a|b\n1|2"),
        ("a,b\n1,\"two\nlines\"\n3,4\n", "a|b\n1|two\nlines\n3|4"),
        ("a,b\r\n1,\"two\r\nlines\"\r\n3,4\r\n", "a|b\n1|two⏎lines\n3|4"),
        ("\"a\nb\",c\n1,2\n", "a\nb|c\n1|2"),
        // Cells too few and too many.
        ("a,b,c\n1,2\n3,4,5,6\n7,8,9\n", "a|b|c\n!1|2\n!3|4|5|6\n7|8|9"),
        ("a,b,c\n1\n2,3,4\n", "a|b|c\n!1\n2|3|4"),
        ("a,b,c\n,,\n1,2,3\n", "a|b|c\n||\n1|2|3"),
        ("a,b\n1,\n,2\n", "a|b\n1|\n|2"),
        ("a,b,\n1,2,\n3,4,\n", "a|b|\n1|2|\n3|4|"),
        // Delimiters.
        ("a|b|c, d\n1|2|x, y\n3|4|z, w\n", "a|b|c, d\n1|2|x, y\n3|4|z, w"),
        ("when;how much\n2024-01-01;1,5\n2024-01-02;2,5\n", "when|how much\n2024-01-01|1,5\n2024-01-02|2,5"),
        (
            "day\ttime\n2024-01-01\t10:30:00\n2024-01-02\t11:30:00\n",
            "day|time\n2024-01-01|10:30:00\n2024-01-02|11:30:00",
        ),
        ("name,at\nAnn,\"48.1,11.5\"\nBob,\"52.5,13.4\"\n", "name|at\nAnn|48.1,11.5\nBob|52.5,13.4"),
        ("id,list\n1,a;b;c\n2,d;e;f\n", "id|list\n1|a;b;c\n2|d;e;f"),
        (
            "id,when\n1,2024-01-01 10:30:00\n2,2024-01-02 11:30:00\n",
            "id|when\n1|2024-01-01 10:30:00\n2|2024-01-02 11:30:00",
        ),
        // Headers.
        ("1,2,3\n4,5,6\n", "column_1|column_2|column_3\n1|2|3\n4|5|6"),
        ("name,phone\nAnn,5125550142\n", "name|phone\nAnn|5125550142"),
        ("id,\n1,x\n2,y\n", "id|\n1|x\n2|y"),
        ("a,a,a\n1,2,3\n", "a|a|a\n1|2|3"),
        // Beyond ASCII.
        ("\u{FEFF}a,b\n1,ʤ\n", "a|b\n1|ʤ"),
        ("名前,電話\nアン,5125550142\n", "名前|電話\nアン|5125550142"),
        ("a,b\n1,x\u{2028}y\u{b}z\n", "a|b\n1|x\u{2028}y\u{b}z"),
    ];
    for (text, expected) in cases {
        assert_eq!(seen(text), *expected, "{text:?}");
    }
}
