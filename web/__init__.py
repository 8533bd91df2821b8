"""What a front serves: routes, sockets, templates and static files. aiohttp and Jinja are imported here alone."""
