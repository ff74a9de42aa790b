//! A file with all its mutants in it: each is in force if it is chosen when the program starts, else none is.
//!
//! An expression becomes `(match crate::woven::at(first, count) { 0 => as it was, 1 => a mutant, .. })`, in a function
//! that is replaced such a `match` returns before the body begins, and an arm of a `match` gets a guard. Within a
//! mutant the text is the original one, since only one is chosen at a time.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::{Result, anyhow};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};

use super::list::{Genre, Mutant, Place};

/// A file with its mutants woven in.
#[derive(Debug, Default)]
pub(super) struct Woven {
    pub(super) text: String,
    /// Where in the text the mutants stand, by their numbers.
    pub(super) mutants: Vec<(Range<usize>, usize)>,
    /// Where in the text the places stand that have some, and their first numbers.
    pub(super) places: Vec<(Range<usize>, Vec<usize>)>,
    /// Those that have no place: what they would change is computed by the compiler, or has another type then.
    pub(super) left_out: Vec<usize>,
    /// Those that are no Rust: `||` before a `let`.
    pub(super) not_viable: Vec<usize>,
}

/// What stands at a place if a mutant is chosen.
#[derive(Debug, Default)]
struct Site {
    /// Numbers and texts.
    choices: Vec<(usize, String)>,
    form: Form,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Form {
    #[default]
    Expression,
    /// The begin of a function's body: a choice is what is returned.
    Body,
    /// The end of a pattern without a guard: a choice is that the arm is not there.
    Arm,
}

/// Where things are in a file that mutants change.
#[derive(Default)]
struct Map {
    /// Ranges of expressions, by the range that a mutant of them replaces (an operator, a field).
    expressions: BTreeMap<(usize, usize), Range<usize>>,
    /// Ends of patterns or ranges of guards, by the begin of the arm.
    arms: BTreeMap<usize, Range<usize>>,
    /// Where the compiler computes.
    constant: Vec<Range<usize>>,
    /// Functions that stay `const`.
    kept: BTreeSet<String>,
    /// Where `const` stands before others.
    functions: Vec<Range<usize>>,
    /// Where an `&&` stands that holds what a `let` names.
    chains: BTreeSet<usize>,
}

/// Weaves the mutants (with their numbers) into the text of their file.
///
/// No function is `const` then but those whose names are in `constant`: others can choose when they are called.
pub(super) fn weave(text: &str, mutants: &[(usize, &Mutant)], constant: &BTreeSet<String>) -> Result<Woven> {
    let file = syn::parse_file(text)?;
    let mut map = Map { kept: constant.clone(), ..Map::default() };
    map.visit_file(&file);
    let lines = Lines::new(text);
    let mut text = text.to_string();
    for word in &map.functions {
        text.replace_range(word.clone(), &" ".repeat(word.len()));
    }
    let text = text.as_str();
    let mut woven = Woven::default();
    // In order: what is inserted before what is enclosed, and the outer before the inner.
    let mut sites = BTreeMap::<(usize, bool, Reverse<usize>), Site>::new();
    for (number, mutant) in mutants {
        let span = lines.offset(mutant.span.start)?..lines.offset(mutant.span.end)?;
        if map.chains.contains(&span.start) {
            woven.not_viable.push(*number);
            continue;
        }
        let placed = (!map.constant.iter().any(|range| range.contains(&span.start)))
            .then(|| map.place(text, mutant, &span))
            .flatten();
        let Some((range, form, choice)) = placed else {
            woven.left_out.push(*number);
            continue;
        };
        let site = sites.entry((range.start, !range.is_empty(), Reverse(range.end))).or_default();
        site.form = form;
        site.choices.push((*number, choice));
    }
    let sites: Vec<_> = sites.into_iter().map(|((start, _, end), site)| (start..end.0, site)).collect();
    woven.render(text, 0..text.len(), &sites);
    Ok(woven)
}

impl Map {
    /// The range that changes with this mutant, how, and what its text becomes.
    fn place(
        &self,
        text: &str,
        mutant: &Mutant,
        span: &Range<usize>,
    ) -> Option<(Range<usize>, Form, String)> {
        let replacement = mutant.replacement.clone();
        match mutant.genre {
            Genre::FnValue if mutant.changes_type() => None,
            Genre::FnValue => Some((span.start..span.start, Form::Body, replacement)),
            Genre::MatchArmGuard => Some((span.clone(), Form::Expression, replacement)),
            Genre::MatchArm => {
                let place = self.arms.get(&span.start)?.clone();
                let form = if place.is_empty() { Form::Arm } else { Form::Expression };
                Some((place, form, String::from("false")))
            }
            Genre::BinaryOperator | Genre::UnaryOperator | Genre::StructField => {
                let (key, whole) = self.expressions.range((span.start, 0)..).next()?;
                if key.0 != span.start {
                    return None;
                }
                let changed =
                    [&text[whole.start..span.start], &replacement, &text[span.end..whole.end]].concat();
                Some((whole.clone(), Form::Expression, changed))
            }
        }
    }

