"""The template engine of all pages: escaping always on, a missing value is an error, not an empty string."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from fashion_assets.reports import wording

if TYPE_CHECKING:
    from jinja2 import Environment


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("fashion_assets.reports", "templates"),
        autoescape=True,  # by name would miss ".html.j2"
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        percent=wording.percent,
        quantity=wording.quantity,
        month_title=wording.month_title,
        plain=wording.plain,
    )
    return environment


def template_source(name: str) -> str:
    """The text of a packaged template file, as it is (scripts are hashed before they are inlined)."""
    environment = _environment()
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0].replace("\r\n", "\n")


def render_template(name: str, **values: Any) -> str:
    """The page. Values are escaped unless they are `markupsafe.Markup` that this package built itself."""
    return _environment().get_template(name).render(**values)
