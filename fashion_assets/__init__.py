"""Software-defined assets for fashion research: posts in, keywords, styles, trends and reports out."""

__version__ = "0.1.0"
