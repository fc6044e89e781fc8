//! Tree of the values in a text: finds the value at a place, and removes values that were refused.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeTable, DeValue};

/// Dotted keys whose values were refused. For `[[…]]` tables only the key of the table.
#[derive(Debug, Clone, Default)]
pub(super) struct RefusedKeys(BTreeSet<String>);

impl RefusedKeys {
    /// `true` if the value of this key, or a table around it, was refused.
    pub(super) fn holds(&self, key: &str) -> bool {
        let above = key.match_indices('.').filter_map(|(at, _)| key.get(..at));
        above.chain([key]).any(|path| self.0.contains(path))
    }
}

/// Value or key at some bytes.
pub(super) struct Located<'a, 'i> {
    /// The value. `None` if the place is that of a key.
    pub(super) value: Option<&'a DeValue<'i>>,
    /// Number in its list, from 1, if the list has several entries.
    pub(super) entry: Option<usize>,
}

/// Finds the value or the key at exactly these bytes. `[[…]]` tables are not numbered, because nobody counts them.
pub(super) fn find<'a, 'i>(tables: &'a DeTable<'i>, place: &Range<usize>) -> Option<Located<'a, 'i>> {
    tables.iter().find_map(|(key, value)| match value.get_ref() {
        _ if key.span() == *place => Some(Located { value: None, entry: None }),
        // The list of all the tables has the place of the first table.
        DeValue::Array(items) => {
            let in_tables = |item: &'a Spanned<DeValue<'i>>| match item.get_ref() {
                DeValue::Table(_) => find_in(item, place),
                _ => None,
            };
            items.iter().find_map(in_tables).or_else(|| find_in(value, place))
        }
        _ => find_in(value, place),
    })
}

fn find_below<'a, 'i>(table: &'a DeTable<'i>, place: &Range<usize>) -> Option<Located<'a, 'i>> {
    table.iter().find_map(|(key, value)| {
        let is_key = key.span() == *place;
        if is_key { Some(Located { value: None, entry: None }) } else { find_in(value, place) }
    })
}

fn find_in<'a, 'i>(value: &'a Spanned<DeValue<'i>>, place: &Range<usize>) -> Option<Located<'a, 'i>> {
    if value.span() == *place {
        return Some(Located { value: Some(value.get_ref()), entry: None });
    }
    match value.get_ref() {
        DeValue::Table(inner) => find_below(inner, place),
        DeValue::Array(items) => items.iter().enumerate().find_map(|(index, item)| {
            let found = find_in(item, place)?;
            let entry = found.entry.or((items.len() > 1).then_some(index + 1));
            Some(Located { entry, ..found })
        }),
        _ => None,
    }
}

/// Copy of the tree in which the list at this place has only the entry of this index.
pub(super) fn with_one_entry<'i>(
    tree: &Spanned<DeTable<'i>>,
    place: &Range<usize>,
    index: usize,
) -> Spanned<DeTable<'i>> {
    let mut tree = tree.clone();
    keep_one(tree.get_mut(), place, index);
    tree
}

fn keep_one(table: &mut DeTable<'_>, place: &Range<usize>, index: usize) {
    for (_, value) in table.iter_mut() {
        keep_one_in(value, place, index);
    }
}

fn keep_one_in(value: &mut Spanned<DeValue<'_>>, place: &Range<usize>, index: usize) {
    let is_here = value.span() == *place;
    match value.get_mut() {
        DeValue::Array(items) if is_here => {
            let mut kept = DeArray::new();
            items.iter().skip(index).take(1).for_each(|item| kept.push(item.clone()));
            *items = kept;
        }
        DeValue::Array(items) => items.iter_mut().for_each(|item| keep_one_in(item, place, index)),
        DeValue::Table(inner) => keep_one(inner, place, index),
        _ => {}
    }
}

/// Copy of the tree with this text as the value at a place.
pub(super) fn with_text<'i>(
    tree: &Spanned<DeTable<'i>>,
    place: &Range<usize>,
    text: &'i str,
) -> Spanned<DeTable<'i>> {
    fn put<'i>(value: &mut Spanned<DeValue<'i>>, place: &Range<usize>, text: &'i str) {
        let is_here = value.span() == *place;
        match value.get_mut() {
            here if is_here => *here = DeValue::String(text.into()),
            DeValue::Array(items) => items.iter_mut().for_each(|item| put(item, place, text)),
            DeValue::Table(inner) => inner.iter_mut().for_each(|(_, value)| put(value, place, text)),
            _ => {}
        }
    }
    let mut tree = tree.clone();
    tree.get_mut().iter_mut().for_each(|(_, value)| put(value, place, text));
    tree
}

