"""twilio-cli's config file: where it is, its profiles, and what to do where one is missing.

Source: https://www.twilio.com/docs/twilio-cli/general-usage/profiles
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from twbuild import strict_json
from twbuild.errors import CommandHint, CredentialsError
from twbuild.invocation import typed
from twbuild.text import counted, listed, named, pasteable, visible

CONFIG_DIR = "TWILIO_CONFIG_DIR"
NO_FOLDER = f"Neither HOME nor {CONFIG_DIR} names the folder of twilio-cli's config.json."


def path(environ: Mapping[str, str]) -> str | None:
    """The path of the config file; None where no variable names its folder."""
    if folder := environ.get(CONFIG_DIR):
        return os.path.join(folder, "config.json")
    home = environ.get("HOME") or _home_of_user()
    return os.path.join(home, ".twilio-cli", "config.json") if os.path.isabs(home) else None


def folder_hints(environ: Mapping[str, str]) -> list[str]:
    """What is wrong with a TWILIO_CONFIG_DIR in which there is no file."""
    folder = environ.get(CONFIG_DIR, "")
    if folder.startswith("~"):
        return [f"{CONFIG_DIR} begins with ~, which was not expanded. Write $HOME in its place."]
    if os.path.isfile(folder):
        return [f"{CONFIG_DIR} is a file. Set it to the folder that contains config.json."]
    return []


def names(environ: Mapping[str, str]) -> list[str]:
    """The names that `--profile` takes; none where the file cannot be read."""
    try:
        file = path(environ)
        return list(entries((file and strict_json.read(file)) or {}))
    except strict_json.NotAnObjectError:
        return []


def entries(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The profiles of a config file that are written as twilio-cli writes them."""
    profiles = config.get("profiles")
    if not isinstance(profiles, dict):
        return {}
    return {name: entry for name, entry in profiles.items() if isinstance(entry, dict)}


def active(config: Mapping[str, Any], place: str) -> str:
    """The name of the active profile; `place` is the file as messages name it.

    Raises CredentialsError where none is active, or where the file's owner wants it to be named.
    """
    profiles = entries(config)
    first = next(iter(profiles), "NAME")
    once = pasteable(typed("-p", first))
    if config.get("requireProfileInput") is True:
        raise CredentialsError(
            f"no profile named: {place} has requireProfileInput. Pass -p NAME",
            _listed(profiles),
            CommandHint("For example: ", once),
        )
    name = config.get("activeProject")
    if isinstance(name, str) and name:
        return name
    use = pasteable(["twilio", "profiles:use", *(["--"] if first.startswith("-") else []), first])
    raise CredentialsError(
        f"no profile is active in {place}",
        _listed(profiles),
        CommandHint("Make one active with: ", use),
        CommandHint("Or use one once with: ", once),
    )


def entry(config: Mapping[str, Any], name: str, place: str) -> dict[str, Any]:
    """The settings of one profile. Raises CredentialsError where they are not there."""
    profiles = entries(config)
    if name in profiles:
        return profiles[name]
    if name in _old_names(config):
        message = f"profile {named(name)} in {place} has no secret: an old twilio-cli wrote it"
        raise CredentialsError(message, recreate(name))
    hints = [_listed(profiles)]
    if (meant := visible(name)) != name and meant in profiles:
        hints.append(f"Profile {meant} exists: write its name without invisible characters.")
    raise not_found(name, place, *hints)


def not_found(name: str, place: str, *hints: str) -> CredentialsError:
    """The error for a profile that is not there; what cannot be seen is not offered as a name."""
    if name == visible(name):
        hints = (*hints, CommandHint("Create it with: ", _create(name)))
    return CredentialsError(f"no profile {named(name)} in {place}", *hints)


def recreate(name: str) -> CommandHint:
    """How to write a broken profile again."""
    return CommandHint("Recreate it with: ", _create(name))


def _create(name: str) -> str:
    return pasteable(["twilio", "profiles:create", "-p", name])


def _old_names(config: Mapping[str, Any]) -> list[Any]:
    projects = config.get("projects")
    found = projects if isinstance(projects, list) else []
    return [project.get("id") for project in found if isinstance(project, dict)]


def _listed(profiles: Mapping[str, Any]) -> str:
    if not profiles:
        return "It has no profiles."
    return f"It has {counted(len(profiles), 'profile')}: {listed(list(map(named, profiles)))}"


def _home_of_user() -> str:
    """The home folder that the system knows; an empty HOME is not the working directory."""
    if os.name == "nt":
        return os.path.expanduser("~")
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        return ""
