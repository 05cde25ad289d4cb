"""Made-up crawls, pictures and product cards with a known truth, for the demo and for tests.

Belongs here: vocabularies, sentence templates, drawing by code, injected faults and the truth files
about them. Does not belong here: anything that reads real data, or anything that a pipeline step needs
to do its work.
"""

from __future__ import annotations

from fashion_assets.sample.make import SampleSummary, make_sample

__all__ = ["SampleSummary", "make_sample"]
