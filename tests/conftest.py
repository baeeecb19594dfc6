"""Options shared by all tests."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that writes expected files anew."""
    parser.addoption(
        "--update-generated",
        action="store_true",
        help="write the expected files anew instead of comparing them",
    )


# Files that take minutes begin first, so that no worker is left alone with one at the end.
LONG = (
    "test_compiled_samplers.py",
    "test_models.py",
    "test_more_models.py",
    "test_broken_samplers.py",
    "test_command.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the tests of long files first, each file's in their order."""
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture
def update_generated(request: pytest.FixtureRequest) -> bool:
    """Tell whether expected files are to be written anew."""
    return request.config.getoption("--update-generated")


@pytest.fixture(autouse=True)
def derive_anew(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every run inside a test derive its source, but for the tests of the cache itself."""
    if request.node.path.name != "test_run_cache.py":
        monkeypatch.setattr("deriver.running.cache.recall", lambda key: None)
        monkeypatch.setattr("deriver.running.cache.keep", lambda key, value: None)
