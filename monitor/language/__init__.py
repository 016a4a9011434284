"""Every text that people read: catalogues in Spanish and English, durations and dates in words."""

from monitor.language.catalogue import LANGUAGES, Language, Texts, in_every_language, text

__all__ = ["LANGUAGES", "Language", "Texts", "in_every_language", "text"]