/// Key that was removed from the table at this place.
pub(super) struct Removed {
    pub(super) key: String,
    pub(super) table: Range<usize>,
}

/// Removes the innermost value or key at a place, and its list if that has no other entry. `None` if there is nothing
/// at the place.
pub(super) fn remove(tree: &mut Spanned<DeTable<'_>>, refused: &Range<usize>) -> Option<Removed> {
    let place = tree.span();
    remove_from(tree.get_mut(), &place, refused)
}

fn remove_from(table: &mut DeTable<'_>, place: &Range<usize>, refused: &Range<usize>) -> Option<Removed> {
    let mut refused_key = None;
    for (key, value) in table.iter_mut() {
        let (key_at, at) = (key.span(), value.span());
        let is_empty = |value: &DeValue<'_>| matches!(value, DeValue::Array(items) if items.is_empty());
        let was_empty = is_empty(value.get_ref());
        let inner = match value.get_mut() {
            DeValue::Table(inner) => remove_from(inner, &at, refused),
            DeValue::Array(items) => remove_from_items(items, &at, refused),
            _ => None,
        };
        if inner.is_some() {
            return inner;
        }
        let is_emptied = !was_empty && is_empty(value.get_ref());
        if at == *refused || key_at == *refused || is_emptied {
            refused_key = Some(key.get_ref().to_string());
            break;
        }
    }
    let key = refused_key?;
    table.remove(key.as_str());
    Some(Removed { key, table: place.clone() })
}

/// Removes an entry from a list. `None` if the list does not hold it, or is empty now.
fn remove_from_items(
    items: &mut DeArray<'_>,
    place: &Range<usize>,
    refused: &Range<usize>,
) -> Option<Removed> {
    for item in items.iter_mut() {
        let at = item.span();
        let DeValue::Table(inner) = item.get_mut() else { continue };
        let removed = remove_from(inner, &at, refused);
        if removed.is_some() {
            return removed;
        }
    }
    let mut kept = DeArray::new();
    let before = items.len();
    items.iter().filter(|item| item.span() != *refused).for_each(|item| kept.push(item.clone()));
    let is_gone = kept.len() < before;
    *items = kept;
    (is_gone && !items.is_empty()).then(|| Removed { key: String::new(), table: place.clone() })
}

/// Removes every `[[…]]` table from which a value was removed, because its values cannot be compared with each other
/// any more. Returns all keys whose values differ from the text.
pub(super) fn leave_out_damaged(written: &DeTable<'_>, left: &mut DeTable<'_>) -> RefusedKeys {
    let mut refused = BTreeSet::new();
    for (key, value) in written {
        let name: &str = key.get_ref();
        match (value.get_ref(), left.get_mut(name).map(Spanned::get_mut)) {
            (_, None) => {
                refused.insert(name.to_owned());
            }
            (DeValue::Array(before), Some(DeValue::Array(after))) => {
                let is_damaged = keep_whole(before, after);
                refused.extend(is_damaged.then(|| name.to_owned()));
            }
            (DeValue::Table(before), Some(DeValue::Table(after))) => {
                let is_damaged = |key: &str, value| after.get(key).is_none_or(|left| !is_same(value, left));
                let damaged = before.iter().filter(|(key, value)| is_damaged(key.get_ref(), value));
                refused.extend(damaged.map(|(key, _)| format!("{name}.{}", key.get_ref())));
            }
            _ => {}
        }
    }
    RefusedKeys(refused)
}

/// Keeps the unchanged items. Returns `true` if an item of `before` is missing or changed.
fn keep_whole(before: &DeArray<'_>, after: &mut DeArray<'_>) -> bool {
    let mut kept = DeArray::new();
    let is_whole = |item: &Spanned<DeValue<'_>>| before.iter().any(|written| is_same(written, item));
    after.iter().filter(|item| is_whole(item)).for_each(|item| kept.push(item.clone()));
    let is_damaged = kept.len() < before.len();
    *after = kept;
    is_damaged
}

/// Compares values with their places. The types of the parser have no other comparison.
fn is_same(one: &Spanned<DeValue<'_>>, other: &Spanned<DeValue<'_>>) -> bool {
    format!("{one:?}") == format!("{other:?}")
}
