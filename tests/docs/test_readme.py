import dataclasses
import re

import pytest
import streamlit

from dashboard import navigation
from dashboard.settings import PREFIX, PROJECT_ROOT, Settings

README = (PROJECT_ROOT / "README.md").read_text(encoding="utf-8")
_ROW = re.compile(r"^\| `" + PREFIX + r"([A-Z_]+)` \| (.*?) \| (.*?) \|$", re.MULTILINE)


def shown_default(field):
    if "default" in field.metadata:
        return field.metadata["default"]
    if field.default in ("", None, ()):
        return "empty"
    if isinstance(field.default, float):
        return f"`{field.default:g}`"
    return f"`{field.default}`"


def test_the_settings_table_says_what_the_settings_are():
    documented = {name.lower(): (default, doc) for name, default, doc in _ROW.findall(README)}
    expected = {
        field.name: (shown_default(field), field.metadata["doc"])
        for field in dataclasses.fields(Settings)
    }
    assert documented == expected


def test_every_page_is_described(monkeypatch):
    # Outside a running script a real page does not tell its title.
    pages: list[dict[str, object]] = []
    monkeypatch.setattr(streamlit, "Page", lambda _file, **options: pages.append(options))
    navigation.build_pages()
    shown = [page["title"] for page in pages if page.get("visibility") != "hidden"]
    assert len(shown) >= 6
    missing = [title for title in shown if f"**{title}**" not in README]
    assert missing == []


def test_every_folder_of_the_code_is_on_the_map():
    folders = [
        path.parent.relative_to(PROJECT_ROOT).as_posix()
        for path in (PROJECT_ROOT / "dashboard").glob("*/__init__.py")
    ]
    missing = [folder for folder in folders if f"`{folder}/`" not in README]
    assert missing == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_and_pictures_lead_somewhere(name):
    text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    missing = [
        target for target in targets if "://" not in target and not (PROJECT_ROOT / target).exists()
    ]
    assert missing == []


def test_every_make_target_that_is_named_exists():
    makefile = (PROJECT_ROOT / "Makefile").read_text(encoding="utf-8")
    for name in ("README.md", "CONTRIBUTING.md"):
        text = (PROJECT_ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(
            r"\bmake ([a-z]+)\b(?=[^a-z])",
            "".join(re.findall(r"`[^`]*`|^    .*$", text, re.MULTILINE)),
        ):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
