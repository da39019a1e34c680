//! Tables, whose rows are cards on a narrow screen: there their roles, which browsers then forget, are still what they
//! were.

use maud::{Markup, Render, html};

/// The head of a column.
pub(super) enum Column<'a> {
    Text(&'a str),
    /// Flush right.
    Number(&'a str),
    /// Told to those who do not see the table.
    Unseen(&'a str),
}

impl Render for Column<'_> {
    fn render(&self) -> Markup {
        html! {
            @match self {
                Column::Text(name) => th role="columnheader" scope="col" { (name) },
                Column::Number(name) => th.number role="columnheader" scope="col" { (name) },
                Column::Unseen(name) => th role="columnheader" scope="col" { span.unseen { (name) } },
            }
        }
    }
}

/// A table with these rows, each of them a `tr` whose cells say the name of their column.
pub(super) fn cards<'a>(class: &str, columns: impl IntoIterator<Item = Column<'a>>, rows: &Markup) -> Markup {
    html! {
        table class=(class) role="table" {
            thead role="rowgroup" { tr role="row" { @for column in columns { (column) } } }
            tbody role="rowgroup" { (rows) }
        }
    }
}
