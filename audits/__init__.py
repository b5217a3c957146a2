"""How we try to break it: statistical and deterministic audits of privacy claims."""

if __name__ != "dpverify.audits":
    raise ImportError(
        f"this folder was imported as {__name__!r}; import it as 'dpverify.audits'. A top-level 'audits' would "
        "collide with a folder of the same name in the user's own project."
    )
