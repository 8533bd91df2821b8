"""Pages from templates: autoescaped, and a name that is not given is an error instead of an empty place."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import aiohttp_jinja2
import jinja2
from aiohttp import web

from web.assets import Assets

FOLDER: Final = Path(__file__).resolve().parent / "templates"


def set_up(app: web.Application, assets: Assets) -> None:
    """Let `page` render in this application, with `static('css/app.css')` in its templates."""
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        # As with assets: what is there when this begins goes together.
        auto_reload=False,
    )
    environment.globals["static"] = assets.url


def page(request: web.Request, name: str, context: Mapping[str, Any]) -> web.Response:
    """A rendered page."""
    return aiohttp_jinja2.render_template(name, request, context)