    fn function(&mut self, signature: &syn::Signature, whole: &impl Spanned) {
        let Some(word) = signature.constness else { return };
        if self.kept.contains(&signature.ident.to_string()) {
            self.constant.push(whole.span().byte_range());
        } else {
            self.functions.push(word.span().byte_range());
        }
    }

    fn note(&mut self, changed: impl Spanned, whole: &impl Spanned) {
        let changed = changed.span().byte_range();
        self.expressions.insert((changed.start, changed.end), whole.span().byte_range());
    }
}

impl<'ast> Visit<'ast> for Map {
    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        if names_something(expr) {
            self.chains.insert(expr.op.span().byte_range().start);
        } else {
            self.note(expr.op, expr);
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        self.note(expr.op, expr);
        visit::visit_expr_unary(self, expr);
    }

    fn visit_expr_struct(&mut self, expr: &'ast syn::ExprStruct) {
        for field in &expr.fields {
            self.note(field, expr);
        }
        visit::visit_expr_struct(self, expr);
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let end = arm.pat.span().byte_range().end;
        let place = arm.guard.as_ref().map_or(end..end, |(_, guard)| guard.span().byte_range());
        self.arms.insert(arm.span().byte_range().start, place);
        visit::visit_arm(self, arm);
    }

    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.function(&item.sig, item);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.function(&item.sig, item);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_item_const(&mut self, item: &'ast syn::ItemConst) {
        self.constant.push(item.span().byte_range());
    }

    fn visit_item_static(&mut self, item: &'ast syn::ItemStatic) {
        self.constant.push(item.span().byte_range());
    }

    fn visit_impl_item_const(&mut self, item: &'ast syn::ImplItemConst) {
        self.constant.push(item.span().byte_range());
    }

    fn visit_trait_item_const(&mut self, item: &'ast syn::TraitItemConst) {
        self.constant.push(item.span().byte_range());
    }

    fn visit_expr_const(&mut self, expr: &'ast syn::ExprConst) {
        self.constant.push(expr.span().byte_range());
    }

    fn visit_type_array(&mut self, array: &'ast syn::TypeArray) {
        self.constant.push(array.len.span().byte_range());
    }

    fn visit_expr_repeat(&mut self, repeat: &'ast syn::ExprRepeat) {
        self.constant.push(repeat.len.span().byte_range());
        visit::visit_expr_repeat(self, repeat);
    }

    fn visit_generic_argument(&mut self, argument: &'ast syn::GenericArgument) {
        if let syn::GenericArgument::Const(expr) = argument {
            self.constant.push(expr.span().byte_range());
        }
        visit::visit_generic_argument(self, argument);
    }

