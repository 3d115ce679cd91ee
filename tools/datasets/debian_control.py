"""Reads Debian control files: the paragraphs of `apt-cache dumpavail`, one package for each name.

Field syntax: Debian Policy, chapters 5 (control fields) and 7 (relationships); version order:
deb-version(7). Invalid input raises a DataError with the place and the expected text.
"""

import functools
import itertools
import re
from dataclasses import dataclass

RELATIONS = ("Depends", "Pre-Depends", "Recommends", "Suggests")
FIELDS = frozenset(RELATIONS) | {
    "Package",
    "Version",
    "Architecture",
    "Provides",
    "Section",
    "Priority",
    "Tag",
    "Installed-Size",
}

# Policy requires lower case, but real Provides fields also hold ABI hashes and file-like names, so
# upper case and "_" are accepted.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]*")
# name, then optionally :qualifier, (version constraint), [architectures], <build profiles>
RELATION = re.compile(
    rf"({NAME.pattern})(?::[a-z0-9-]+)?\s*(?:\([^()]*\))?\s*(?:\[[^\[\]]*\])?\s*(?:<[^<>]*>\s*)*"
)
# debtags abbreviates works-with::image, works-with::text to works-with::{image,text}
BRACED_TAGS = re.compile(r"([^\s,{}]+)\{([^{}]*)\}")


class DataError(Exception):
    """The input is not the text of `apt-cache dumpavail`; names the place and the expected text."""


@dataclass
class Package:
    name: str
    version: str
    architecture: str
    relations: frozenset = frozenset()
    provides: frozenset = frozenset()
    section: str = ""
    priority: str = ""
    tags: frozenset = frozenset()
    installed_size: int | None = None  # KiB, as the package states


def read_stanzas(lines, source):
    """Yields {field: (line number, value)} per paragraph; a space joins continuation lines."""
    stanza, current, number = {}, None, 0
    for number, raw in enumerate(lines, 1):
        try:
            line = raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise DataError(f"{source}:{number}: not UTF-8 text: {error.reason}") from None
        if "\0" in line:
            raise DataError(
                f"{source}:{number}: a NUL byte; expected the text of `apt-cache dumpavail`"
            )
        if not line.strip():
            if stanza:
                yield stanza
            stanza, current = {}, None
        elif line[0] in " \t":
            if current is None:
                raise DataError(f"{source}:{number}: a continuation line, but no field before it")
            if current in FIELDS:
                start, value = stanza[current]
                stanza[current] = (start, f"{value} {line.strip()}")
        else:
            name, colon, value = line.partition(":")
            if not colon or not name or " " in name:
                raise DataError(
                    f"{source}:{number}: expected 'Field: value' or an empty line, "
                    f"got {line[:60]!r}"
                )
            if name in stanza:
                raise DataError(f"{source}:{number}: a second {name} field in one package")
            current = name
            stanza[name] = (number, value.strip() if name in FIELDS else "")
    if stanza:
        yield stanza


def parse_relation(value, where):
    """'a (>= 1) | b:any, c' -> {a, b, c}: keeps alternatives, ignores constraints and qualifiers."""
    names = set()
    for clause in value.split(","):
        if not clause.strip():
            continue  # a trailing comma is legal
        for alternative in clause.split("|"):
            match = RELATION.fullmatch(alternative.strip())
            if not match:
                raise DataError(
                    f"{where}: expected a package name with an optional (version), "
                    f"got {alternative.strip()[:60]!r}"
                )
            names.add(match[1])
    return frozenset(names)


def parse_tags(value):
    """'role::program, works-with::{image,text}' -> the set of its tags, braces expanded."""

    def write_out(match):
        return ", ".join(match[1] + part.strip() for part in match[2].split(","))

    return frozenset(
        tag
        for tag in (part.strip() for part in BRACED_TAGS.sub(write_out, value).split(","))
        if tag
    )


