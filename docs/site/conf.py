"""Sphinx for the site; run by scripts/docs.sh on the copy that generate.py makes."""

project = 'diskcache'
copyright = 'the maintainers of libdiskcache'
version = release = '6.0.0'
extensions = ['myst_parser', 'sphinx.ext.autodoc', 'sphinx.ext.autosectionlabel']
myst_enable_extensions = ['deflist', 'attrs_block']
myst_heading_anchors = 3
autosectionlabel_prefix_document = True
suppress_warnings = ['autosectionlabel.*']  # two methods may have one word as their heading
autodoc_member_order = 'alphabetical'
autodoc_preserve_defaults = True
smartquotes = False  # would make a dash of two hyphens
html_theme = 'furo'
html_title = 'diskcache 6.0.0'
html_show_sphinx = False
