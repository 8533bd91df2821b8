"""Every message that travels, declared once: mail between actors, frames to browsers, error codes."""
