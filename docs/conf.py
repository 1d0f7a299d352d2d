"""Sphinx's settings for ``make site``; `.ci/site.py` gives it the pages."""

from sphinx.application import Sphinx
from sphinx.search.en import SearchEnglish

project = "txingress"
author = copyright = "The txingress developers"  # the name is Sphinx's
extensions = ["myst_parser"]
root_doc = "index"

# Anchors as on GitHub, so that a link is right in both places; one that leads nowhere is a warning.
myst_heading_anchors = 6

smartquotes = False  # "--" stays what people have to type
highlight_language = "none"
html_theme = "furo"
html_title = "txingress"
html_static_path = ["_static", "../ingress/admin/html/static/icon.svg"]
html_favicon = "../ingress/admin/html/static/icon.svg"
html_theme_options = {
    "light_logo": "icon.svg",
    "dark_logo": "icon.svg",
    "light_css_variables": {
        "color-sidebar-link-text--top-level": "var(--color-foreground-primary)"
    },
    "dark_css_variables": {"color-sidebar-link-text--top-level": "var(--color-foreground-primary)"},
}
html_css_files = ["site.css"]
html_js_files = ["copy.js", "search.js"]
html_use_index = False
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False


class SearchWithStatuses(SearchEnglish):
    """Sphinx leaves numbers out, and 404 is what people look for first (_static/search.js)."""

    def word_filter(self, word: str) -> bool:
        return (len(word) == 3 and word.isdigit()) or super().word_filter(word)


def setup(app: Sphinx) -> None:
    app.add_search_language(SearchWithStatuses)