def parse_package(stanza, source):
    """One paragraph -> Package. Raises DataError at the first invalid field."""
    first_line = min(line for line, _ in stanza.values())
    if "Package" not in stanza:
        raise DataError(f"{source}:{first_line}: a paragraph without a Package field")

    def text(name):
        return stanza.get(name, (0, ""))[1]

    def names(*fields):
        parsed = (
            parse_relation(text(name), f"{source}:{stanza[name][0]}: {name}")
            for name in fields
            if name in stanza
        )
        return frozenset().union(*parsed)

    def word(name):
        """A feature value, without the separators of the table, tab and '|'."""
        if re.search(r"[\s|]", text(name)):
            raise DataError(
                f"{source}:{stanza[name][0]}: {name}: expected one word, got {text(name)[:60]!r}"
            )
        return text(name)

    if not NAME.fullmatch(text("Package")):
        raise DataError(
            f"{source}:{stanza['Package'][0]}: not a package name: {text('Package')[:60]!r}"
        )
    size = text("Installed-Size")
    if size and not re.fullmatch(r"[0-9]{1,15}", size):
        raise DataError(
            f"{source}:{stanza['Installed-Size'][0]}: Installed-Size: expected a number of KiB, "
            f"got {size[:60]!r}"
        )
    tags = parse_tags(text("Tag"))
    for tag in tags:
        if re.search(r"[\s|{}]", tag):
            raise DataError(
                f"{source}:{stanza['Tag'][0]}: Tag: expected facet::value, got {tag[:60]!r}"
            )
    return Package(
        name=text("Package"),
        version=text("Version"),
        architecture=text("Architecture"),
        relations=names(*RELATIONS),
        provides=names("Provides"),
        section=word("Section"),
        priority=word("Priority"),
        tags=tags,
        installed_size=int(size) if size else None,
    )


def compare_versions(a, b):
    """Debian's order of two version strings: -1, 0 or 1.

    '~' sorts before the end, letters before all else, runs of digits as numbers.
    """

    def split(version):
        epoch, colon, rest = version.partition(":")
        if not colon:
            epoch, rest = "0", version
        upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
        return epoch, upstream, revision

    def weight(character):
        return (
            -1
            if character == "~"
            else ord(character) if character.isalpha() else ord(character) + 256
        )

    def compare_part(x, y):
        for (text_x, digits_x), (text_y, digits_y) in itertools.zip_longest(
            re.findall(r"(\D*)(\d*)", x), re.findall(r"(\D*)(\d*)", y), fillvalue=("", "")
        ):
            key_x = [weight(character) for character in text_x] + [0]
            key_y = [weight(character) for character in text_y] + [0]
            if key_x != key_y:
                return -1 if key_x < key_y else 1
            if int(digits_x or 0) != int(digits_y or 0):
                return -1 if int(digits_x or 0) < int(digits_y or 0) else 1
        return 0

    return next((order for order in map(compare_part, split(a), split(b)) if order), 0)


def preference(a, b):
    """Orders two packages of one name: the newer is greater; ties are broken arbitrarily but fixed."""

    def fixed(package):
        return (
            package.version,
            package.architecture,
            sorted(package.relations),
            sorted(package.provides),
            package.section,
            package.priority,
            sorted(package.tags),
            -1 if package.installed_size is None else package.installed_size,
        )

    order = compare_versions(a.version, b.version)
    return order if order else (fixed(a) > fixed(b)) - (fixed(a) < fixed(b))


def read_packages(lines, source):
    """Returns ({name: Package}, number of paragraphs); the input's order does not matter."""
    packages, count = {}, 0
    for stanza in read_stanzas(lines, source):
        package = parse_package(stanza, source)
        count += 1
        other = packages.get(package.name)
        packages[package.name] = (
            package if other is None else max(package, other, key=functools.cmp_to_key(preference))
        )
    if not packages:
        raise DataError(
            f"{source}: no packages; expected the text of `apt-cache dumpavail` "
            "(run `apt-get update` first?)"
        )
    return packages, count