    fn visit_variant(&mut self, variant: &'ast syn::Variant) {
        self.constant.push(variant.span().byte_range());
    }
}

/// Whether an operand is a `let`, or holds one that is in force for what follows.
fn names_something(expr: &syn::ExprBinary) -> bool {
    [&expr.left, &expr.right].into_iter().any(|operand| match operand.as_ref() {
        syn::Expr::Let(_) => true,
        syn::Expr::Binary(inner) => names_something(inner),
        _ => false,
    })
}

impl Woven {
    /// Appends a range of the original text with the sites that are in it, which are in order, the outer ones first.
    fn render(&mut self, text: &str, range: Range<usize>, sites: &[(Range<usize>, Site)]) {
        let mut from = range.start;
        let mut rest = sites;
        while let Some(((place, site), inner)) = rest.split_first() {
            self.text.push_str(&text[from..place.start]);
            let within = inner.iter().take_while(|(inner, _)| inner.start < place.end).count();
            self.place(text, place, site, &inner[..within]);
            from = place.end;
            rest = &inner[within..];
        }
        self.text.push_str(&text[from..range.end]);
    }

    fn place(&mut self, text: &str, range: &Range<usize>, site: &Site, inner: &[(Range<usize>, Site)]) {
        let begin = self.text.len();
        let first = site.choices[0].0;
        let at = format!("crate::woven::at(&[{}])", numbers(&site.choices));
        match site.form {
            Form::Arm => {
                self.text.push_str(&format!(" if {at} == 0"));
                self.mutants.push((begin..self.text.len(), first));
            }
            Form::Body => {
                self.text.push_str(&format!("match {at} {{ 0 => {{}}"));
                self.choices(&site.choices, "return ");
                self.text.push_str(" } ");
            }
            Form::Expression => {
                self.text.push_str(&format!("(match {at} {{ 0 => "));
                self.render(text, range.clone(), inner);
                self.choices(&site.choices, "");
                self.text.push_str(" })");
            }
        }
        let of = site.choices.iter().map(|(number, _)| *number).collect();
        self.places.push((begin..self.text.len(), of));
    }

