//! Interactive messages about products, and the sections that they share with lists.

use super::super::findings::{At, Check};
use super::super::json::Node;

/// The most sections of a list.
pub(super) const SECTIONS_MAX: usize = 10;
const SECTION_TITLE_CHARS_MAX: usize = 24;
const PRODUCTS_MAX: usize = 30;
/// The limit of ids, for which Meta documents none.
const ID_CHARS_MAX: usize = 256;

/// Checks the title of a section, which may only be left out if there is but one.
pub(super) fn check_section_title(section: &Node<'_>, sections_count: usize, at: &At<'_>, check: &mut Check<'_>) {
    if sections_count > 1 {
        check.text(section, "title", at, SECTION_TITLE_CHARS_MAX);
    } else {
        check.text_if_given(section, "title", at, SECTION_TITLE_CHARS_MAX);
    }
}

pub(super) fn check_product(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    for name in ["catalog_id", "product_retailer_id"] {
        check.text(action, name, at, ID_CHARS_MAX);
    }
}

pub(super) fn check_products(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    check.text(action, "catalog_id", at, ID_CHARS_MAX);
    let sections = check.list(action, "sections", at, 1..=SECTIONS_MAX).unwrap_or_default();
    let at = at.name("sections");
    let mut products_count = 0;
    for (i, section) in sections.iter().enumerate() {
        let at = at.index(i);
        check_section_title(section, sections.len(), &at, check);
        let products = check
            .list(section, "product_items", &at, 1..=PRODUCTS_MAX)
            .unwrap_or_default();
        products_count += products.len();
        let at = at.name("product_items");
        for (i, product) in products.iter().enumerate() {
            check.text(product, "product_retailer_id", &at.index(i), ID_CHARS_MAX);
        }
    }
    if products_count > PRODUCTS_MAX {
        check.refuse(&at, format!("must have {PRODUCTS_MAX} products at most, all together"));
    }
}

pub(super) fn check_catalog(action: &Node<'_>, at: &At<'_>, check: &mut Check<'_>) {
    if let Some(name) = check.member(action, "name", at)
        && name.as_text() != Some("catalog_message")
    {
        check.refuse(&at.name("name"), "must be catalog_message");
    }
    if let Some(parameters) = action.get("parameters") {
        let at = at.name("parameters");
        check.text_if_given(parameters, "thumbnail_product_retailer_id", &at, ID_CHARS_MAX);
    }
}