    fn choices(&mut self, choices: &[(usize, String)], before: &str) {
        for (index, (number, choice)) in choices.iter().enumerate() {
            let pattern =
                if index + 1 == choices.len() { String::from("_") } else { (index + 1).to_string() };
            self.text.push_str(&format!(", {pattern} => "));
            let begin = self.text.len();
            self.text.push_str(before);
            self.text.push_str(choice);
            self.mutants.push((begin..self.text.len(), *number));
        }
    }
}

fn numbers(choices: &[(usize, String)]) -> String {
    choices.iter().map(|(number, _)| number.to_string()).collect::<Vec<_>>().join(", ")
}

/// Where the lines of a text begin.
struct Lines<'a> {
    text: &'a str,
    begins: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str) -> Lines<'a> {
        let ends = text.match_indices('\n').map(|(at, _)| at + 1);
        Lines { text, begins: std::iter::once(0).chain(ends).collect() }
    }

    fn offset(&self, place: Place) -> Result<usize> {
        let begin = *self.begins.get(place.line - 1).ok_or_else(|| anyhow!("no line {}", place.line))?;
        let line = &self.text[begin..];
        let column = line.char_indices().nth(place.column - 1).map_or(line.len(), |(at, _)| at);
        Ok(begin + column)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(genre: &str, from: (usize, usize), to: (usize, usize), replacement: &str) -> Mutant {
        let place = |(line, column)| serde_json::json!({ "line": line, "column": column });
        let span = serde_json::json!({ "start": place(from), "end": place(to) });
        serde_json::from_value(serde_json::json!({
            "name": "", "file": "", "genre": genre, "span": span, "replacement": replacement
        }))
        .unwrap()
    }

    fn woven(text: &str, mutants: &[Mutant]) -> Woven {
        weave(text, &mutants.iter().enumerate().collect::<Vec<_>>(), &BTreeSet::from([String::from("f")]))
            .unwrap()
    }

    #[test]
    fn an_operator_has_a_choice_within_the_choice_of_its_body() {
        let text = "fn f(a: u8) -> bool {\n    a == 1 && a < 2\n}\n";
        let mutants = [
            mutant("FnValue", (2, 5), (2, 20), "true"),
            mutant("BinaryOperator", (2, 12), (2, 14), "||"),
            mutant("BinaryOperator", (2, 17), (2, 18), "=="),
            mutant("BinaryOperator", (2, 17), (2, 18), ">"),
        ];
        let woven = woven(text, &mutants);
        let inner = "(match crate::woven::at(&[2, 3]) { 0 => a < 2, 1 => a == 2, _ => a > 2 })";
        let outer =
            format!("(match crate::woven::at(&[1]) {{ 0 => a == 1 && {inner}, _ => a == 1 || a < 2 }})");
        let body = format!("match crate::woven::at(&[0]) {{ 0 => {{}}, _ => return true }} {outer}");
        assert_eq!(woven.text, format!("fn f(a: u8) -> bool {{\n    {body}\n}}\n"));
        assert_eq!(
            woven.places.iter().map(|(_, of)| of.clone()).collect::<Vec<_>>(),
            [vec![0], vec![2, 3], vec![1]]
        );
        let text_of = |wanted| {
            let (range, _) = woven.mutants.iter().find(|(_, number)| *number == wanted).unwrap();
            &woven.text[range.clone()]
        };
        assert_eq!([0, 1, 2, 3].map(text_of), ["return true", "a == 1 || a < 2", "a == 2", "a > 2"]);
    }

    #[test]
    fn arms_get_guards_and_guards_take_in_that_the_arm_is_gone() {
        let text = "fn f(a: u8) -> u8 {\n    match a {\n        1 => 2,\n        3 if a > 0 => 4,\n        _ => 5,\n    }\n}\n";
        let mutants = [
            mutant("MatchArm", (3, 9), (3, 16), ""),
            mutant("MatchArm", (4, 9), (4, 25), ""),
            mutant("MatchArmGuard", (4, 14), (4, 19), "true"),
        ];
        let text = woven(text, &mutants).text;
        assert!(text.contains("1 if crate::woven::at(&[0]) == 0 => 2,"), "{text}");
        assert!(
            text.contains(
                "3 if (match crate::woven::at(&[1, 2]) { 0 => a > 0, 1 => false, _ => true }) => 4,"
            ),
            "{text}"
        );
    }

    #[test]
    fn what_the_compiler_computes_has_no_place_and_an_or_before_a_let_is_no_rust() {
        let text = "const A: u8 = 1 + 2;\nconst fn f() -> u8 { 1 }\nconst fn e() -> u8 { 1 }\nfn g(a: Option<u8>) -> bool {\n    if true && let Some(x) = a && x > 1 { true } else { false }\n}\n";
        let mutants = [
            mutant("BinaryOperator", (1, 17), (1, 18), "-"),
            mutant("FnValue", (2, 22), (2, 23), "0"),
            mutant("FnValue", (3, 22), (3, 23), "0"),
            mutant("BinaryOperator", (5, 13), (5, 15), "||"),
            mutant("BinaryOperator", (5, 32), (5, 34), "||"),
            mutant("BinaryOperator", (5, 37), (5, 38), "<"),
        ];
        let woven = woven(text, &mutants);
        assert_eq!((woven.left_out, woven.not_viable), (vec![0, 1], vec![3, 4]));
        assert!(woven.text.contains("      fn e() -> u8 { match crate::woven::at(&[2]) {"), "{}", woven.text);
        assert!(woven.text.contains("&& (match crate::woven::at(&[5]) { 0 => x > 1, _ => x < 1 }) {"));
    }

    #[test]
    fn a_field_that_is_left_out_takes_the_whole_expression_with_it() {
        let text = "fn f() -> S {\n    S { a: 1, b: 2, ..S::new() }\n}\n";
        let text = woven(text, &[mutant("StructField", (2, 9), (2, 14), "")]).text;
        let choice = "(match crate::woven::at(&[0]) { 0 => S { a: 1, b: 2, ..S::new() }, _ => S {  b: 2, ..S::new() } })";
        assert!(text.contains(choice), "{text}");
    }
}
